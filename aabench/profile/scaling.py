"""Growth laws: y = sum of c_e s^e over a few exponents e, with what is known of the coefficients. Mathematics alone.

Errors are taken as relative: costs span four decades over a sweep, and a fit of absolute ones would see the largest
point only. So is the noise of a timing. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aabench.errors import AABenchError

EXPONENTS = (0, 2, 4)
"""What does not grow, what grows with the pixels, and what with the pairs of them."""
HIGHEST = 4
"""The highest exponent that a cost here has."""
EXACT = 1e-9
"""Largest relative residual at which a law of exact counts holds: they are integers, only rounding is left (ours)."""
NOISY = 0.10
"""The same for times and for peaks of memory (ours)."""
LEVEL = 0.95
"""Confidence level of every interval."""

_ROUNDING = 1e-12
"""Relative error that the arithmetic itself leaves: no interval is narrower than this makes it."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficient:
    """c_e with its 95 % Student interval, in units of y per pixel^e."""

    exponent: int
    value: float
    low: float
    high: float

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    @property
    def half_width(self) -> float:
        """Of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Law:
    """What a fit found. Without coefficients where it could not be made; ``reason`` says why."""

    exponents: tuple[int, ...]
    sides: tuple[float, float]
    """The smallest and the largest side that it was fitted to, in pixels."""
    points: int
    coefficients: tuple[Coefficient, ...] = ()
    residual: float | None = None
    """The largest |y - law| / y."""
    reason: str | None = None
    """Why the law does not hold, in one line; None if it does."""
    factor: Numbers = field(default_factory=lambda: np.zeros((0, 0)), repr=False, compare=False)
    """F with F F^T the covariance of the coefficients."""

    @property
    def holds(self) -> bool:
        """Whether the points follow it."""
        return self.reason is None

    @property
    def freedom(self) -> int:
        """Degrees of freedom: points above the number of terms."""
        return self.points - len(self.exponents)

    def at(self, side: float) -> float:
        """The law's value at a side in pixels.

        Raises:
            AABenchError: it has no coefficients.
        """
        return float(self.curve(np.array([float(side)]))[0])

    def curve(self, sides: Numbers) -> Numbers:
        """The law's values at sides of shape (n,), as :meth:`at`."""
        if not self.coefficients:
            raise AABenchError(f"there is no law to evaluate: {self.reason}")
        return np.asarray(_powers(sides, self.exponents) @ np.array([c.value for c in self.coefficients]))


def fit(
    sides: Sequence[float], values: Sequence[float], exponents: Sequence[int] = EXPONENTS, *, tolerance: float = NOISY
) -> Law:
    """Weighted least squares, weights 1 / y^2, with Student's intervals of the coefficients.

    Args:
        sides: in pixels.
        values: the cost at each side, in any unit.
        exponents: of the law's terms.
        tolerance: the largest relative residual with which the law holds: EXACT or NOISY.

    Returns:
        A law that says whether it holds. It does not with fewer points than one above the number of terms, a value
        that is not above 0, a residual above the tolerance, or a coefficient whose whole interval is below 0 and that
        takes more than the tolerance off a value (less than that the law's shape may be wrong by anyway).

    Raises:
        AABenchError: sides that are not above 0, not one value a side, exponents that repeat or are not from 0 to 4.
    """
    _check(sides, values, exponents)
    terms = tuple(exponents)
    law = Law(terms, (min(sides, default=0.0), max(sides, default=0.0)), len(sides))
    if (distinct := len(set(sides))) <= len(terms):
        needed = f"at least {len(terms) + 1} are needed"
        return _without(law, f"{_count(distinct, 'side')} for {_count(len(terms), 'term')}: {needed}")
    bad = next(((side, y) for side, y in zip(sides, values, strict=True) if not 0 < y < np.inf), None)
    if bad is not None:
        return _without(law, f"a relative error needs a value above 0, and side {bad[0]:g} has {bad[1]:g}")
    s, y = np.asarray(sides, float), np.asarray(values, float)
    scale = law.sides[1] ** np.array(terms, float)
    found, factor, residuals = _least_squares(_powers(s / law.sides[1], terms) / y[:, None])
    half = stats.t.ppf((1 + LEVEL) / 2, law.freedom) * np.sqrt((factor**2).sum(axis=1))
    coefficients = tuple(
        Coefficient(e, float(c), float(c - h), float(c + h))
        for e, c, h in zip(terms, found / scale, half / scale, strict=True)
    )
    worst = int(np.argmax(np.abs(residuals)))
    residual = abs(float(residuals[worst]))
    reason = _off(residual, s[worst], tolerance) or _shrinking(coefficients, s, y, tolerance)
    return Law(terms, law.sides, law.points, coefficients, residual, reason, factor / scale[:, None])


