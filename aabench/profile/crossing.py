"""Where two growth laws cross: from which side on the one that cost more costs less. Mathematics alone, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import optimize

from aabench.errors import AABenchError
from aabench.profile.scaling import EXACT, HIGHEST, LEVEL, Law, Numbers

BEYOND = 4.0
"""How far beyond the fitted sides a crossing is looked for, as a factor of the largest of them (ours)."""

_GRID, _DRAWS, _HALVINGS = 513, 1000, 40


@dataclass(frozen=True)
class Crossing:
    """The first side, going up, from which on the other one of two laws costs less."""

    side: float | None = None
    low: float | None = None
    """95 % interval of the side; None where it has no end inside the sides looked at."""
    high: float | None = None
    extrapolated: bool = False
    """Whether it lies beyond the fitted sides."""
    reason: str | None = None
    """Why there is none."""


def crossing(
    first: Law,
    second: Law,
    *,
    names: tuple[str, str] = ("the first", "the second"),
    beyond: float = BEYOND,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Crossing:
    """Where two laws cross, within the sides that both were fitted to or up to ``beyond`` times the largest of them.

    Not below the smallest: networks have a least side. The interval is that of the first change of order over seeded
    draws of both laws' coefficients, from Student's distribution with each fit's covariance.

    Returns:
        A crossing without a side but with a reason if a law does not hold, the sides do not overlap, a law is not above
        0 over them, the laws are equal, the order does not change, or the interval has no end on either side.

    Raises:
        AABenchError: ``beyond`` below 1.
    """
    if not beyond >= 1:
        raise AABenchError(f"a crossing is looked for up to 1 or more times the largest side, got {beyond}")
    for name, law in zip(names, (first, second), strict=True):
        if not law.holds:
            return Crossing(reason=f"the law of {name} does not hold: {law.reason}")
    low, high = max(first.sides[0], second.sides[0]), min(first.sides[1], second.sides[1])
    if low >= high:
        return Crossing(reason="they were fitted to sides that do not overlap")
    grid = np.geomspace(low, beyond * high, _GRID)
    positive = (first.curve(grid) > 0) & (second.curve(grid) > 0)
    if not positive.all():
        end = int(np.argmin(positive))
        if end == 0 or grid[end] <= high:
            return Crossing(reason=f"a law is not above 0 at side {grid[end]:.0f}")
        grid = grid[:end]
    return _change_of_order(first, second, grid, high, draws, seed)


def _change_of_order(first: Law, second: Law, grid: Numbers, fitted_to: float, draws: int, seed: int) -> Crossing:
    difference = first.curve(grid) - second.curve(grid)
    orders = np.where(np.abs(difference) > EXACT * second.curve(grid), np.sign(difference), 0)
    ordered = np.flatnonzero(orders)
    if not len(ordered):
        return Crossing(reason="the laws are equal")
    changed = np.flatnonzero(orders == -orders[ordered[0]])
    if not len(changed):
        return Crossing(reason=f"they do not cross between sides {grid[0]:g} and {grid[-1]:.0f}")
    after = changed[0]
    before = ordered[ordered < after][-1]
    side = float(optimize.brentq(lambda s: first.at(s) - second.at(s), grid[before], grid[after]))
    draw = np.random.default_rng(seed)
    drawn = _drawn(first, draw, draws) - _drawn(second, draw, draws)
    sides = _first_sides(drawn * orders[after], grid)
    low, high = np.quantile(sides, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    if low == 0 and high == np.inf:
        return Crossing(reason=f"the laws cross at {side:.0f}, but so loosely that it may be anywhere, or nowhere")
    return Crossing(
        side, float(low) if low > 0 else None, float(high) if high < np.inf else None, extrapolated=side > fitted_to
    )


def _drawn(law: Law, draw: np.random.Generator, draws: int) -> Numbers:
    """Drawn coefficients of s^0, s^1 ... s^HIGHEST, (draws, HIGHEST + 1)."""
    normal = draw.standard_normal((draws, len(law.exponents)))
    student = normal * np.sqrt(law.freedom / draw.chisquare(law.freedom, (draws, 1)))
    drawn = np.zeros((draws, HIGHEST + 1))
    drawn[:, law.exponents] = np.array([c.value for c in law.coefficients]) + student @ law.factor.T
    return drawn


def _first_sides(differences: Numbers, grid: Numbers) -> Numbers:
    """Where each polynomial of (draws, HIGHEST + 1) is first above 0: 0 if from the start on, infinity if nowhere."""
    terms = HIGHEST + 1
    above = differences @ np.vander(grid, terms, increasing=True).T > 0
    at = np.argmax(above, axis=1)
    low, high = grid[np.maximum(at - 1, 0)], grid[at]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_above = (differences * np.vander(middle, terms, increasing=True)).sum(axis=1) > 0
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    return np.where(above.any(axis=1), np.where(at == 0, 0.0, high), np.inf)


def changes_of_order(
    sides: Sequence[float], first: Sequence[float], second: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """The neighbouring sides between which the cheaper of two becomes the dearer, by their points alone."""
    ordered = [(side, np.sign(a - b)) for side, a, b in zip(sides, first, second, strict=True) if a != b]
    return tuple((s1, s2) for (s1, o1), (s2, o2) in pairwise(ordered) if o1 != o2)
