"""Local exponents of the counts: how fast they grow from one side to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from aabench.compare.points import Key, Point

OF = ("macs/model", "memory/predicted_live")
"""Metrics whose growth is compared."""
DIGITS = 6
"""Decimals that are compared: what is beyond is the logarithm's rounding."""


def curves(keys: Sequence[Key]) -> Iterator[list[Key]]:
    """Keys that differ in the side alone, ascending by it, where there are two or more."""
    grouped: dict[Key, list[Key]] = {}
    for key in keys:
        if key.side is not None:
            grouped.setdefault(key._replace(side=None), []).append(key)
    for curve in grouped.values():
        if len(curve) > 1:
            yield sorted(curve, key=lambda key: key.side or 0)


def exponents(points: Mapping[Key, Point], curve: Sequence[Key], label: str) -> dict[tuple[int, int], float]:
    """(side, next side) -> log(y2 / y1) / log(s2 / s1), where both numbers are there and above 0."""
    found = {}
    for first, second in pairwise(curve):
        low, high = (_number(points[key], label) for key in (first, second))
        if low and high and first.side and second.side:
            found[first.side, second.side] = round(math.log(high / low) / math.log(second.side / first.side), DIGITS)
    return found


def _number(point: Point, label: str) -> int | float | None:
    value = point.values.get(label)
    return None if value is None else value.value
