"""Verdicts on growth: whether a task's cost grows slower with the input's side than that of its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from aabench.catalog import Claim, Sweep
from aabench.profile.scaling import LocalExponent, fitted_exponent, local_exponents
from aabench.record import Measurement
from aabench.verify.points import Curves, Number, curves, fits, incomplete, not_predicted, predicted_in
from aabench.verify.structure import DEFAULT_CONVENTION
from aabench.verify.verdict import Judgement, Verdict

FIXED = ("parameters", "buffers", "gradients", "optimizer")
"""Kinds of memory that belong to the weights. The growth of the others is judged: what an image brings with it."""

LEAST = 3
"""Sides that a fitted exponent needs."""


def judge_growth(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Verdict:
    """Judge that a cost grows slower than the baseline's, by counts and predictions, which are exact.

    Both costs' ratio is looked at from each side of the sweep to the next. Verified: it never rises, and the difference
    of the exponents fitted over all sides lies below 0 with its whole interval. Consistent: the last step at which they
    differ is slower. Contradicted: it is faster, or there is none. Underpowered while sides are missing.
    """
    ways = curves(claim, sweep, rows, _NUMBERS[claim.metric])
    found = next((of for of in ways if fits(of.way, sweep) and len(of.sides) >= LEAST), None)
    if found is None:
        return not_predicted(claim, sweep, rows)
    difference = fitted_exponent(found.sides, [a / b for a, b in zip(found.ours, found.theirs, strict=True)])
    status = _status(_steps(found), difference)
    reason = _reason(found, claim, difference)
    missing = incomplete(found, claim, sweep, rows)
    return Verdict(
        claim=claim,
        status=status if missing is None else "underpowered",
        reason=reason if missing is None else f"{reason}; {missing}",
        measured=difference.value,
        unit="exponent",
        convention=_CONVENTIONS[claim.metric],
        interval=difference.interval,
        n=len(found.sides),
        n_of="sides",
        rows=found.ids,
    )


def _growing_memory(row: Measurement) -> int | None:
    memory = row.get("memory", "predicted_live")
    kinds: dict[str, int] | None = row.detail.get("predicted_memory")
    if memory is None or memory.value is None or kinds is None:
        return None
    return sum(size for kind, size in kinds.items() if kind not in FIXED)


def _flops(row: Measurement) -> float | int | None:
    value = row.get("flops", DEFAULT_CONVENTION)
    return None if value is None else value.value


_NUMBERS: dict[str, Number] = {"memory": _growing_memory, "flops": _flops}
_CONVENTIONS = {"memory": "predicted_live without the weights", "flops": DEFAULT_CONVENTION}


def _steps(of: Curves) -> list[str]:
    """From each side to the next, whether the task grows ``slower``, ``equally`` or ``faster``, exactly."""
    points = zip(of.ours, of.theirs, strict=True)
    crosswise = [(ours * first, theirs * own) for (own, first), (ours, theirs) in pairwise(points)]
    return ["slower" if a < b else "faster" if a > b else "equally" for a, b in crosswise]


def _status(steps: Sequence[str], difference: LocalExponent) -> Judgement:
    changes = [step for step in steps if step != "equally"]
    if not changes or changes[-1] == "faster":
        return "contradicted"
    certain = difference.interval is not None and difference.interval[1] < 0
    return "verified" if "faster" not in changes and certain else "consistent"


def _reason(of: Curves, claim: Claim, difference: LocalExponent) -> str:
    ours, theirs = (fitted_exponent(of.sides, values) for values in (of.ours, of.theirs))
    last = [local_exponents(of.sides, values)[-1].value for values in (of.ours, of.theirs)]
    low, high = difference.interval or (difference.value, difference.value)
    how = f"without the weights' share; {predicted_in(of.way)}" if claim.metric == "memory" else "counted"
    return (
        f"grows {_runs(of)}; exponent {_show(ours)} against {_show(theirs)} of {claim.baseline}, "
        f"{difference.value:+.2f} [{low:+.2f}, {high:+.2f}]; "
        f"in the last step {last[0]:.2f} against {last[1]:.2f} ({how})"
    )


def _runs(of: Curves) -> str:
    """``slower from 128 to 512, faster from 32 to 128``: the largest sides first."""
    steps = list(zip(_steps(of), pairwise(of.sides), strict=True))
    runs = [(word, [ends for _, ends in group]) for word, group in groupby(steps, key=lambda step: step[0])]
    return ", ".join(f"{word} from {ends[0][0]} to {ends[-1][1]}" for word, ends in reversed(runs))


def _show(exponent: LocalExponent) -> str:
    low, high = exponent.interval or (exponent.value, exponent.value)
    return f"{exponent.value:.2f} ± {(high - low) / 2:.2f}"
