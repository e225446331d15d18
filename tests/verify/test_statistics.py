import numpy as np
import pytest

from aabench.verify import statistics
from aabench.verify.statistics import Interval

# Student's sleep data (Biometrika 6 (1908) 1): extra hours of sleep under two drugs, as in R's `sleep`.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    interval = statistics.wilson(successes, trials)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)
    assert interval.estimate == successes / trials


def test_student_on_students_own_data() -> None:
    interval = statistics.student([b - a for a, b in zip(SLEEP_1, SLEEP_2, strict=True)])
    assert interval.estimate == pytest.approx(1.58)
    assert (interval.low, interval.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)  # R: t.test(..., paired)


def test_welch_on_students_data() -> None:
    interval = statistics.welch(SLEEP_1, SLEEP_2)
    assert interval.estimate == pytest.approx(-1.58)
    assert (interval.low, interval.high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)  # R: t.test(a, b)


def test_no_spread_is_width_0_and_no_warning() -> None:
    assert statistics.student([0.1, 0.1, 0.1]).width == 0  # their computed deviation is not
    assert statistics.welch([81.0, 81.0], [80.0, 80.0]) == Interval(1.0, 1.0, 1.0)
    assert statistics.welch([81.0, 81.0], [80.0, 80.5]).width > 0


def test_one_run_has_no_spread() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        statistics.student([81.0])
    with pytest.raises(ValueError, match="at least 2"):
        statistics.welch([81.0, 82.0], [80.0])


def masks(both: int, only_ours: int, only_theirs: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [both, only_ours, only_theirs, none]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def test_matched_pairs_on_approval_ratings() -> None:
    # Agresti, Categorical Data Analysis, 2nd ed., section 10.1: 794, 150, 86, 570; -0.04 with (-0.06, -0.02).
    second, first = masks(794, 86, 150, 570)
    interval = statistics.matched_difference(second, first)
    assert interval.estimate == pytest.approx(-0.04)
    assert (interval.low, interval.high) == pytest.approx((-0.059, -0.021), abs=5e-4)
    assert statistics.mcnemar(second, first) == pytest.approx(3.7e-5, rel=0.02)


def test_mcnemar_by_hand() -> None:
    # 1 against 5 discordant images: 2 (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    assert statistics.mcnemar(*masks(100, 1, 5, 20)) == pytest.approx(14 / 64)
    assert statistics.mcnemar(*masks(100, 0, 0, 20)) == 1.0


def test_equal_predictions_still_leave_a_doubt() -> None:
    interval = statistics.matched_difference(*masks(90, 0, 0, 10))
    assert interval.low < 0 == interval.estimate < interval.high


def test_masks_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="same images"):
        statistics.matched_difference(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(ValueError, match="same images"):
        statistics.mcnemar(np.ones(0, bool), np.ones(0, bool))


def test_matched_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    chances = np.array([0.7, 0.1, 0.06, 0.14])
    cells = draw.multinomial(400, chances, size=2000)
    covered = [
        interval.low <= 0.04 <= interval.high
        for interval in (statistics.matched_difference(*masks(*row)) for row in cells)
    ]
    assert 0.935 <= np.mean(covered) <= 0.97


def test_shared_images_narrow_the_interval() -> None:
    ours, theirs = masks(7800, 300, 170, 1730)
    assert statistics.matched_difference(ours, theirs).width < 0.6 * statistics.wilson(8100, 10_000).width * 2**0.5


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_seeds_needed_are_the_tabled_ones(effect: float, seeds: int) -> None:
    # Two-sided t test, alpha .05, power .8, equal groups (Cohen's d): as G*Power gives them.
    assert statistics.seeds_needed(effect, 1.0) == seeds
    assert statistics.seeds_needed(-3 * effect, 3.0) == seeds


def test_power_of_cohens_medium_effect() -> None:
    assert statistics.power(0.5, 1.0, 64) == pytest.approx(0.8015, abs=1e-4)
    assert statistics.power(0.0, 1.0, 64) == pytest.approx(0.05)


def test_power_is_what_simulated_runs_show() -> None:
    draw = np.random.default_rng(0)
    ours, theirs = draw.normal(0.5, 0.3, (4000, 6)), draw.normal(0.0, 0.3, (4000, 6))
    found = [statistics.welch(a, b).low > 0 for a, b in zip(ours, theirs, strict=True)]
    assert np.mean(found) == pytest.approx(statistics.power(0.5, 0.3, 6), abs=0.03)


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_a_detectable_difference_is_detected_by_that_many_seeds(seeds: int) -> None:
    difference = statistics.detectable_difference(0.4, seeds)
    assert statistics.seeds_needed(difference * 1.001, 0.4) == seeds
    assert statistics.seeds_needed(difference * 0.999, 0.4) == seeds + 1


def test_a_large_effect_still_takes_two_seeds() -> None:
    assert statistics.seeds_needed(100.0, 0.1) == 2


@pytest.mark.parametrize(("delta", "deviation"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_to_plan_for(delta: float, deviation: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        statistics.seeds_needed(delta, deviation)


def test_binomial_deviation_in_points() -> None:
    assert statistics.binomial_deviation(0.8, 10_000) == pytest.approx(0.4)
    assert statistics.binomial_deviation(0.5, 50_000) == pytest.approx(0.2236, abs=1e-4)
