"""Fits on curves whose coefficients are known."""

import math

import numpy as np
import pytest

from aabench.errors import AABenchError
from aabench.profile.scaling import EXACT, Law, fit, fitted_exponent, local_exponents

SIDES = (32, 64, 96, 128, 192, 224, 256, 384, 512)


def coefficients(law: Law) -> dict[int, float]:
    return {c.exponent: c.value for c in law.coefficients}


def test_whole_numbers_up_to_1e12_come_back() -> None:
    # 2,048,000 + 81,456 s^2 + 811 s^3 + 27 s^4; at 512 pixels 1,985,631,698,944
    values = [2_048_000 + 81_456 * s**2 + 811 * s**3 + 27 * s**4 for s in SIDES]
    assert values[-1] == 1_985_631_698_944
    law = fit(SIDES, values, (0, 2, 3, 4), tolerance=EXACT)
    assert law.holds
    assert coefficients(law) == pytest.approx({0: 2_048_000, 2: 81_456, 3: 811, 4: 27}, rel=1e-9)
    assert (law.points, law.freedom, law.sides) == (9, 5, (32, 512))
    assert all(c.distinguishable for c in law.coefficients)
    assert law.at(1024) == pytest.approx(2_048_000 + 81_456 * 2**20 + 811 * 2**30 + 27 * 2**40, rel=1e-9)


def test_a_term_that_is_not_there_is_not_distinguishable_from_0() -> None:
    law = fit(SIDES, [5_000 + 7 * s**2 for s in SIDES], (0, 2, 3, 4), tolerance=EXACT)
    assert law.holds
    assert [c.exponent for c in law.coefficients if c.distinguishable] == [0, 2]
    absent = law.coefficients[-1]
    assert absent.low < 0 < absent.high
    assert absent.half_width < 1e-9 * 7


def test_the_intervals_of_noisy_curves_hold_the_truth_in_about_95_of_100() -> None:
    truth = {0: 8.0, 2: 1e-3, 4: 4e-9}  # 8 + 262 + 275 at 512
    exact = np.array([sum(c * s**e for e, c in truth.items()) for s in SIDES])
    hits = dict.fromkeys(truth, 0)
    for seed in range(400):
        noise = np.random.default_rng(seed).normal(0, 0.03, len(SIDES))
        for c in fit(SIDES, list(exact * (1 + noise))).coefficients:
            hits[c.exponent] += c.low <= truth[c.exponent] <= c.high
    # 380 of 400 are expected, with a deviation of 4.4
    assert all(365 <= count <= 395 for count in hits.values()), hits


def test_a_wrong_model_is_detected_by_its_residual() -> None:
    values = [10 + 0.01 * s**3 for s in SIDES]
    law = fit(SIDES, values, (0, 2))
    assert not law.holds
    assert law.reason is not None
    assert law.reason.startswith("off by ")
    assert law.reason.endswith("more than 10 %")
    assert law.residual is not None
    assert law.residual > 0.1


def test_an_exact_count_off_by_one_in_a_million_holds_as_a_time_and_not_as_a_count() -> None:
    values = [1e6 + 7 * s**2 for s in SIDES]
    values[4] *= 1 + 1e-6
    assert fit(SIDES, values, (0, 2)).holds
    law = fit(SIDES, values, (0, 2), tolerance=EXACT)
    assert law.reason is not None
    assert "at side 192, more than 1e-09 of it" in law.reason


def test_a_cost_cannot_shrink() -> None:
    law = fit(SIDES, [1e-3 * s**2 - 1e-9 * s**4 for s in SIDES], (0, 2, 4))  # at 512: 262.1 - 68.7
    assert law.reason is not None
    assert law.reason.startswith("the coefficient of s^4 is below 0 (-1e-09 ± ")


def test_a_term_that_takes_off_less_than_the_tolerance_is_within_it() -> None:
    values = [1e-3 * s**2 - 1e-10 * s**4 for s in SIDES]  # at 512: 262.1 - 6.9, 2.7 % of the rest
    law = fit(SIDES, values, (0, 2, 4))
    assert law.holds
    assert law.coefficients[-1].high < 0
    assert not fit(SIDES, values, (0, 2, 4), tolerance=0.02).holds


