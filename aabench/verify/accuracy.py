"""Verdicts on accuracy: absolute values, differences to another task, and their sign."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from aabench.catalog import Catalog, Claim, Task
from aabench.catalog.schema import AVERAGE_PRECISIONS
from aabench.record import Level, Measurement
from aabench.verify.effect import claimed_effect, plan_seeds
from aabench.verify.estimate import Estimate, estimate_accuracy, estimate_difference
from aabench.verify.evidence import Evidence, Run, accuracy_runs, evidence
from aabench.verify.place import place_value
from aabench.verify.statistics import Interval
from aabench.verify.unjudged import not_measured
from aabench.verify.verdict import Judgement, Verdict

MARGIN = 0.3
"""Points by which a measured accuracy may miss the printed one and still verify it, with its whole interval.

Ours: no paper states a tolerance. It is about the deviation between seeds of one recipe, and below the effects claimed.
"""

LEVELS: tuple[Level, ...] = ("eval", "train")

OTHER_PAIRS = "the claim is of the best of pairs that the sheet does not name, and this one may not be among them"
"""Why a gain off an "up to" contradicts nothing, and no seed would change that."""


def judge_accuracy(claim: Claim, rows: Sequence[Measurement], catalog: Catalog) -> Verdict:
    """Judge a claim on top-1, top-5 or an AP by the training runs in the log, or by the evaluation where none is there.

    A claim of the best epoch is judged by that of each training; the last epoch's value stands in the reason.
    """
    groups = []
    for task in filter(None, (claim.task, claim.baseline)):
        found = evidence(task, LEVELS, rows)
        groups.append(accuracy_runs(claim, found))
        if not groups[-1]:
            return _without_runs(claim, found, catalog.tasks[task])
    if claim.baseline is None:
        estimate = estimate_accuracy(groups[0], share_of_images=claim.metric not in AVERAGE_PRECISIONS)
    else:
        estimate = estimate_difference(*groups)
    status, why = _place(claim, estimate, catalog)
    if status == "underpowered":
        plan = plan_seeds(claim, catalog, rows)
        why += f"; {plan}" if plan else ""
    elif status == "contradicted" and claim.up_to:
        status, why = "underpowered", f"does not hold {claim.value}; {OTHER_PAIRS}"
    return Verdict(
        claim=claim,
        status=status,
        reason=f"{_show(claim, estimate)} {why}{_last_epoch(claim, groups)}{evidence(claim.task, LEVELS, rows).aside}",
        measured=estimate.value,
        unit=_unit(claim),
        convention=estimate.convention,
        interval=(estimate.interval.low, estimate.interval.high) if estimate.interval else None,
        n=estimate.n,
        n_of=estimate.n_of,
        rows=tuple(run.row.id for run in estimate.runs),
    )


def _without_runs(claim: Claim, found: Evidence, task: Task) -> Verdict:
    needs = "" if task.backbone is None or task.calibration else " --backbone FILE"
    return not_measured(claim, found, "eval" if task.calibration else "train", needs)


def _place(claim: Claim, estimate: Estimate, catalog: Catalog) -> tuple[Judgement, str]:
    """Where the estimate lies to the claim: (status, why)."""
    if estimate.interval is None:
        return "underpowered", "decides nothing"
    if claim.value is None:
        return _place_sign(estimate.interval)
    decided = place_value(claim.value, estimate.interval, MARGIN)
    effect = claimed_effect(claim, catalog)
    width = estimate.interval.width
    if decided[0] != "contradicted" and effect is not None and width > effect.points:
        over = f"the claimed effect over {effect.baseline}"
        return "underpowered", f"is {width:.2f} points wide, and {over} is {effect.points:g}"
    return decided


def _place_sign(interval: Interval) -> tuple[Judgement, str]:
    if interval.low > 0:
        return "verified", "lies above 0"
    return ("contradicted", "lies below 0") if interval.high < 0 else ("underpowered", "holds 0")


def _last_epoch(claim: Claim, groups: Sequence[Sequence[Run]]) -> str:
    """What the same trainings show in their last epoch, beside the best one that is judged; else nothing."""
    trained = all(run.row.level == "train" for runs in groups for run in runs)
    if not claim.of_best_epoch or not trained:
        return ""
    means = [fmean(run.row.number(claim.metric, "last") for run in runs) for runs in groups]
    shown = f"{means[0]:.2f} %" if claim.baseline is None else f"{means[0] - means[1]:+.2f} points"
    return f"; last epoch {shown}"


def _unit(claim: Claim) -> str:
    return "%" if claim.baseline is None else "points"


def _show(claim: Claim, estimate: Estimate) -> str:
    sign, over = ("", "") if claim.baseline is None else ("+", f" over {claim.baseline}")
    bounds = estimate.interval
    shown = f" [{bounds.low:{sign}.2f}, {bounds.high:{sign}.2f}]" if bounds else ""
    return f"{estimate.value:{sign}.2f} {_unit(claim)}{shown}{over} ({estimate.how})"
