"""From the rows of a sweep to the growth law of each task and metric, and where one cost overtakes another.

Rows are of level ``profile`` or ``predict``, and of one way of running where not said otherwise. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import NamedTuple

from aabench.profile.crossing import Crossing, changes_of_order, crossing
from aabench.profile.scaling import EXACT, NOISY, Law, LocalExponent, fit, local_exponents
from aabench.record import Measurement

__all__ = [
    "Crossing",
    "Curve",
    "Metric",
    "Overtaking",
    "Pair",
    "by_task",
    "crossings",
    "growth_laws",
    "overtaking",
    "terms",
]

ATTENTION = ("attention", "relative")
"""Kinds of operations that attention takes: Q K^T and A V, and the relative logits."""


class Metric(NamedTuple):
    """What a curve is of; ``tolerance`` is that of its law."""

    name: str
    convention: str | None
    tolerance: float

    @property
    def label(self) -> str:
        """``macs (model)``."""
        return self.name if self.convention is None else f"{self.name} ({self.convention})"


MACS = Metric("macs", "model", EXACT)
PREDICTED = Metric("memory", "predicted_live", NOISY)
"""Counted, but a maximum over time: the layer at which the peak lies changes with the side, and the law with it."""
ALLOCATED = Metric("memory", "allocated_peak", NOISY)
RESIDENT = Metric("memory", "rss_peak", NOISY)
LATENCY = Metric("latency_ms", "median", NOISY)
METRICS = (MACS, Metric("activations", None, EXACT), PREDICTED, ALLOCATED, RESIDENT, LATENCY)


@dataclass(frozen=True)
class Curve:
    """A metric of a task over its sides, with its law."""

    task: str
    metric: Metric
    unit: str
    sides: tuple[int, ...]
    values: tuple[float, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    law: Law
    note: str | None = None
    """What a reader of the law should know."""

    @property
    def last_octave(self) -> LocalExponent | None:
        """The local exponent up to the largest side, from the one nearest to half of it; None with a value of 0."""
        first = min(range(len(self.sides) - 1), key=lambda i: abs(self.sides[i] / self.sides[-1] - 0.5))
        ends = (first, len(self.sides) - 1)
        if min(self.values[i] for i in ends) <= 0:
            return None
        return local_exponents(
            [self.sides[i] for i in ends], [self.values[i] for i in ends], [self.intervals[i] for i in ends]
        )[0]


def growth_laws(rows: Sequence[Measurement]) -> tuple[Curve, ...]:
    """The curves of each task over two sides or more, tasks in the order of the rows.

    Counts and predictions are taken from points that ran out of memory, too. Of two rows of a point the later counts.
    The terms are s^0 and s^2; s^4 in time, for what outgrows the caches; and where the task has attention: s^4 in
    operations, and in memory if a point ran the explicit form; s^3 in operations and memory for relative logits, and in
    time if a point ran the fused form.
    """
    curves = []
    for points in by_task(rows).values():
        found = [curve for metric in METRICS if (curve := _curve(points, metric)) is not None]
        measured = {curve.metric for curve in found}
        curves += [curve for curve in found if not (curve.metric == RESIDENT and ALLOCATED in measured)]
    return tuple(curves)


def by_task(rows: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """Task -> its points, sides ascending; of two rows of a side the later one."""
    newest: dict[str, dict[int, Measurement]] = {}
    for row in rows:
        newest.setdefault(row.task, {})[int(row.settings["input_size"])] = row
    return {task: [points[side] for side in sorted(points)] for task, points in newest.items()}


def _curve(points: Sequence[Measurement], metric: Metric) -> Curve | None:
    found = [(row, value) for row in points if (value := row.get(metric.name, metric.convention)) is not None]
    known = [(row, value.value, value.unit) for row, value in found if value.value is not None]
    if len(known) < 2:
        return None
    used = [row for row, _, _ in known]
    sides = tuple(int(row.settings["input_size"]) for row in used)
    values = tuple(float(number) for _, number, _ in known)
    intervals = tuple(_interval(row) if metric == LATENCY else None for row in used)
    law = fit(sides, values, terms(metric, used), tolerance=metric.tolerance)
    return Curve(used[0].task, metric, known[0][2], sides, values, intervals, law, _note(metric, law, used))


def terms(metric: Metric, points: Sequence[Measurement]) -> tuple[int, ...]:
    """The exponents of a metric's law, by what the points' network has and ran."""
    kinds = {kind for row in points for kind in row.detail.get("operations_by_kind", {})}
    forms = {form for row in points for form in _forms(row)}
    if not any("attention_forms" in row.detail for row in points) and "attention" in kinds:
        forms = {"explicit", "fused"}  # rows of version 1 do not tell
    if metric.tolerance == EXACT:
        more = {3: "relative" in kinds, 4: "attention" in kinds}
    elif metric == LATENCY:
        more = {3: "fused" in forms, 4: True}
    else:
        more = {3: bool(forms) or "relative" in kinds, 4: "explicit" in forms}
    return (0, 2, *(exponent for exponent, there in more.items() if there))


def _forms(row: Measurement) -> Mapping[str, int]:
    forms: Mapping[str, int] = row.detail.get("attention_forms") or {}
    return forms


def _interval(row: Measurement) -> tuple[float, float] | None:
    interval = row.detail.get("latency", {}).get("interval_ms")
    return None if interval is None else (float(interval[0]), float(interval[1]))


def _note(metric: Metric, law: Law, points: Sequence[Measurement]) -> str | None:
    if metric.tolerance == EXACT:
        return None if law.holds or law.residual is None else "a map that a stride does not divide is rounded up"
    runs = [(form, [int(r.settings["input_size"]) for r in of]) for form, of in groupby(points, key=_form_text)]
    if len(runs) < 2:
        return None
    ranges = (f"{form} at {sides[0]}{f' to {sides[-1]}' if len(sides) > 1 else ''}" for form, sides in runs)
    return f"attention: {'; '.join(ranges)}"


def _form_text(row: Measurement) -> str:
    return ", ".join(f"{layers} {form}" for form, layers in sorted(_forms(row).items()) if layers) or "unknown"


@dataclass(frozen=True)
class Overtaking:
    """From which side on attention takes more of a task's multiply-adds than convolution."""

    task: str
    crossing: Crossing
    """Of the laws of both kinds."""
    between: tuple[tuple[float, float], ...] = ()
    """Neighbouring counted sides between which it happens."""


