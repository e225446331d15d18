"""Where a measured interval lies to a printed number."""

from __future__ import annotations

from aabench.catalog.schema import Quantity
from aabench.verify.statistics import Interval
from aabench.verify.verdict import Judgement


def place_value(claimed: Quantity, interval: Interval, margin: float) -> tuple[Judgement, str]:
    """Verified within ``margin`` points of what prints like the claim, consistent if the two meet: (status, why).

    Of the values that print like it, [low, high), the upper end is none.
    """
    low, high = claimed.interval
    if low - margin <= interval.low and interval.high <= high + margin:
        return "verified", f"lies within {margin:g} points of {claimed}"
    if interval.low < high and low <= interval.high:
        return "consistent", f"holds {claimed}, and reaches more than {margin:g} points beyond it"
    return "contradicted", f"does not hold {claimed}"
