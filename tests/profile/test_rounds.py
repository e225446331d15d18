"""Networks in turns: who is called when, which rounds count, and when it ends. Times are made up."""

import itertools

import pytest

from aabench.profile.rounds import Rounds, take_rounds
from aabench.profile.timer import Timer

pytestmark = pytest.mark.alone


def test_each_network_once_a_round_in_an_order_drawn_anew() -> None:
    turns: list[int] = []

    def network(index: int) -> Timer:
        def time_one() -> float:
            turns.append(index)
            return 10.0 * (index + 1)

        return time_one

    found = take_rounds([network(index) for index in range(3)], seconds=0.2, precision=0.1)
    assert (found.stopped_by, set(found.times_ms)) == ("precision", {(10.0, 20.0, 30.0)})
    assert found.of(1) == (20.0,) * len(found.times_ms)
    rounds = list(zip(*[iter(turns)] * 3, strict=True))
    assert len(rounds) == found.warmup_rounds + len(found.times_ms)
    assert all(sorted(order) == [0, 1, 2] for order in rounds)
    assert len(set(rounds)) > 1
    assert len(found.probes_us) == 3 * len(found.times_ms) + 1
    # 60 ms a round: four fifths of 0.2 s for each of three are 480 ms.
    assert 8 <= len(found.times_ms) <= 10 or found.disturbed


def test_a_machine_whose_speed_changes_does_not_hide_a_ratio() -> None:
    """Each round is up to six times as slow as another; the ratio is the same in all."""
    speeds = [itertools.cycle([1.0, 4.0, 2.0, 6.0, 3.0]) for _ in range(2)]
    timers = [lambda: next(speeds[0]), lambda: 2 * next(speeds[1])]
    found = take_rounds(timers, seconds=0.05, precision=0.001, probed=False)
    assert {times[1] / times[0] for times in found.times_ms} == {2.0}
    assert found.stopped_by == "precision"


def test_a_ratio_that_is_not_steady_takes_all_the_time() -> None:
    jumping = itertools.cycle([10.0, 30.0])
    timers = [lambda: 10.0, lambda: next(jumping)]
    found = take_rounds(timers, seconds=0.2, precision=0.05, probed=False)
    assert found.stopped_by == "time"
    # 20 or 40 ms a round, 0.2 s for each of two.
    assert 12 <= len(found.times_ms) <= 15


def test_slow_calls_get_six_rounds() -> None:
    found = take_rounds([lambda: 1e6, lambda: 2e6], seconds=0.01, precision=0.5, probed=False)
    assert len(found.times_ms) == 6
    assert found.probes_us == ()
    assert found.counted == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("slow", "disturbed", "counted"),
    [
        ((), (), range(9)),
        ((5,), (2,), (0, 1, 3, 4, 5, 6, 7, 8)),  # within round 2, between its two calls
        ((4,), (1, 2), (0, 3, 4, 5, 6, 7, 8)),  # between rounds 1 and 2: behind one, before the other
        ((18,), (8,), range(8)),  # after the last call
        ((1, 3, 5, 7), (0, 1, 2, 3), range(9)),  # five are left, which is too few
    ],
)
def test_rounds_beside_a_slow_probe_do_not_count(
    slow: tuple[int, ...], disturbed: tuple[int, ...], counted: tuple[int, ...]
) -> None:
    probes = tuple(1.3 if i in slow else 1.0 for i in range(2 * 9 + 1))
    found = Rounds(((1.0, 2.0),) * 9, probes, "time", 1, True)
    assert (found.disturbed, found.counted) == (disturbed, tuple(counted))
