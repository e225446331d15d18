"""The interval of a median, whatever the distribution. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, floor, sqrt


def median_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """Two of the samples that hold the median between them with at least 95 %, whatever its distribution.

    The number of samples below the median is binomial (n, 1/2); from 100 samples on, by its normal approximation.
    None for fewer than 6 samples: there are no such two.
    """
    n = len(samples)
    if n < 6:
        return None
    if n >= 100:
        outside = floor((n - 1.96 * sqrt(n)) / 2)
    else:
        outside, tail = 0, 1
        while (tail + comb(n, outside + 1)) / 2**n <= 0.025:
            outside += 1
            tail += comb(n, outside)
    ordered = sorted(samples)
    return ordered[outside], ordered[n - 1 - outside]
