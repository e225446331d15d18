"""How long one call takes: warm-up until it settles, then repeats until the median is known or time is up."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, floor, sqrt
from typing import Literal

import torch

from aabench.profile.quiet import Probe, quiet_level, quiet_samples

LEAST_REPEATS = 3
"""Measured calls even if the first one uses up the time: fewer have no quartiles worth the name."""
LEAST_SHARE = 0.8
"""Share of the measuring time that is used in any case: a machine's speed drifts over seconds, and the samples of half
a second agree with each other and not with those of the next."""
MOST_TIMES = 2
"""A disturbed machine gets so many times the measuring time at most."""
LEAST_QUIET = 6
"""With fewer quiet samples all of them count, disturbed or not."""
WARMUP_SHARE = 0.25
"""Warm-up ends after this share of the measuring time, settled or not."""
SETTLED = 0.02
"""Warm-up ends when the medians of its last two windows differ by no more than this share."""
WINDOW = 5


@dataclass(frozen=True)
class Latency:
    """Times of single calls, in the order in which they ran. What is derived of them is of the quiet ones, see
    :mod:`aabench.profile.quiet`.
    """

    samples_ms: tuple[float, ...]
    stopped_by: Literal["precision", "time"]
    """Whether the wanted interval was reached, or time ran out before."""
    warmup_calls: int
    settled: bool
    """Whether the warm-up ended because the times had settled."""
    page_faults: float
    """Minor and major page faults of the process, a call."""
    system_ms: float
    """CPU time in the kernel, a call."""
    probes_us: tuple[float, ...] = ()
    """Before each call, and after the last; empty on CUDA."""
    quiet_us: float | None = None
    """What the probe takes on the quiet machine, as far as is known."""

    def quiet_ms(self, quiet_us: float | None) -> tuple[float, ...]:
        """The quiet samples, given what the probe takes on the quiet machine; none, where there are too few of them."""
        quiet = quiet_samples(self.samples_ms, self.probes_us, quiet_us or 0.0)
        return tuple(quiet) if len(quiet) >= min(LEAST_QUIET, len(self.samples_ms)) else ()

    @property
    def counted_ms(self) -> tuple[float, ...]:
        """The quiet samples; all, where there are too few of them."""
        return self.quiet_ms(self.quiet_us) or self.samples_ms

    @property
    def disturbed(self) -> float:
        """Share of the samples that were disturbed."""
        return 1 - len(quiet_samples(self.samples_ms, self.probes_us, self.quiet_us or 0.0)) / len(self.samples_ms)

    @property
    def median_ms(self) -> float:
        """Median."""
        return statistics.median(self.counted_ms)

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """First and third quartile."""
        first, _, third = statistics.quantiles(self.counted_ms, n=4, method="inclusive")
        return first, third

    @property
    def interval_ms(self) -> tuple[float, float] | None:
        """95 % interval of the median."""
        return median_interval(self.counted_ms)


def measure_latency(
    call: Callable[[], object],
    device: str = "cpu",
    *,
    seconds: float = 7.0,
    precision: float = 0.02,
    flush_l2: bool = False,
    quiet_us: float | None = None,
) -> Latency:
    """Time single calls: by ``perf_counter_ns`` on CPU, by events on CUDA (the device's own clock).

    Args:
        call: what is timed; its result is dropped.
        device: ``cpu`` or ``cuda``.
        seconds: no call is started after so much quiet measuring time, or twice as much in all, once there are three
            samples. Four fifths of it are used in any case.
        precision: enough when the 95 % interval of the median is within this share of it on both sides.
        flush_l2: on CUDA, overwrite the L2 cache before each call.
        quiet_us: what the probe is known to take on the quiet machine, in microseconds.
    """
    time_one = _timer(call, device, flush_l2)
    warmup_calls, settled = _warm_up(time_one, seconds * WARMUP_SHARE)
    before = resource.getrusage(resource.RUSAGE_SELF)
    series = _Series(None if torch.device(device).type == "cuda" else Probe(), quiet_us)
    stopped_by = series.fill(time_one, seconds, precision)
    after = resource.getrusage(resource.RUSAGE_SELF)
    faults = after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt
    samples = series.samples
    return Latency(
        samples_ms=tuple(samples),
        stopped_by=stopped_by,
        warmup_calls=warmup_calls,
        settled=settled,
        page_faults=faults / len(samples),
        system_ms=(after.ru_stime - before.ru_stime) * 1e3 / len(samples),
        probes_us=tuple(series.probes),
        quiet_us=quiet_level(series.probes, quiet_us) if series.probes else None,
    )


def median_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """Two of the samples that hold the median between them with at least 95 %, whatever its distribution.

    The number of samples below the median is binomial (n, 1/2); from 100 samples on, by its normal approximation.
    None for fewer than 6 samples: there are no such two.
    """
    n = len(samples)
    if n < 6:
        return None
    if n >= 100:
        outside = floor((n - 1.96 * sqrt(n)) / 2)
    else:
        outside, tail = 0, 1
        while (tail + comb(n, outside + 1)) / 2**n <= 0.025:
            outside += 1
            tail += comb(n, outside)
    ordered = sorted(samples)
    return ordered[outside], ordered[n - 1 - outside]


Timer = Callable[[], float]
"""Runs the call once; milliseconds."""


def _warm_up(time_one: Timer, seconds: float) -> tuple[int, bool]:
    """(calls, settled)."""
    samples = [time_one()]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        samples.append(time_one())
        if len(samples) >= 2 * WINDOW + 1:  # the first call does not count
            older, newer = samples[-2 * WINDOW : -WINDOW], samples[-WINDOW:]
            if abs(statistics.median(newer) / statistics.median(older) - 1) <= SETTLED:
                return len(samples), True
    return len(samples), False


class _Series:
    """Samples with a probe before each and one after the last."""

    def __init__(self, probe: Probe | None, known: float | None) -> None:
        self.samples: list[float] = []
        self._probe = probe
        self._known = known
        self.probes = [] if probe is None else [probe()]

    def fill(self, time_one: Timer, seconds: float, precision: float) -> Literal["precision", "time"]:
        """Repeat until the quiet samples are precise, or time is up."""
        start = time.perf_counter()
        next_look = LEAST_REPEATS
        while True:
            self.samples.append(time_one())
            if self._probe is not None:
                self.probes.append(self._probe())
            spent = time.perf_counter() - start
            # Looking takes time too: not at every sample of a short call.
            if len(self.samples) < next_look and spent < MOST_TIMES * seconds:
                continue
            next_look = max(LEAST_REPEATS, len(self.samples) * 21 // 20 + 1)
            quiet = self._quiet()
            quiet_seconds = sum(quiet) / 1e3
            precise = _precise(quiet, precision)
            if quiet_seconds >= LEAST_SHARE * seconds and precise:
                return "precision"
            if max(quiet_seconds, spent / MOST_TIMES) >= seconds and len(self.samples) >= LEAST_REPEATS:
                return "time"

    def _quiet(self) -> list[float]:
        if not self.probes:
            return self.samples
        return quiet_samples(self.samples, self.probes, quiet_level(self.probes, self._known))


def _precise(samples: Sequence[float], precision: float) -> bool:
    interval = median_interval(samples)
    if interval is None:
        return False
    median = statistics.median(samples)
    return max(interval[1] - median, median - interval[0]) <= precision * median


def _timer(call: Callable[[], object], device: str, flush_l2: bool) -> Timer:
    if torch.device(device).type != "cuda":

        def on_cpu() -> float:
            start = time.perf_counter_ns()
            call()
            return (time.perf_counter_ns() - start) / 1e6

        return on_cpu

    cache = torch.cuda.get_device_properties(device).L2_cache_size if flush_l2 else 0
    # Twice the cache, so that nothing of what was there before can stay.
    filler = torch.empty(2 * cache, dtype=torch.int8, device=device)  # of no element where nothing is flushed

    def on_cuda() -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        filler.zero_()
        start.record()
        call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end))

    return on_cuda
