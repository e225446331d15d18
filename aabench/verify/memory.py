"""Verdicts on memory: whether a task takes less than its baseline at equal batch and resolution, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from aabench.catalog import Claim, Sweep
from aabench.record import Measurement
from aabench.verify.points import Curves, curves, fits, incomplete, name_sides, not_predicted, predicted_in
from aabench.verify.verdict import Judgement, Verdict


def judge_memory(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Verdict:
    """Judge that a task's peak memory is below the baseline's, at every side of the sweep.

    By what is predicted of live tensors, which is exact; where the peak of torch's allocator was measured too, both
    have to say so. Verified at all sides, contradicted at none, consistent at some; underpowered while sides are
    missing.
    """
    predicted = _first(claim, sweep, rows, "predicted_live")
    if predicted is None:
        return not_predicted(claim, sweep, rows)
    measured = _first(claim, sweep, rows, "allocated_peak")
    known = [of for of in (predicted, measured) if of is not None]
    less = [side for side in predicted.sides if all(_is_less(of, side) for of in known)]
    status: Judgement = "consistent" if less else "contradicted"
    if len(less) == len(sweep.sides):
        status = "verified"
    reason = f"{_where(less, predicted.sides, sweep)}; {_largest(predicted, claim)}{_measured(measured, sweep)}"
    missing = incomplete(predicted, claim, sweep, rows)
    return Verdict(
        claim=claim,
        status=status if missing is None else "underpowered",
        reason=reason if missing is None else f"{reason}; {missing}",
        measured=predicted.ours[-1],
        unit="bytes",
        convention="predicted_live",
        rows=tuple(dict.fromkeys(row for of in known for row in of.ids)),
    )


def _first(claim: Claim, sweep: Sweep, rows: Sequence[Measurement], convention: str) -> Curves | None:
    def memory(row: Measurement) -> float | int | None:
        value = row.get("memory", convention)
        return None if value is None else value.value

    return next((of for of in curves(claim, sweep, rows, memory) if fits(of.way, sweep)), None)


def _is_less(of: Curves, side: int) -> bool:
    """Whether the task takes less there; a side that has no point speaks against nothing."""
    return side not in of.sides or of.ours[of.sides.index(side)] < of.theirs[of.sides.index(side)]


def _where(less: Sequence[int], sides: Sequence[int], sweep: Sweep) -> str:
    every = name_sides(sides, sweep.sides)
    if len(less) == len(sides):
        return f"less at {every}"
    if not less:
        return f"not less at {every}"
    others = [side for side in sides if side not in less]
    return f"less at {name_sides(less, sweep.sides)}, not at {name_sides(others, sweep.sides)}"


def _largest(of: Curves, claim: Claim) -> str:
    ours, theirs = of.ours[-1], of.theirs[-1]
    amounts = f"{ours / 2**20:,.0f} against {theirs / 2**20:,.0f} MiB of {claim.baseline}"
    return f"at {of.sides[-1]} {amounts}, {ours / theirs:.2f} times as much ({predicted_in(of.way)})"


def _measured(of: Curves | None, sweep: Sweep) -> str:
    if of is None:
        return ""
    less = [side for side in of.sides if _is_less(of, side)]
    return f"; allocated_peak is {_where(less, of.sides, sweep)} ({of.way.title})"
