"""Verdicts on what can be counted exactly: parameters, FLOPs, images that known weights get right."""

from __future__ import annotations

from collections.abc import Sequence

from aabench.catalog import Claim
from aabench.catalog.schema import UNITS, Quantity
from aabench.record import Level, Measurement, Value
from aabench.verify.evidence import evidence
from aabench.verify.unjudged import not_measured, without_value
from aabench.verify.verdict import Judgement, Verdict

LEVEL_OF: dict[str, Level] = {"params": "structure", "flops": "structure", "correct": "eval", "correct5": "eval"}
"""The level that measures each exact metric."""

DEFAULT_CONVENTION = "flops"
"""How FLOPs are counted for a claim that names no convention: 2 a multiply-add."""


def judge_exact(claim: Claim, rows: Sequence[Measurement]) -> Verdict:
    """Judge a claim on an exact number by the newest row that counts.

    The printed value is an interval: ``25.8 M`` is [25.75, 25.85). Inside is verified, outside contradicted. An
    ordinal claim says that a task has less than its baseline, counted alike.
    """
    ours = _newest(claim, claim.task, rows)
    if isinstance(ours, Verdict):
        return ours
    if claim.baseline is None:
        status, reason = _place(claim, *ours)
        return _verdict(claim, status, reason, ours)
    theirs = _newest(claim, claim.baseline, rows)
    if isinstance(theirs, Verdict):
        return theirs
    status = "verified" if _number(ours[1]) < _number(theirs[1]) else "contradicted"
    reason = f"{_number(ours[1]):,} against {_number(theirs[1]):,} {ours[1].unit} of {claim.baseline}"
    return _verdict(claim, status, f"{reason}{_counted_as(ours[1])}", ours, theirs)


_Found = tuple[Measurement, Value]


def _newest(claim: Claim, task: str, rows: Sequence[Measurement]) -> _Found | Verdict:
    """The newest row of a task that counts with its number, or the verdict that there is none."""
    level = LEVEL_OF[claim.metric]
    found = evidence(task, (level,), rows)
    if found.latest is None:
        return not_measured(claim, found, level)
    convention = (claim.convention or DEFAULT_CONVENTION) if claim.metric == "flops" else None
    value = found.latest.get(claim.metric, convention)
    if value is None or value.value is None:
        return without_value(claim, found.latest, value)
    return found.latest, value


def _verdict(claim: Claim, status: Judgement, reason: str, *found: _Found) -> Verdict:
    value = found[0][1]
    return Verdict(
        claim=claim,
        status=status,
        reason=reason,
        measured=value.value,
        unit=value.unit,
        convention=value.convention,
        rows=tuple(row.id for row, _ in found),
    )


def _place(claim: Claim, row: Measurement, value: Value) -> tuple[Judgement, str]:
    """Whether a number prints as the claim does: (status, reason)."""
    claimed = claim.value
    if claimed is None:  # only an ordinal claim has none, and that has a baseline
        raise ValueError(f"{claim.id}: an absolute claim without a value")
    shown = f"{claimed.format(_number(value))}{_counted_as(value)}"
    if _lands(claimed, value):
        return "verified", f"exactly {shown}" if claimed.unit == "images" else f"{shown} prints as {claimed}"
    low, high = (bound / UNITS[claimed.unit] for bound in claimed.interval)
    outside = f"{shown} is outside [{low:g}, {high:g}) {claimed.unit}"
    return "contradicted", outside + _elsewhere(claimed, value, row)


def _elsewhere(claimed: Quantity, value: Value, row: Measurement) -> str:
    """What the other conventions counted give: which of them land; if none does, which comes nearest."""
    others = [v for v in row.values if v.metric == value.metric and v.value is not None and v != value]
    if not others:
        return ""
    landing = [str(other.convention) for other in others if _lands(claimed, other)]
    if landing:
        return f"; counted as {' or '.join(landing)} it lands"
    nearest = min([value, *others], key=lambda candidate: abs(_number(candidate) - claimed.value))
    if nearest is value:
        return f"; {' and '.join(str(other.convention) for other in others)} are further away"
    return f"; no convention lands, the nearest is {claimed.format(_number(nearest))}{_counted_as(nearest)}"


def _lands(claimed: Quantity, value: Value) -> bool:
    low, high = claimed.interval
    return low <= _number(value) < high


def _number(value: Value) -> float | int:
    """The value where it is known to be there."""
    if value.value is None:
        raise ValueError(f"{value.metric}: no value, {value.reason}")
    return value.value


def _counted_as(value: Value) -> str:
    return f" (counted as {value.convention})" if value.convention else ""
