"""Intervals and tests behind the verdicts: pure functions over numbers, all in scipy. Imports no torch.

Accuracies are shares in 0..1 where counts come in, and points where the caller's numbers are in points.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

LEVEL = 0.95
"""Confidence level of every interval."""
ALPHA = 0.05
POWER = 0.8
"""The usual significance level and power of a planned comparison."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval, low <= estimate <= high."""

    estimate: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low

    def scaled(self, factor: float) -> Interval:
        """The same in another unit."""
        return Interval(self.estimate * factor, self.low * factor, self.high * factor)


def wilson(successes: int, trials: int) -> Interval:
    """Score interval of a share (Wilson, J. Am. Stat. Assoc. 22 (1927) 209): one run's accuracy on a test set.

    It covers the choice of test images, not what another seed would give.
    """
    bounds = stats.binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return Interval(successes / trials, float(bounds.low), float(bounds.high))


def student(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Interval of the mean of at least two runs (Student, Biometrika 6 (1908) 1): accuracy over seeds.

    Equal values give an interval of width 0, which says nothing: the caller has to look at the width.
    """
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs at least 2 values, got {len(values)}")
    if min(values) == max(values):  # rounding would leave them a spread
        return Interval(values[0], values[0], values[0])
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def welch(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Interval of mean(ours) - mean(theirs), variances unequal (Welch, Biometrika 34 (1947) 28): two tasks over seeds.

    As in :func:`student`, no spread on either side gives an interval of width 0.
    """
    if len(ours) < 2 or len(theirs) < 2:
        raise ValueError(f"Welch's interval needs at least 2 values a side, got {len(ours)} and {len(theirs)}")
    difference = float(np.mean(ours) - np.mean(theirs))
    if min(ours) == max(ours) and min(theirs) == max(theirs):
        return Interval(difference, difference, difference)
    with warnings.catch_warnings():  # scipy warns of a side without spread; the other side's is all there is then
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        bounds = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(LEVEL)
    return Interval(difference, float(bounds.low), float(bounds.high))


def mcnemar(ours: Mask, theirs: Mask) -> float:
    """Exact two-sided p value that two models are right equally often, from (N,) masks of the images each gets right.

    McNemar, Psychometrika 12 (1947) 153, with the binomial distribution of the images that only one gets right.
    """
    _check_pair(ours, theirs)
    only_ours, only_theirs = _discordant(ours, theirs)
    if only_ours + only_theirs == 0:
        return 1.0
    return float(stats.binomtest(only_ours, only_ours + only_theirs, 0.5).pvalue)


def matched_difference(ours: Mask, theirs: Mask) -> Interval:
    """Interval of the difference of two shares on the same N images, from (N,) masks: one run of each of two models.

    Agresti and Min, Statistics in Medicine 24 (2005) 729: Wald's interval after adding half an image to each of the
    four cells (both right, only one right, none right). The estimate is the plain difference. It covers the choice of
    test images, not what other seeds would give.
    """
    _check_pair(ours, theirs)
    only_ours, only_theirs = _discordant(ours, theirs)
    plain = (only_ours - only_theirs) / len(ours)
    n, plus, minus = len(ours) + 2, only_ours + 0.5, only_theirs + 0.5
    centre = (plus - minus) / n
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * math.sqrt(plus + minus - (plus - minus) ** 2 / n) / n
    return Interval(plain, max(-1.0, centre - half), min(1.0, centre + half))


def power(delta: float, std: float, seeds: int) -> float:
    """Chance that a two-sided Welch test at ``ALPHA`` finds a true difference, with so many seeds on each side.

    The noncentral t distribution (Cohen, Statistical Power Analysis, 2nd ed., 1988, chapter 2), for equal deviations.

    Args:
        delta: the true difference, in points.
        std: standard deviation between seeds on either side, in points.
        seeds: seeds a side, at least 2.
    """
    freedom = 2 * seeds - 2
    centre = abs(delta) / (std * math.sqrt(2 / seeds))
    critical = float(stats.t.ppf(1 - ALPHA / 2, freedom))
    return float(stats.nct.sf(critical, freedom, centre) + stats.nct.cdf(-critical, freedom, centre))


def seeds_needed(delta: float, std: float) -> int:
    """The fewest seeds a side (at least 2) with which :func:`power` reaches ``POWER``."""
    if delta == 0 or std <= 0:
        raise ValueError(f"a difference ({delta}) and a deviation ({std}) above 0 are needed")
    low, high = 1, 2
    while power(delta, std, high) < POWER:
        low, high = high, 2 * high
    while high - low > 1:  # power grows with the number of seeds
        middle = (low + high) // 2
        low, high = (low, middle) if power(delta, std, middle) >= POWER else (middle, high)
    return high


def detectable_difference(std: float, seeds: int) -> float:
    """The smallest true difference, in points, that so many seeds a side find with ``POWER``."""
    upper = std
    while power(upper, std, seeds) < POWER:
        upper *= 2
    return float(optimize.brentq(lambda delta: power(delta, std, seeds) - POWER, 0, upper))


def binomial_deviation(share: float, images: int) -> float:
    """Standard deviation of an accuracy over the choice of test images, in points.

    Ours: it stands in for the deviation between seeds where no seeds were run. That is of the same order, but is no
    bound in either direction.
    """
    return 100 * math.sqrt(share * (1 - share) / images)


def _check_pair(ours: Mask, theirs: Mask) -> None:
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(f"two masks of the same images are needed, got shapes {ours.shape} and {theirs.shape}")


def _discordant(ours: Mask, theirs: Mask) -> tuple[int, int]:
    return int(np.sum(ours & ~theirs)), int(np.sum(~ours & theirs))
