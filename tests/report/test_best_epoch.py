"""The best epoch in the report: which claims are judged by it, and what choosing it on the test set was worth."""

from collections.abc import Sequence
from typing import Any

import pytest

from aabench.catalog import Catalog, load_catalog
from aabench.record import Log, Measurement, Value
from aabench.report import render
from aabench.report.selection import selection

PLAIN, DIA = "ean-resnet164", "ean-dia-resnet164-share"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def training(number: int, task: str, top1: Sequence[float | None], **fields: Any) -> Measurement:
    """A training whose test accuracy after each epoch was this."""
    scored = [value for value in top1 if value is not None]
    numbers = {"best": max(scored), "last": scored[-1]}
    content = {
        "id": f"row{number}",
        "time": f"2026-01-01T00:00:{number:02d}.000000Z",
        "task": task,
        "level": "train",
        "status": "ok",
        "seed": number,
        "values": (
            *(Value(metric="top1", value=value, unit="%", convention=name) for name, value in numbers.items()),
            Value(metric="images", value=10_000, unit="images"),
        ),
        "detail": {"curve": [{"step": step, "train_loss": 1.0, "top1": value} for step, value in enumerate(top1)]},
    }
    return Measurement(**{**content, **fields})


def test_the_gain_is_that_of_the_runs_own_curves(catalog: Catalog) -> None:
    rows = [training(0, PLAIN, [70.0, 74.1, None, 73.54]), training(1, DIA, [76.0, 75.96])]
    assert selection(rows, catalog) == [
        "Taking the best epoch, chosen on the test set, instead of the last was worth 0.30 points of top-1 on average "
        "(0.04 to 0.56) over the 2 runs by the recipes as they are.",
        "",
    ]


def test_altered_runs_are_counted_apart(catalog: Catalog) -> None:
    rows = [training(0, PLAIN, [74.1, 73.5]), training(1, PLAIN, [50.0, 49.0], altered={"epochs": 2})]
    (sentence, _) = selection(rows, catalog)
    assert sentence.endswith(
        "worth 0.60 points of top-1 in the one run by the recipes as they are; 1.00 points of top-1 in the one run "
        "with changed settings."
    )


def test_nothing_is_said_where_nothing_was_chosen(catalog: Catalog) -> None:
    assert selection([training(0, PLAIN, [74.1])], catalog) == []  # one epoch
    assert selection([training(0, PLAIN, [74.1, 73.5], status="interrupted")], catalog) == []
    assert selection([training(0, "wrn-28-10", [80.0, 79.0])], catalog) == []  # its claims are of the last epoch


def test_the_report_says_which_epoch_is_compared(catalog: Catalog) -> None:
    text = render(Log((training(0, PLAIN, [74.0, 73.4]),), ()), catalog)["report.md"].decode()
    (line,) = [line for line in text.splitlines() if line.startswith(f"| ResNet-164 | `{PLAIN}` |")]
    assert "| top1 (best epoch) | 73.43 % | 74.00 % ± " in line
    assert "; last epoch 73.40 %" in line
    assert "| best |" in line
    assert "*best epoch*: the paper's accuracy is that of the best epoch on the test set" in text
    assert "was worth 0.60 points of top-1 in the one run" in text