def overtaking(rows: Sequence[Measurement]) -> tuple[Overtaking, ...]:
    """Of each task with attention over two sides or more, by the laws of both kinds' model MACs."""
    found = []
    for task, points in by_task(rows).items():
        counted = [row for row in points if "attention" in row.detail.get("operations_by_kind", {})]
        if len(counted) > 1:
            found.append(_overtaking(task, counted))
    return tuple(found)


def _overtaking(task: str, points: Sequence[Measurement]) -> Overtaking:
    sides = [int(row.settings["input_size"]) for row in points]
    kinds: list[Mapping[str, int]] = [row.detail["operations_by_kind"] for row in points]
    convolution = [float(by_kind.get("conv", 0)) for by_kind in kinds]
    attention = [float(sum(by_kind.get(kind, 0) for kind in ATTENTION)) for by_kind in kinds]
    if attention[0] >= convolution[0]:
        return Overtaking(task, Crossing(reason=f"attention takes more at side {sides[0]} already"))
    exponents = (3, 4) if any("relative" in by_kind for by_kind in kinds) else (4,)
    found = crossing(
        fit(sides, convolution, (0, 2), tolerance=EXACT),
        fit(sides, attention, exponents, tolerance=EXACT),
        names=("convolution", "attention"),
    )
    return Overtaking(task, found, changes_of_order(sides, convolution, attention))


@dataclass(frozen=True)
class Pair:
    """Two tasks' curves of a metric against each other."""

    metric: Metric
    tasks: tuple[str, str]
    """The one that costs less at the smallest common side first."""
    crossing: Crossing
    """Of their laws."""
    between: tuple[tuple[float, float], ...]
    """Neighbouring measured sides between which the order of the points changes."""


def crossings(curves: Sequence[Curve]) -> tuple[Pair, ...]:
    """Every two tasks' curves of one metric that share two sides or more."""
    pairs = []
    for metric in METRICS:
        for first, second in combinations([curve for curve in curves if curve.metric == metric], 2):
            pair = _pair(first, second)
            if pair is not None:
                pairs.append(pair)
    return tuple(pairs)


def _pair(first: Curve, second: Curve) -> Pair | None:
    ours, theirs = (dict(zip(curve.sides, curve.values, strict=True)) for curve in (first, second))
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) < 2:
        return None
    if theirs[shared[0]] < ours[shared[0]]:
        first, second, ours, theirs = second, first, theirs, ours
    between = changes_of_order(shared, [ours[side] for side in shared], [theirs[side] for side in shared])
    found = crossing(first.law, second.law, names=(first.task, second.task))
    return Pair(first.metric, (first.task, second.task), found, between)