def _check(sides: Sequence[float], values: Sequence[float], exponents: Sequence[int]) -> None:
    if len(sides) != len(values):
        raise AABenchError(f"one value a side is expected, got {len(sides)} sides and {len(values)} values")
    if not all(0 < side < np.inf for side in sides):
        raise AABenchError(f"sides are pixels above 0, got {', '.join(f'{side:g}' for side in sides)}")
    if not exponents or len(set(exponents)) < len(exponents) or not set(exponents) <= set(range(HIGHEST + 1)):
        raise AABenchError(f"exponents are different whole numbers from 0 to {HIGHEST}, got {tuple(exponents)}")


def _without(law: Law, reason: str) -> Law:
    return Law(law.exponents, law.sides, law.points, reason=reason)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _powers(sides: Numbers, exponents: Sequence[int]) -> Numbers:
    """s^e: sides (n,) and k exponents -> (n, k)."""
    return np.asarray(sides[:, None] ** np.array(exponents, float))


def _least_squares(design: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Coefficients (k,), the factor of their covariance (k, k) and residuals (n,) of design (n, k) c = 1.

    By QR with columns of length 1: sides over the largest of them, and this, keep exact counts exact to 1e-9.
    """
    norms = np.sqrt((design**2).sum(axis=0))
    q, r = np.linalg.qr(design / norms)
    ones = np.ones(len(design))
    found = np.linalg.solve(r, q.T @ ones) / norms
    residuals = ones - design @ found
    deviation = np.sqrt((residuals**2).sum() / (len(design) - design.shape[1]))
    return found, np.linalg.inv(r) / norms[:, None] * max(deviation, _ROUNDING), residuals


def _off(residual: float, side: float, tolerance: float) -> str | None:
    if residual <= tolerance:
        return None
    return f"off by {_share(residual)} at side {side:g}, more than {_share(tolerance)}"


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-4 else f"{share:.1g} of it"


def _shrinking(coefficients: Sequence[Coefficient], s: Numbers, y: Numbers, tolerance: float) -> str | None:
    for c in coefficients:
        if c.high < 0 and float(np.max(-c.value * s**c.exponent / y)) > tolerance:
            return f"the coefficient of s^{c.exponent} is below 0 ({c.value:.3g} ± {c.half_width:.2g}): no cost shrinks"
    return None


@dataclass(frozen=True)
class LocalExponent:
    """d log y / d log s between two sides; the interval is None where a point has none."""

    sides: tuple[float, float]
    value: float
    interval: tuple[float, float] | None = None


def local_exponents(
    sides: Sequence[float],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float] | None] | None = None,
) -> tuple[LocalExponent, ...]:
    """The exponents from each side to the next one.

    The interval takes the points' own for independent: half-widths of the logarithms add in squares.

    Args:
        sides: ascending, in pixels.
        values: above 0.
        intervals: of the values, (low, high) with the same confidence.

    Raises:
        AABenchError: sides that do not ascend from above 0, or a value that is not above 0.
    """
    if list(sides) != sorted(set(sides)) or len(sides) != len(values) or min((*sides, *values), default=1) <= 0:
        raise AABenchError("a local exponent needs ascending sides with a value above 0 each")
    points = list(zip(sides, values, intervals or [None] * len(sides), strict=True))
    return tuple(_local(*first, *second) for first, second in pairwise(points))


def fitted_exponent(sides: Sequence[float], values: Sequence[float]) -> LocalExponent:
    """The slope of the line through log y over log s, by least squares, with its 95 % Student interval.

    A cost is a sum of powers, and its local exponent changes with the side: of exact counts, the interval says how far
    they are from a single power. The exponent of a ratio is the difference of the two exponents, paired side by side.

    Args:
        sides: at least 3, ascending, in pixels.
        values: above 0.

    Raises:
        AABenchError: fewer sides, or what :func:`local_exponents` refuses.
    """
    if len(sides) < 3:
        raise AABenchError(f"a fitted exponent with an interval needs at least 3 sides, got {len(sides)}")
    local_exponents(sides, values)
    s, y = np.log(np.asarray(sides, float)), np.log(np.asarray(values, float))
    s -= s.mean()
    slope = float(s @ y / (s @ s))
    residuals = y - y.mean() - slope * s
    error = float(np.sqrt((residuals @ residuals) / (len(s) - 2) / (s @ s)))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(s) - 2)) * error
    return LocalExponent((float(sides[0]), float(sides[-1])), slope, (slope - half, slope + half))


Interval = tuple[float, float] | None


def _local(s1: float, y1: float, i1: Interval, s2: float, y2: float, i2: Interval) -> LocalExponent:
    run = np.log(s2 / s1)
    exponent = float(np.log(y2 / y1) / run)
    if i1 is None or i2 is None:
        return LocalExponent((s1, s2), exponent)
    half = float(np.hypot(*(np.log(high / low) / 2 for low, high in (i1, i2))) / run)
    return LocalExponent((s1, s2), exponent, (exponent - half, exponent + half))
