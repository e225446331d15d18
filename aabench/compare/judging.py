"""The exact gate: two numbers of one name, and what is to be thought of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aabench.compare.exponents import OF, exponents
from aabench.compare.finding import Finding, Judgement
from aabench.compare.metrics import Kind, kind_of, label_of
from aabench.compare.points import Key, Point
from aabench.record import Value

NOISE = "measured, and two runs differ by noise too; time is compared by --rerun, in one run"

Judged = tuple[Judgement, str | None]
"""A judgement and its reason."""


def judge_points(base: Point, head: Point) -> Iterator[Finding]:
    """All findings on a point that both sides have."""
    if base.failure is not None or head.failure is not None:
        yield _finding(head, "point", *_judge_failure(base, head))
        return
    for label in {**base.values, **head.values}:
        ours, theirs = base.values.get(label), head.values.get(label)
        judged = _judge_label(label, base, head)
        yield _finding(head, label, *judged, ours, theirs)


def judge_exponents(base: dict[Key, Point], head: dict[Key, Point], curve: list[Key]) -> Iterator[Finding]:
    """Findings on the growth along a curve that both sides have.

    Args:
        base: points of BASE by key.
        head: those of HEAD.
        curve: keys of points in both, ascending by side.
    """
    for of in OF:
        ours, theirs = exponents(base, curve, of), exponents(head, curve, of)
        label = label_of("exponent", of)
        for sides in ours.keys() & theirs.keys():
            low, high = (Value(metric="exponent", convention=of, value=e[sides], unit="") for e in (ours, theirs))
            point = head[curve[0]]
            judged = _judge_values(kind_of(label), base[curve[0]], point, low, high)
            yield _finding(point, label, *judged, low, high).model_copy(
                update={"at": {**point.at, "input_size": sides}}
            )


def one_sided(point: Point, judgement: Judgement, reason: str) -> Finding:
    """A point that only one side has."""
    return _finding(point, "point", judgement, reason)


def _judge_failure(base: Point, head: Point) -> Judged:
    if base.failure is not None and head.failure is not None:
        return "not judged", f"on both sides {head.failure}"
    if head.key.level == "profile" and base.machine != head.machine:
        return "not comparable", f"{_other_machine(base, head)}; one of them {head.failure or base.failure}"
    if head.failure is not None:
        return "regression", f"ok in BASE, in HEAD {head.failure}"
    return "improvement", f"ok in HEAD, in BASE {base.failure}"


def _judge_label(label: str, base: Point, head: Point) -> Judged:
    ours, theirs = base.values.get(label), head.values.get(label)
    if ours is not None and theirs is not None:
        return _judge_values(kind_of(label), base, head, ours, theirs)
    metric = label.partition("/")[0]
    other, name = (base, "HEAD") if ours is None else (head, "BASE")
    if any(value.metric == metric for value in other.values.values()):
        return "not comparable", f"only {name} has this convention of {metric}"
    return ("new", "only HEAD has it") if ours is None else ("missing", "only BASE has it")


def _judge_values(kind: Kind | None, base: Point, head: Point, ours: Value, theirs: Value) -> Judged:
    if kind is None:
        return "not judged", "no rule says how it compares"
    if kind == "measured":
        same = base.machine == head.machine
        return ("not judged", NOISE) if same else ("not comparable", _other_machine(base, head))
    if ours.unit != theirs.unit:
        return "not comparable", f"{ours.unit} in BASE, {theirs.unit} in HEAD"
    if ours.value is None or theirs.value is None:
        lacking, name = (ours, "BASE") if ours.value is None else (theirs, "HEAD")
        return "not comparable", f"no number in {name}: {lacking.reason}"
    if kind == "exact for one torch" and (other := _other_torch(base.torch, head.torch)):
        return "not comparable", other
    if ours.value == theirs.value:
        return "same", None
    if kind == "description":
        return "not judged", "describes the model: neither more nor less of it is better"
    return "regression" if theirs.value > ours.value else "improvement", _redefined(base, head)


def _other_torch(base: str | None, head: str | None) -> str | None:
    if base is None or head is None:
        return "it depends on the torch version, and that is not known"
    ours, theirs = (".".join(version.split(".")[:2]) for version in (base, head))
    return None if ours == theirs else f"torch {ours} in BASE, {theirs} in HEAD: other operators may run"


def _other_machine(base: Point, head: Point) -> str:
    ours, theirs = (", ".join(str(part) for part in point.machine if part is not None) for point in (base, head))
    return f"another machine: {ours} in BASE, {theirs} in HEAD"


def _redefined(base: Point, head: Point) -> str | None:
    """What of the task's definition is another one."""
    names = {**base.definition, **head.definition}
    changed = [
        f"{name} {base.definition.get(name)} -> {head.definition.get(name)}"
        for name in names
        if base.definition.get(name) != head.definition.get(name)
    ]
    return f"the task was redefined: {', '.join(changed)}" if changed else None


def _finding(
    point: Point,
    label: str,
    judgement: Judgement,
    reason: str | None,
    base: Value | None = None,
    head: Value | None = None,
) -> Finding:
    known = head or base
    numbers: dict[str, Any] = {"base": base and base.value, "head": head and head.value}
    return Finding(
        judgement=judgement,
        task=point.key.task,
        level=point.key.level,
        at=point.at,
        metric=label,
        unit=known.unit if known else None,
        reason=reason,
        **numbers,
    )
