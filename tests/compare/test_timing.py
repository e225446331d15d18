"""The statistics of taking turns: by hand, and on synthetic times with known changes."""

import math

import numpy as np
import pytest

from aabench.compare.timing import judge_times, precise


def test_by_hand():
    """Medians .09, .10, .11: Student's half-width at 2 degrees of freedom is 4.302653 * .01 / sqrt(3)."""
    timing = judge_times([[0.07, 0.09, 0.12], [0.08, 0.10, 0.13], [0.06, 0.11, 0.14]])
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert timing.change.estimate == pytest.approx(math.exp(0.10) - 1)
    assert timing.change.low == pytest.approx(math.exp(0.10 - half) - 1)
    assert timing.change.high == pytest.approx(math.exp(0.10 + half) - 1)
    assert timing.p == pytest.approx(2**-9)  # nine signs alike: one of 512 orders
    assert (timing.judgement, timing.pairs, timing.rounds) == ("regression", 3, 9)


def test_faster_is_the_mirror_of_slower():
    pairs = [[0.07, 0.09, 0.12], [0.08, 0.10, 0.13], [0.06, 0.11, 0.14]]
    slower = judge_times(pairs)
    faster = judge_times([[-ratio for ratio in pair] for pair in pairs])
    assert (faster.judgement, faster.p) == ("improvement", slower.p)
    assert 1 + faster.change.low == pytest.approx(1 / (1 + slower.change.high))


def test_one_odd_process_is_no_change_of_the_code():
    """The rank test alone would swear to it."""
    pairs = [[0.3 + 0.001 * n for n in range(20)], *([0.0001 * n for n in range(1, 21)] for _ in range(4))]
    timing = judge_times(pairs)
    assert timing.p < 1e-12
    assert timing.judgement == "no difference shown"


def test_a_certain_but_small_change_is_no_alarm():
    timing = judge_times([[0.01 + 0.0001 * n for n in range(20)] for _ in range(5)])
    assert timing.change.low > 0.01
    assert timing.p < 1e-12
    assert timing.judgement == "no difference shown"


def test_a_large_change_in_too_few_rounds_is_no_alarm():
    timing = judge_times([[0.5], [0.51], [0.52]])
    assert timing.p == pytest.approx(1 / 8)
    assert timing.judgement == "no difference shown"


def test_precise_is_an_interval_as_narrow_as_the_least_effect():
    """Medians -d, 0, d: the half-width is 4.302653 * d / sqrt(3), log(1.02) for d = 0.0079716."""
    assert precise([[-0.00797], [0.0], [0.00797]])
    assert not precise([[-0.00798], [0.0], [0.00798]])


def test_precise_of_a_large_change_is_a_quarter_of_it():
    """Around 0.8: a half-width of 0.2, for d = 0.080512."""
    assert precise([[0.8 - 0.0805], [0.8], [0.8 + 0.0805]])
    assert not precise([[0.8 - 0.0806], [0.8], [0.8 + 0.0806]])


def test_no_difference_at_all():
    timing = judge_times([[0.0, 0.0]] * 3)
    assert (timing.judgement, timing.p, timing.change.width) == ("no difference shown", 1.0, 0.0)


@pytest.mark.parametrize("pairs", [[[0.1], [0.1]], [[0.1], [0.1], []]])
def test_too_little(pairs):
    with pytest.raises(ValueError, match="at least 3 pairs with rounds"):
        judge_times(pairs)


def test_it_says_how_sure_it_is():
    text = str(judge_times([[0.07, 0.09, 0.12], [0.08, 0.10, 0.13], [0.06, 0.11, 0.14]]))
    assert text == "+10.5 % (95 % interval +7.8 to +13.3 %, p 0.002, 9 rounds in 3 pairs of processes)"


def alarms(change: float, seeds: range, offset: float = 0.01) -> dict[str, int]:
    """Judgements over synthetic comparisons: 5 to 20 pairs of 15 rounds. Each process has an offset of
    its own (normal), each block noise with heavy tails (Student's t, 2 degrees of freedom, scaled by 1.5 %)."""
    found = {"regression": 0, "improvement": 0, "no difference shown": 0}
    for seed in seeds:
        random = np.random.default_rng(seed)
        own = random.normal(0, offset, (20, 2, 1))
        times = own + 0.015 * random.standard_t(2, (20, 2, 15))
        ratios = (math.log1p(change) + times[:, 1] - times[:, 0]).tolist()
        taken = next((n for n in range(5, 20) if precise(ratios[:n])), 20)
        found[judge_times(ratios[:taken]).judgement] += 1
    return found


def test_noise_raises_no_alarm():
    """At most 1 in 20 is asked for; this is far below."""
    found = alarms(0.0, range(1000))
    assert found["regression"] + found["improvement"] <= 5


def test_a_tenth_more_is_found():
    """At least 19 in 20 are asked for."""
    assert alarms(0.1, range(1000, 1500))["regression"] >= 490


def test_a_tenth_more_is_found_where_processes_differ_more():
    assert alarms(0.1, range(1500, 1800), offset=0.02)["regression"] >= 285


def test_the_rank_test_alone_would_cry_wolf():
    """Why there is an interval over the pairs: the offsets of processes alone make the rank test certain."""
    false = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        ratios = random.normal(0, 0.02, (5, 1)) + random.normal(0, 0.005, (5, 15))
        false += judge_times(ratios.tolist()).p < 0.01
    assert false > 50
