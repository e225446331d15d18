"""Faster or slower: what times taken in turns say. Pure functions over numbers, no torch.

Two questions, both of which must be answered for an alarm. Is there a difference at all? A rank test over the rounds
(Wilcoxon, Biometrics Bulletin 1 (1945) 80), which heavy tails do not mislead. Is it one of the code, and large enough?
A process keeps for its life an offset of about a percent, from where its memory came to lie: the rounds of one pair of
processes share it, and a test over them alone cries wolf (Kalibera and Jones, ISMM 2013: repeat at the level that
varies). So the interval is over fresh pairs: Student's, of the medians of the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from scipy import stats

from aabench.verify.statistics import Interval, student

ALPHA = 0.01
"""Of the rank test, on each side."""
LEAST_EFFECT = 0.02
"""The least change worth an alarm; the interval must lie beyond it. Ours. Below it, what is no property of the code can
be the whole difference, and all pairs share it: the length of a path or of the environment moves the stack, the order
of linking moves the code (Mytkowicz et al., ASPLOS 2009)."""
LEAST_PAIRS = 3
"""Fewer pairs have an interval that no real change gets out of."""

TimeJudgement = Literal["regression", "improvement", "no difference shown"]


@dataclass(frozen=True)
class Timing:
    """What rounds in turns showed.

    Attributes:
        judgement: an alarm on either side, or neither.
        change: time of HEAD relative to BASE, 0.1 for a tenth slower: the mean over the pairs, with its 95 % interval.
        p: of the rank test, one-sided, on the side of the change.
        pairs: of processes.
        rounds: of all pairs together.
    """

    judgement: TimeJudgement
    change: Interval
    p: float
    pairs: int
    rounds: int

    def __str__(self) -> str:
        low, high = 100 * self.change.low, 100 * self.change.high
        text = f"{100 * self.change.estimate:+.1f} % (95 % interval {low:+.1f} to {high:+.1f} %, p {self.p:.2g}, "
        return f"{text}{self.rounds} rounds in {self.pairs} pairs of processes)"


def judge_times(pairs: Sequence[Sequence[float]]) -> Timing:
    """Judge log ratios, HEAD's time over BASE's: one sequence a pair of processes, one number a round.

    Raises:
        ValueError: fewer than three pairs, or a pair without rounds.
    """
    if len(pairs) < LEAST_PAIRS or not all(pairs):
        raise ValueError(f"at least {LEAST_PAIRS} pairs with rounds are needed, got {[len(pair) for pair in pairs]}")
    effect = student([median(pair) for pair in pairs])
    rounds = [ratio for pair in pairs for ratio in pair]
    slower = effect.estimate > 0
    p = _rank_test(rounds, "greater" if slower else "less")
    beyond = (effect.low if slower else -effect.high) > math.log1p(LEAST_EFFECT)
    judgement: TimeJudgement = "no difference shown"
    if p < ALPHA and beyond:
        judgement = "regression" if slower else "improvement"
    change = Interval(*(math.expm1(value) for value in (effect.estimate, effect.low, effect.high)))
    return Timing(judgement, change, p, len(pairs), len(rounds))


def precise(pairs: Sequence[Sequence[float]]) -> bool:
    """Whether the interval over the pairs is narrow enough to tell: to either side no more than the least effect.

    Pairs may be added until it is. Where the change is small, what stops is then the width alone and not what the
    interval says, so that looking again and again does not find what is not there. Of a large change a quarter is
    narrow enough: four times slower need not be known to a percent.
    """
    effect = student([median(pair) for pair in pairs])
    return effect.width <= 2 * max(math.log1p(LEAST_EFFECT), abs(effect.estimate) / 4)


def _rank_test(ratios: Sequence[float], alternative: Literal["greater", "less"]) -> float:
    if not any(ratios):  # all equal: the test has nothing to rank
        return 1.0
    return float(stats.wilcoxon(ratios, zero_method="zsplit", alternative=alternative).pvalue)
