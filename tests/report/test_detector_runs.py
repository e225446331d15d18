"""Detectors in the report: their precision in tables of their own columns, and in a panel of the learning curves."""

import pytest

from aabench.catalog import load_catalog
from aabench.record import Log, Measurement, Value
from aabench.report import render
from aabench.report.runs import runs
from tests.report.conftest import curve, row

TASK = "aa-retinanet-resnet50"


def precision(name: str, value: float | None, convention: str | None) -> Value:
    return Value(
        metric=name, value=value, unit="%", convention=convention, reason=None if value is not None else "none"
    )


def training(number: int, **fields: object) -> Measurement:
    points = [{"epoch": n, "step": 10 * n, "train_loss": 2.0 / n, "AP": 4.0 * n if n % 2 else None} for n in (1, 2, 3)]
    values = [precision(name, 12.0, kind) for name in ("AP", "AP50") for kind in ("last", "best")]
    return row(
        number, TASK, "train", *values, precision("AP_large", None, "last"), seed=0, detail={"curve": points}, **fields
    )


EVALUATED = row(
    7,
    "faster-rcnn-resnet50-fpn-awconv",
    "eval",
    *(precision(name, value, None) for name, value in (("AP", 37.25), ("AP50", 58.5), ("AP75", 40.0))),
    Value(metric="images", value=5000, unit="images"),
    Value(metric="image_flops", value=207.5e9, unit="FLOPs", convention="mean"),
    Value(metric="image_flops", value=12.5e9, unit="FLOPs", convention="deviation"),
)


def cells(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]


def test_an_evaluations_columns():
    head, _, line = cells(runs([EVALUATED], "eval")[0])
    shown = dict(zip(head, line, strict=True))
    assert [name for name in head if name.startswith(("top", "correct", "loss"))] == []
    assert (shown["AP"], shown["AP50"], shown["AP75"]) == ("37.25 %", "58.50 %", "40.00 %")
    assert shown["FLOPs an image (mean)"] == "207.500 G"
    assert shown["(deviation)"] == "12.500 G"


def test_a_training_has_ap_and_no_top1():
    head, _, line = cells(runs([training(0)], "train")[0])
    shown = dict(zip(head, line, strict=True))
    assert (shown["AP (last)"], shown["AP (best)"], shown["AP50 (last)"]) == ("12.00 %",) * 3
    assert not any(name.startswith("top") for name in head)


def test_the_curve_of_ap_skips_epochs_that_were_not_evaluated():
    (chart,) = runs([training(0)], "train")[1]
    assert [panel.y_label for panel in chart.panels] == ["training loss", "test AP (%)"]
    assert [(series.x, series.y) for series in chart.panels[1].series] == [((10, 30), (4.0, 12.0))]


def test_beside_a_classifier_each_has_its_panel():
    classifier = row(1, "wrn-28-10", "train", Value(metric="top1", value=33.0, unit="%", convention="last"), seed=0)
    classifier = classifier.model_copy(update={"detail": {"curve": curve(33.0)}})
    lines, (chart,) = runs([training(0), classifier], "train")
    panels = {panel.y_label: [series.name for series in panel.series] for panel in chart.panels}
    assert panels == {
        "training loss": [TASK, "wrn-28-10"],
        "test top-1 (%)": ["wrn-28-10"],
        "test AP (%)": [TASK],
    }
    head, _, *rows = cells(lines)
    assert [line[head.index("AP (last)")] for line in rows] == ["12.00 %", "-"]


@pytest.mark.parametrize("level", ["eval", "train"])
def test_the_report_is_drawn(level):
    files = render(Log((training(0), EVALUATED), ()), load_catalog())
    text = files["report.md"].decode()
    assert {"eval": "## Evaluations", "train": "## Training runs"}[level] in text
    assert b"test AP (%)" in files["plots/curves-train.svg"]
