"""The page that sets mechanisms beside exact attention: numbers by hand, from made-up rows."""

from __future__ import annotations

from typing import Any

import pytest

from aabench.catalog import Catalog, load_catalog
from aabench.record import Measurement, Value
from aabench.report.mechanisms import mechanisms, questions
from tests.report.conftest import row

EXPLICIT, FUSED, LINEAR = "aa-resnet18-explicit", "eaa-resnet18-fused", "eaa-resnet18-linear"
WAY = {"mode": "train", "batch": 8, "dtype": "fp32", "device": "cpu"}


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog()


def predicted(number: int, task: str, side: int, mib: float, **settings: Any) -> Measurement:
    memory = Value(metric="memory", value=int(mib * 2**20), unit="bytes", convention="predicted_live")
    return row(number, task, "predict", memory, settings={**WAY, "input_size": side, **settings})


def measured(number: int, task: str, side: int, ms: float) -> Measurement:
    latency = Value(metric="latency_ms", value=ms, unit="ms", convention="median")
    return row(number, task, "profile", latency, settings={**WAY, "input_size": side})


def cells(lines: list[str], task: str) -> list[list[str]]:
    """The lines of all tables that are about a task, cell by cell."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [line[1:] for line in found if line[0] == f"`{task}`"]


def test_the_question_is_the_catalogs(catalog: Catalog) -> None:
    [question] = questions(catalog)
    assert (question.explicit, question.fused) == (EXPLICIT, FUSED)
    assert {LINEAR, "eaa-resnet18-window"} < set(question.mechanisms)
    assert len(question.tasks) == 10


def test_how_much_is_the_implementation(catalog: Catalog) -> None:
    """At 128: 800 / 100 = 8 = 4 x 2: two thirds of log 8 are the fused form's. At 64 there is no gain."""
    rows = [predicted(n, task, 64, 50) for n, task in enumerate((EXPLICIT, FUSED, LINEAR))]
    larger = [(EXPLICIT, 800), (FUSED, 200), (LINEAR, 100)]
    rows += [predicted(3 + n, task, 128, mib) for n, (task, mib) in enumerate(larger)]
    by_side, answer, growth = cells(mechanisms(rows, catalog), LINEAR)
    assert by_side == ["50.0 MiB", "100.0 MiB"]
    assert answer == ["128", "**8.00**", "4.00", "2.00", "67 %"]
    assert growth == ["1.00"]
    assert cells(mechanisms(rows[:3], catalog), LINEAR) == [["50.0 MiB"], ["64", "**1.00**", "1.00", "1.00", "-"]]


def test_a_side_that_an_exact_form_has_no_number_for_does_not_answer(catalog: Catalog) -> None:
    rows = [measured(n, task, 64, ms) for n, (task, ms) in enumerate([(EXPLICIT, 40.0), (FUSED, 10.0), (LINEAR, 20.0)])]
    lines = mechanisms([*rows, measured(9, FUSED, 128, 70.0), measured(10, LINEAR, 128, 30.0)], catalog)
    assert cells(lines, EXPLICIT)[0] == ["40.00 ms", "-"]
    assert cells(lines, LINEAR)[1] == ["64", "**2.00**", "4.00", "0.50", "200 %"]


def test_ways_are_kept_apart_and_half_a_comparison_is_none(catalog: Catalog) -> None:
    three = [predicted(n, task, 64, 50) for n, task in enumerate((EXPLICIT, FUSED, LINEAR))]
    other = [predicted(5, LINEAR, 64, 10, batch=1), predicted(6, FUSED, 64, 10, batch=1)]
    lines = mechanisms([*three, *other], catalog)
    assert [line for line in lines if line.startswith("## ")] == [
        "## predicted: training step, batch 8, fp32, cpu: torch 2.15.0"
    ]
    assert mechanisms(three[:2], catalog) == []
    assert mechanisms([], catalog) == []
