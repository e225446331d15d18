"""Statistics of networks that were trained with the same seeds: pure functions over numbers. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from aabench.verify.statistics import ALPHA, LEVEL, POWER, Interval, student, wilson

MOST_SEEDS = 10_000
"""Where more would be needed, nobody will run them."""


def best_of(differences: Sequence[Sequence[float]]) -> Interval | None:
    """The best of k networks over a baseline, from each one's differences over the same seeds (k sequences).

    Each network's mean difference gets a Student interval of level 1 - 0.05 / k (Bonferroni), so that all k hold
    together in 95 % of cases; then the greatest of the true differences lies between the greatest of their lower ends
    and the greatest of their upper ends. So it costs width, and no seeds, that the best is chosen by the very runs that
    judge it. The estimate, the greatest mean, is biased upwards by that choice; the interval allows for it.

    Returns:
        None where one of the networks has less than two differences, or all its differences are equal.
    """
    if any(len(set(own)) < 2 for own in differences):
        return None
    level = 1 - (1 - LEVEL) / len(differences)
    intervals = [student(own, level) for own in differences]
    return Interval(
        max(own.estimate for own in intervals), max(own.low for own in intervals), max(own.high for own in intervals)
    )


def log_spreads(ours: Sequence[Sequence[float]], theirs: Sequence[float]) -> list[float] | None:
    """How much more our k networks spread over n seeds than theirs does: a pseudo-value a seed, whose mean is the log
    of the ratio of standard deviations, averaged over our networks.

    The jackknife of log variances (Miller, Ann. Math. Stat. 39 (1968) 567): :func:`student` of them is its interval.
    It leaves out a seed at a time from all networks together, so that what they share of a seed is accounted for. It is
    approximate: of normal values without a difference, it missed 0 in 3 to 7 % of 1,500 trials with 3, 5 and 10 seeds.

    Args:
        ours: (k, n), a row a network.
        theirs: (n,), of the same seeds.

    Returns:
        None with less than three seeds, or where a network has no spread (without some seed).
    """
    values = np.array([*ours, theirs], dtype=np.float64)
    seeds = values.shape[1]
    if seeds < 3:
        return None
    parts = [values, *(np.delete(values, seed, axis=1) for seed in range(seeds))]
    if any(np.ptp(part, axis=1).min() == 0 for part in parts):
        return None
    whole, *without = [_log_ratio(part) for part in parts]
    return [seeds * whole - (seeds - 1) * one for one in without]


def _log_ratio(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    logs = np.log(values.std(axis=1, ddof=1))
    return float(logs[:-1].mean() - logs[-1])


def newcombe(ours: int, our_runs: int, theirs: int, their_runs: int) -> Interval:
    """Interval of a difference of two shares of runs (Newcombe, Statistics in Medicine 17 (1998) 873, method 10).

    It joins the Wilson intervals of both, and stands with 0 of n too. Runs count as independent.
    """
    own, base = wilson(ours, our_runs), wilson(theirs, their_runs)
    difference = own.estimate - base.estimate
    below = math.hypot(own.estimate - own.low, base.high - base.estimate)
    above = math.hypot(own.high - own.estimate, base.estimate - base.low)
    return Interval(difference, difference - below, difference + above)


def pairs_needed(differences: Sequence[float], alpha: float = ALPHA) -> int | None:
    """How many seeds decide, if mean and deviation of the differences stay as they are: a two-sided paired t test
    at ``alpha`` finds them with power ``POWER`` (noncentral t: Cohen, Statistical Power Analysis, 1988, chapter 2).

    Returns:
        None if they do not say (less than two, or no spread), or it takes more than ``MOST_SEEDS``.
    """
    if len(set(differences)) < 2:
        return None
    effect = abs(float(np.mean(differences))) / float(np.std(differences, ddof=1))
    low, high = 1, MOST_SEEDS
    if _power(effect, high, alpha) < POWER:
        return None
    while high - low > 1:  # power grows with the number of pairs
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, alpha) >= POWER else (middle, high)
    return high


def _power(effect: float, pairs: int, alpha: float) -> float:
    critical = float(stats.t.ppf(1 - alpha / 2, pairs - 1))
    return float(stats.nct.sf(critical, pairs - 1, effect * math.sqrt(pairs)))


def seeds_for_shares(ours: int, our_runs: int, theirs: int, their_runs: int, seeds: int) -> int | None:
    """How many seeds :func:`newcombe` takes to leave 0 out, if both shares stay as they are.

    Returns:
        None for equal shares, or if it takes more than ``MOST_SEEDS``.
    """
    if ours * their_runs == theirs * our_runs:
        return None
    for times in range(1, MOST_SEEDS // seeds + 1):
        found = newcombe(times * ours, times * our_runs, times * theirs, times * their_runs)
        if found.low > 0 or found.high < 0:
            return times * seeds
    return None