@pytest.mark.parametrize(("points", "reason"), [(3, "3 sides for 3 terms"), (1, "1 side for 3 terms")])
def test_too_few_points(points: int, reason: str) -> None:
    law = fit(SIDES[:points], [float(s) for s in SIDES[:points]])
    assert law.reason is not None
    assert law.reason.startswith(reason)
    assert law.coefficients == ()
    with pytest.raises(AABenchError, match="no law to evaluate"):
        law.at(64)


def test_one_side_measured_often_is_one_side() -> None:
    assert not fit([64] * 9, [1.0] * 9).holds
    assert fit([64] * 9 + [32, 128, 256], [64.0**2] * 9 + [32.0**2, 128.0**2, 256.0**2]).holds


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_value_that_no_relative_error_can_be_taken_of(value: float) -> None:
    law = fit(SIDES, [value, *(float(s) for s in SIDES[1:])])
    assert law.reason == f"a relative error needs a value above 0, and side 32 has {value:g}"


def test_wrong_calls() -> None:
    with pytest.raises(AABenchError, match="got 2 sides and 1 values"):
        fit([32, 64], [1.0])
    with pytest.raises(AABenchError, match=r"above 0, got 0, 64"):
        fit([0, 64], [1.0, 2.0])
    for exponents in ((), (2, 2), (-1, 2), (0, 5)):
        with pytest.raises(AABenchError, match="exponents"):
            fit([32, 64], [1.0, 2.0], exponents)


def test_local_exponents_of_a_power() -> None:
    found = local_exponents([32, 64, 256], [5.0, 40.0, 40.0 * 4**2])
    assert [e.sides for e in found] == [(32, 64), (64, 256)]
    assert [e.value for e in found] == pytest.approx([3, 2])
    assert found[0].interval is None


def test_the_interval_of_a_local_exponent() -> None:
    # Both known to a factor of 2^0.1: log2 off by hypot(0.1, 0.1) = 0.1414 over one octave, half of it over two.
    factor = 2**0.1
    points = (
        [32, 64, 256],
        [1.0, 4.0, 64.0],
        [(1 / factor, factor), (4 / factor, 4 * factor), (64 / factor, 64 * factor)],
    )
    first, second = local_exponents(*points)
    assert first.interval == pytest.approx((2 - 0.1414, 2 + 0.1414), abs=1e-4)
    assert second.interval == pytest.approx((2 - 0.0707, 2 + 0.0707), abs=1e-4)
    assert local_exponents([32, 64], [1.0, 4.0], [(0.9, 1.1), None])[0].interval is None


def test_a_fitted_exponent_by_hand() -> None:
    # log2 y is 2, 4, 5 at log2 s = 5, 6, 7: slope 3 / 2, residuals -1/6, 1/3, -1/6, the slope's error sqrt(1/6 / 2),
    # and Student's t with 1 degree of freedom is 12.706.
    found = fitted_exponent([32, 64, 128], [4.0, 16.0, 32.0])
    assert (found.sides, found.value) == ((32, 128), pytest.approx(1.5))
    assert found.interval == pytest.approx((1.5 - 3.668, 1.5 + 3.668), abs=1e-3)


def test_a_power_has_its_own_exponent_and_a_ratio_the_difference_of_two() -> None:
    sides = [float(side) for side in SIDES]
    cubes, mixed = [side**3 for side in sides], [side**2 + 1e-4 * side**4 for side in sides]
    power = fitted_exponent(sides, cubes)
    assert power.value == pytest.approx(3)
    assert power.interval == pytest.approx((3, 3))
    ratio = fitted_exponent(sides, [a / b for a, b in zip(mixed, cubes, strict=True)])
    assert ratio.value == pytest.approx(fitted_exponent(sides, mixed).value - 3)


def test_two_sides_have_no_interval() -> None:
    with pytest.raises(AABenchError, match="at least 3 sides, got 2"):
        fitted_exponent([32, 64], [1.0, 2.0])
    with pytest.raises(AABenchError, match="ascending sides"):
        fitted_exponent([32, 64, 128], [1.0, 2.0, 0.0])


@pytest.mark.parametrize(("sides", "values"), [([64, 32], [1, 2]), ([32, 32], [1, 2]), ([32, 64], [0, 2]), ([32], [])])
def test_local_exponents_need_points_that_ascend(sides: list[float], values: list[float]) -> None:
    with pytest.raises(AABenchError, match="ascending sides"):
        local_exponents(sides, values)
