"""The page on attention mechanisms: how much of their gain is the mechanism, how much leaving out the n x n matrix?

What is compared stands in the catalog: the exact network that a growth claim is made against (explicit), the same
network without the n x n matrix, which our own question is about (fused), and the mechanisms that it is asked of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from aabench.catalog import Catalog
from aabench.profile.conditions import Conditions, by_conditions
from aabench.profile.laws import by_task, growth_laws
from aabench.record import Measurement
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import MISSING, show

_TITLE = "# How much is the mechanism, how much the implementation?"
_INTRODUCTION = (
    "Exact attention that makes its n x n matrix (*explicit*, as all public code does), the same values without it "
    "(*fused*), and each mechanism in their place, in one network. Of the factor by which a mechanism costs less than "
    "explicit attention, the part that fused attention has as well is the implementation's; the rest is the "
    "mechanism's own. `share` is the implementation's part of that factor, in logarithms: 100 % means that the "
    "mechanism adds nothing, above 100 % that it loses some of it. Points that ran out of memory have no number."
)
_METRICS = (
    ("macs", "model", "Multiply-adds of the definition, one image"),
    ("memory", "predicted_live", "Predicted memory of all tensors at the peak"),
    ("memory", "allocated_peak", "Memory as torch's allocator recorded it"),
    ("latency_ms", "median", "Median latency"),
    (
        "output_difference",
        None,
        "Distance of the first layer's attention from exact attention at equal (initial) weights, over that",
    ),
)


@dataclass(frozen=True)
class Question:
    """Tasks that differ in their attention alone."""

    explicit: str
    fused: str
    mechanisms: tuple[str, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """All of them, exact ones first."""
        return (self.explicit, self.fused, *self.mechanisms)


def questions(catalog: Catalog) -> Iterator[Question]:
    """One for each exact network whose memory growth is claimed against, and asked about without its matrix."""
    growth = [claim for claim in catalog.claims if claim.kind == "growth" and claim.metric == "memory"]
    explicit = {claim.baseline for claim in growth if claim.tag != "ours"}
    for claim in growth:
        if claim.tag == "ours" and claim.baseline is not None and claim.baseline in explicit:
            of_all = tuple(other.task for other in growth if other.baseline == claim.task)
            yield Question(claim.baseline, claim.task, of_all)


def mechanisms(rows: Sequence[Measurement], catalog: Catalog) -> list[str]:
    """The lines of the page; empty where no way of running has explicit, fused and some mechanism's points."""
    lines: list[str] = []
    for question in questions(catalog):
        for conditions, points in by_conditions([row for row in rows if row.task in question.tasks]):
            lines += _section(question, conditions, by_task(points))
    return [_TITLE, "", _INTRODUCTION, "", *lines] if lines else []


Points = Mapping[str, Sequence[Measurement]]


def _section(question: Question, conditions: Conditions, points: Points) -> list[str]:
    if not {question.explicit, question.fused} <= points.keys() or points.keys() <= {question.explicit, question.fused}:
        return []
    lines = [f"## {conditions.title}", ""]
    for metric, convention, title in _METRICS:
        numbers = {task: _numbers(of, metric, convention) for task, of in points.items()}
        if any(numbers.values()):
            lines += [f"### {title}", "", *_by_side(question, numbers, _unit(points, metric, convention)), ""]
            if metric in ("memory", "latency_ms"):
                lines += [*_answer(question, numbers), ""]
    return lines + _growth(question, points)


def _numbers(points: Sequence[Measurement], metric: str, convention: str | None) -> dict[int, float]:
    """Side -> value, where there is one; what was predicted of a point that ran out of memory counts."""
    values = {int(row.settings["input_size"]): row.get(metric, convention) for row in points}
    return {side: v.value for side, v in values.items() if v is not None and v.value is not None}


def _unit(points: Points, metric: str, convention: str | None) -> str:
    values = (row.get(metric, convention) for of in points.values() for row in of)
    return next(value.unit for value in values if value is not None)


def _by_side(question: Question, numbers: Mapping[str, Mapping[int, float]], unit: str) -> list[str]:
    sides = sorted({side for of in numbers.values() for side in of})
    lines = [
        {"network": code(task), **{str(side): show(numbers[task].get(side), unit) for side in sides}}
        for task in question.tasks
        if numbers.get(task)
    ]
    return table(pd.DataFrame(lines, dtype=object), right=[str(side) for side in sides])


def _answer(question: Question, numbers: Mapping[str, Mapping[int, float]]) -> list[str]:
    """At the largest side that each mechanism shares with both exact forms."""
    lines = []
    for task in question.mechanisms:
        three = [numbers.get(name, {}) for name in (question.explicit, question.fused, task)]
        common = set(three[0]) & set(three[1]) & set(three[2])
        if common:
            explicit, fused, own = (of[max(common)] for of in three)
            lines.append(
                {
                    "mechanism": code(task),
                    "at side": max(common),
                    "explicit over it": bold(f"{explicit / own:.2f}"),
                    "explicit over fused": f"{explicit / fused:.2f}",
                    "fused over it": f"{fused / own:.2f}",
                    "share": _share(explicit / fused, explicit / own),
                }
            )
    return table(pd.DataFrame(lines, dtype=object), right=list(lines[0])[1:]) if lines else []


def _share(implementation: float, whole: float) -> str:
    """Where there is a gain at all."""
    return f"{100 * math.log(implementation) / math.log(whole):.0f} %" if whole > 1 else MISSING


_GROWTH = "Exponent of the side, from half of the largest one to the largest; laws and intervals are in report.md."


def _growth(question: Question, points: Points) -> list[str]:
    curves = growth_laws([row for of in points.values() for row in of])
    metrics = list(dict.fromkeys(curve.metric.label for curve in curves))
    if not metrics:
        return []
    found = {(curve.task, curve.metric.label): curve.last_octave for curve in curves}
    lines = []
    for task in question.tasks:
        if task in points:
            exponents = {metric: found.get((task, metric)) for metric in metrics}
            shown = {metric: MISSING if of is None else f"{of.value:.2f}" for metric, of in exponents.items()}
            lines.append({"network": code(task), **shown})
    return ["### Growth", "", _GROWTH, "", *table(pd.DataFrame(lines, dtype=object), right=metrics), ""]
