"""Statistics over paired seeds, against published numbers, numbers by hand, and scipy itself."""

import math

import numpy as np
import pytest
from scipy import stats

from aabench.verify.paired import best_of, log_spreads, newcombe, pairs_needed, seeds_for_shares


def test_one_network_has_students_interval():
    own = [0.4, 1.1, 0.3, 0.9]
    bounds = stats.ttest_1samp(own, 0).confidence_interval(0.95)
    found = best_of([own])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))
    assert found.estimate == pytest.approx(0.675)


def test_the_best_of_two_takes_the_higher_ends_of_wider_intervals():
    wide, narrow = [2.0, -1.0, 3.5], [1.0, 1.1, 0.9]
    ends = [stats.ttest_1samp(own, 0).confidence_interval(0.975) for own in (wide, narrow)]
    found = best_of([wide, narrow])
    assert found is not None
    assert found.estimate == pytest.approx(1.5)
    assert (found.low, found.high) == pytest.approx((ends[1].low, ends[0].high))


def test_choosing_the_best_by_the_same_runs_costs_no_error():
    """Eight networks like the baseline: the plain interval of the best one misses 0 too often, this one does not."""
    rng = np.random.default_rng(0)
    plain = corrected = 0
    for _ in range(400):
        own = rng.standard_normal((8, 5)).tolist()
        found = best_of(own)
        assert found is not None
        corrected += found.low > 0
        best = max(own, key=sum)
        plain += stats.ttest_1samp(best, 0).confidence_interval(0.95).low > 0
    assert corrected <= 0.04 * 400  # 0.025 by its construction
    assert plain >= 0.1 * 400


@pytest.mark.parametrize("own", [[[1.0]], [[1.0, 1.0, 1.0]], [[1.0, 2.0], [3.0]]])
def test_without_a_spread_there_is_no_interval(own):
    assert best_of(own) is None


def test_spreads_by_hand():
    # Of three values without one, the deviation is the distance of the other two over sqrt 2.
    whole = 3 * math.log(math.sqrt(13 / (7 / 3)))
    expected = [whole - 2 * math.log(ratio) for ratio in (5 / 2, 7 / 3, 2 / 1)]
    assert log_spreads([[1, 3, 8]], [1, 2, 4]) == pytest.approx(expected)


def test_spreads_of_several_networks_are_averaged_in_the_logarithm():
    first, second = [1.0, 3.0, 8.0, 4.0], [2.0, 5.0, 1.0, 7.0]
    theirs = [1.0, 2.0, 4.0, 0.5]
    one, other, both = (log_spreads(ours, theirs) for ours in ([first], [second], [first, second]))
    assert one is not None
    assert other is not None
    assert both == pytest.approx([(a + b) / 2 for a, b in zip(one, other, strict=True)])


def test_a_network_that_spreads_three_times_as_much():
    assert log_spreads([[3.0, 9.0, 24.0]], [1.0, 3.0, 8.0]) == pytest.approx([math.log(3)] * 3)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([[1.0, 2.0]], [1.0, 3.0]), ([[1.0, 2.0, 3.0]], [2.0, 2.0, 5.0]), ([[1.0, 1.0, 1.0]], [1.0, 2.0, 4.0])],
)
def test_too_few_seeds_for_a_spread(ours, theirs):
    assert log_spreads(ours, theirs) is None


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_own_examples(counts, low, high):
    """Table II of his paper, method 10."""
    found = newcombe(*counts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_no_diverged_run_at_all_still_has_an_interval():
    found = newcombe(0, 15, 0, 3)
    assert found.estimate == 0
    assert found.low < 0 < found.high


@pytest.mark.parametrize(("effect", "pairs"), [(1.0, 10), (0.5, 34), (0.8, 15)])
def test_pairs_needed_against_published_tables(effect, pairs):
    """Two-sided paired t test, alpha .05, power .8."""
    differences = [effect - 1 / math.sqrt(2), effect + 1 / math.sqrt(2)]  # mean: effect, deviation: 1
    assert pairs_needed(differences) == pairs


def test_more_pairs_are_needed_where_alpha_is_divided():
    few, many = pairs_needed([1.0, 2.0, 0.0]), pairs_needed([1.0, 2.0, 0.0], 0.05 / 8)
    assert few is not None
    assert many is not None
    assert few < many


@pytest.mark.parametrize("differences", [[1.0], [1.0, 1.0], [1e-9, 1.0, -1.0]])
def test_pairs_that_tell_nothing(differences):
    assert pairs_needed(differences) is None


def test_seeds_for_shares():
    assert seeds_for_shares(0, 15, 0, 3, 3) is None
    assert seeds_for_shares(15, 15, 3, 3, 3) is None
    seeds = seeds_for_shares(5, 15, 0, 3, 3)
    assert seeds is not None
    times = seeds // 3
    assert newcombe(5 * times, 15 * times, 0, seeds).low > 0
    assert newcombe(5 * (times - 1), 15 * (times - 1), 0, seeds - 3).low <= 0
