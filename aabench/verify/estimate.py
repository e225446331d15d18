"""From runs to one estimate with its interval: an accuracy, or the difference of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aabench.verify.evidence import Run, correct_mask
from aabench.verify.statistics import Interval, matched_difference, mcnemar, student, welch, wilson


@dataclass(frozen=True)
class Estimate:
    """An accuracy in percent or a difference in points, as the runs give it."""

    value: float
    interval: Interval | None
    """None where the runs do not allow one."""
    how: str
    """How the interval was got, or why there is none."""
    runs: tuple[Run, ...]
    n: int
    n_of: Literal["seeds", "images"]

    @property
    def convention(self) -> str | None:
        """Which epoch the runs are judged by."""
        return self.runs[0].convention


def estimate_accuracy(runs: Sequence[Run], *, share_of_images: bool) -> Estimate:
    """One task's accuracy: over seeds where there are several, else over the images of the one run.

    Args:
        runs: at least one.
        share_of_images: whether the metric is a share of the test images, so that one run has an interval (AP is not).
    """
    if len(runs) > 1:
        interval = student([run.percent for run in runs])
        return _over_seeds(interval, f"{len(runs)} seeds, Student", runs)
    (run,) = runs
    if not share_of_images:
        return Estimate(run.percent, None, "one run has no interval", (run,), run.images, "images")
    interval = wilson(run.correct, run.images).scaled(100)
    return Estimate(run.percent, interval, f"one run, {run.images} images, Wilson", (run,), run.images, "images")


def estimate_difference(ours: Sequence[Run], theirs: Sequence[Run]) -> Estimate:
    """Ours minus theirs: over seeds where both have several, else over the images that the newest pair shares."""
    runs = (*ours, *theirs)
    if min(len(ours), len(theirs)) > 1:
        interval = welch([run.percent for run in ours], [run.percent for run in theirs])
        return _over_seeds(interval, f"{len(ours)} and {len(theirs)} seeds, Welch", runs)
    pair = ours[-1], theirs[-1]
    own, base = map(correct_mask, pair)
    if own is None or base is None or own.shape != base.shape:
        why = f"{len(ours)} and {len(theirs)} seeds, and no predictions on the same images to compare"
        return Estimate(_mean(ours) - _mean(theirs), None, why, runs, len(runs), "seeds")
    interval = matched_difference(own, base).scaled(100)
    how = f"one pair on the same {len(own)} images, McNemar p = {mcnemar(own, base):.2g}"
    return Estimate(interval.estimate, interval, how, pair, len(own), "images")


def _over_seeds(interval: Interval, how: str, runs: Sequence[Run]) -> Estimate:
    if interval.width == 0:  # a coincidence, or one run logged under two seeds: not certainty
        why = "the seeds gave the very same value, so their spread is not known"
        return Estimate(interval.estimate, None, why, tuple(runs), len(runs), "seeds")
    return Estimate(interval.estimate, interval, how, tuple(runs), len(runs), "seeds")


def _mean(runs: Sequence[Run]) -> float:
    return sum(run.percent for run in runs) / len(runs)
