"""The report's sections on training: smoke runs with their checks, full runs, supernets, evaluations, curves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from aabench.record import Level, Measurement
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import MISSING, run_name, show_value
from aabench.report.plots import Chart, Panel, Series

_INTRO: dict[Level, tuple[str, str]] = {
    "smoke": (
        "Smoke runs",
        "Short trainings at a reduced size, which must learn, write a checkpoint and go on from it. "
        "They say that the code trains, and nothing of the paper's accuracy.",
    ),
    "eval": ("Evaluations", "Given weights on a whole test set, each image exactly once."),
    "train": ("Training runs", "`last` and `best` are epochs; runs with changed settings are not judged."),
    "supernet": (
        "Supernets",
        "Trained with another random scheme in each step, and scored with every block connected, on training images "
        "that were held out. Their weights score the schemes of a search.",
    ),
}
_TRAINED = (
    ("top-1 (last)", "top1", "last"),
    ("top-1 (best)", "top1", "best"),
    ("top-5 (last)", "top5", "last"),
    ("AP (last)", "AP", "last"),
    ("AP (best)", "AP", "best"),
    ("AP50 (last)", "AP50", "last"),
    ("correct", "correct", "last"),
    ("images", "images", None),
    ("loss", "loss", None),
    ("speed", "images_per_second", None),
)
_SUPERNET = (
    ("top-1 (held out)", "top1", "held-out"),
    ("images", "images", None),
    ("training loss", "train_loss", "last"),
    ("steps", "steps", None),
    ("speed", "images_per_second", None),
)
_EVALUATED = (
    *((name, name.replace("-", ""), None) for name in ("top-1", "top-5", "AP", "AP50", "AP75")),
    *((name, name, None) for name in ("correct", "images", "loss")),
    ("FLOPs an image (mean)", "image_flops", "mean"),
    ("(deviation)", "image_flops", "deviation"),
)
"""FLOPs as run: of a detector they depend on what is in an image."""


def runs(rows: Sequence[Measurement], level: Level) -> tuple[list[str], list[Chart]]:
    """(lines, charts) of a level's rows that hold numbers, in the order of the log."""
    found = [row for row in rows if row.level == level and row.values]
    if not found:
        return [], []
    title, intro = _INTRO[level]
    numbers = {"eval": _EVALUATED, "supernet": _SUPERNET}.get(level, _TRAINED)
    frame = pd.DataFrame([_line(row, numbers) for row in found], dtype=object)
    frame = frame.loc[:, [column for column in frame if (frame[column] != MISSING).any()]]
    lines = [f"## {title}", "", intro, "", *table(frame, right=[name for name, _, _ in numbers]), ""]
    charts = _curves(found, level, title)
    for chart in charts:
        lines += [f"![{chart.title}]({chart.file})", ""]
    return [*lines, *_checks(found)], charts


def _line(row: Measurement, numbers: Sequence[tuple[str, str, str | None]]) -> dict[str, object]:
    return {
        "task": code(run_name(row)),
        "data": row.settings.get("train_set") or row.settings.get("test_set") or MISSING,
        "seed": MISSING if row.seed is None else row.seed,
        "status": row.status if row.status == "ok" else bold(row.status),
        **{title: show_value(row, metric, convention) for title, metric, convention in numbers},
    }


def _checks(rows: Sequence[Measurement]) -> list[str]:
    lines = [
        {
            "task": code(run_name(row)),
            "check": name,
            "held": "yes" if check["ok"] else bold("no"),
            "what was found": check["text"],
        }
        for row in rows
        for name, check in row.detail.get("checks", {}).items()
    ]
    return ["### Checks", "", *table(pd.DataFrame(lines, dtype=object)), ""] if lines else []


def _curves(rows: Sequence[Measurement], level: Level, title: str) -> list[Chart]:
    """One chart of the newest learning curve of each task, alteration and seed."""
    newest = {(run_name(row), row.seed): row for row in rows if _losses(row)}
    several = len({name for name, _ in newest}) < len(newest)
    named = {f"{name}, seed {seed}" if several else name: row for (name, seed), row in newest.items()}
    drawn = (("training loss", _losses), ("test top-1 (%)", _accuracies), ("test AP (%)", _precisions))
    panels = []
    for label, points in drawn:
        series = tuple(Series(name, *zip(*points(row), strict=True)) for name, row in named.items() if points(row))
        if series:
            panels.append(Panel(label, "step", series))
    return [Chart(f"curves-{level}", f"{title}: learning curves", tuple(panels))] if panels else []


_Points = list[tuple[float, float]]


def _losses(row: Measurement) -> _Points:
    """(step, training loss): by epoch, or as often as a smoke run notes it."""
    return _of_curve(row, "train_loss") or [(step, loss) for step, loss in row.detail.get("losses", ())]


def _accuracies(row: Measurement) -> _Points:
    """(step, top-1 on the test set in percent), for the epochs that were evaluated."""
    return _of_curve(row, "top1")


def _precisions(row: Measurement) -> _Points:
    """(step, a detector's AP on the test set in percent), likewise."""
    return _of_curve(row, "AP")


def _of_curve(row: Measurement, key: str) -> _Points:
    points = [(point["step"], point.get(key)) for point in row.detail.get("curve", ())]
    return [(step, value) for step, value in points if value is not None]
