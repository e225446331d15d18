"""Baseline: what a reward has to beat, a moving average of the rewards so far."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal


class Baseline:
    """An exponential moving average of the steps' mean rewards; the first one sets it.

    Args:
        decay: of the average.
        update: ``before``: it takes in a step's rewards before they are compared with it (EAN's released code);
            ``after``: afterwards, and the first step's are compared with their own mean.
    """

    def __init__(self, *, decay: float, update: Literal["before", "after"]) -> None:
        self.decay, self.update = decay, update
        self.value: float | None = None

    def advantages(self, rewards: Sequence[float]) -> list[float]:
        """By how much a step's rewards beat it. Takes them in."""
        mean = fmean(rewards)
        old = mean if self.value is None else self.value
        new = mean if self.value is None else self.decay * self.value + (1 - self.decay) * mean
        self.value = new
        return [reward - (new if self.update == "before" else old) for reward in rewards]
