"""Several networks timed in turns: once a round each, in an order drawn anew, so that all see the same machine."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aabench.profile.latency import LEAST_QUIET, LEAST_SHARE, MOST_TIMES
from aabench.profile.median import median_interval
from aabench.profile.quiet import TOLERANCE, Probe, quiet_level
from aabench.profile.timer import WARMUP_SHARE, Timer, warm_up

LEAST_ROUNDS = 6
"""Rounds even if the first one uses up the time: fewer have no interval."""


@dataclass(frozen=True)
class Rounds:
    """Times of networks, in the order in which the rounds ran."""

    times_ms: tuple[tuple[float, ...], ...]
    """Of each round one time a network, in the networks' order."""
    probes_us: tuple[float, ...]
    """What the probe took before each call and after the last; empty on CUDA."""
    stopped_by: Literal["precision", "time"]
    warmup_rounds: int
    settled: bool
    """Whether the warm-up ended because the rounds' times had settled."""

    @property
    def disturbed(self) -> tuple[int, ...]:
        """The rounds in which the machine did not run at its own speed, see :mod:`aabench.profile.quiet`."""
        return disturbed_rounds(self.probes_us, len(self.times_ms))

    @property
    def counted(self) -> tuple[int, ...]:
        """The undisturbed rounds; all, where there are too few of them."""
        return counted_rounds(self.probes_us, len(self.times_ms))

    def of(self, network: int) -> tuple[float, ...]:
        """The times of one network, round by round, in ms."""
        return tuple(times[network] for times in self.times_ms)


def take_rounds(
    timers: Sequence[Timer], *, seconds: float, precision: float, probed: bool = True, seed: int = 0
) -> Rounds:
    """Warm up with whole rounds, then take rounds until all ratios to the first network are precise, or time is up.

    Args:
        timers: of each network one, two or more.
        seconds: measuring time of a network. No round is begun after so much time in counted rounds for each, or twice
            as much in all, once there are six rounds. Four fifths of it are used in any case.
        precision: enough when the 95 % interval of each ratio's median is within this share of it on both sides.
        probed: whether the machine's speed is looked at before each call (the CPU's).
        seed: of the orders.
    """
    draw, indexes = random.Random(seed), range(len(timers))
    probe = Probe() if probed else None
    probes: list[float] = []

    def one_round() -> tuple[float, ...]:
        times: dict[int, float] = {}
        for index in draw.sample(indexes, k=len(timers)):
            if probe is not None:
                probes.append(probe())
            times[index] = timers[index]()
        return tuple(times[index] for index in indexes)

    seconds *= len(timers)
    warmup_rounds, settled = warm_up(lambda: sum(one_round()), seconds * WARMUP_SHARE)
    probes.clear()
    rounds: list[tuple[float, ...]] = []
    start, next_look, stopped_by = time.perf_counter(), LEAST_ROUNDS, None
    while stopped_by is None:
        rounds.append(one_round())
        spent = time.perf_counter() - start
        # Looking takes time too: not at every round of short calls.
        if len(rounds) >= next_look or (len(rounds) >= LEAST_ROUNDS and spent >= MOST_TIMES * seconds):
            next_look = len(rounds) * 21 // 20 + 1
            counted = [rounds[i] for i in counted_rounds(probes, len(rounds))]
            stopped_by = _stopped_by(counted, spent, seconds, precision)
    if probe is not None:
        probes.append(probe())
    return Rounds(tuple(rounds), tuple(probes), stopped_by, warmup_rounds, settled)


def disturbed_rounds(probes: Sequence[float], rounds: int) -> tuple[int, ...]:
    """The rounds with a probe in them, or right behind, that took more than the quiet one by the tolerance."""
    if not probes:
        return ()
    limit, each = TOLERANCE * quiet_level(probes, None), len(probes) // rounds
    return tuple(i for i in range(rounds) if max(probes[i * each : (i + 1) * each + 1]) > limit)


def counted_rounds(probes: Sequence[float], rounds: int) -> tuple[int, ...]:
    """The rounds that were not disturbed; all, where fewer than six are left."""
    disturbed = set(disturbed_rounds(probes, rounds))
    left = tuple(i for i in range(rounds) if i not in disturbed)
    return left if len(left) >= LEAST_QUIET else tuple(range(rounds))


def _stopped_by(
    counted: Sequence[Sequence[float]], spent: float, seconds: float, precision: float
) -> Literal["precision", "time"] | None:
    """Args: the counted rounds' times in ms; seconds since the first round; measuring time of all networks."""
    used = sum(map(sum, counted)) / 1e3
    if used >= LEAST_SHARE * seconds and _precise(counted, precision):
        return "precision"
    return "time" if max(used, spent / MOST_TIMES) >= seconds else None


def _precise(rounds: Sequence[Sequence[float]], precision: float) -> bool:
    for network in range(1, len(rounds[0])):
        ratios = [times[network] / times[0] for times in rounds]
        median, interval = statistics.median(ratios), median_interval(ratios)
        if interval is None or max(interval[1] - median, median - interval[0]) > precision * median:
            return False
    return True
