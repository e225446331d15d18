"""How long one call takes: warm-up until it settles, then repeats until the median is known or time is up."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from aabench.profile.median import median_interval
from aabench.profile.quiet import Probe, quiet_level, quiet_samples
from aabench.profile.timer import WARMUP_SHARE, Timer, timer, warm_up

LEAST_REPEATS = 3
"""Measured calls even if the first one uses up the time: fewer have no quartiles worth the name."""
LEAST_SHARE = 0.8
"""Share of the measuring time that is used in any case: a machine's speed drifts over seconds, and the samples of half
a second agree with each other and not with those of the next."""
MOST_TIMES = 2
"""A disturbed machine gets so many times the measuring time at most."""
LEAST_QUIET = 6
"""With fewer quiet samples all of them count, disturbed or not."""


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
    synchronised: bool = True,
    quiet_us: float | None = None,
) -> Latency:
    """Time single calls, see :func:`aabench.profile.timer.timer`.

    Args:
        call: what is timed; its result is dropped.
        device: ``cpu`` or ``cuda``.
        seconds: no call is started after so much quiet measuring time, or twice as much in all, once there are three
            samples. Four fifths of it are used in any case.
        precision: enough when the 95 % interval of the median is within this share of it on both sides.
        flush_l2: on CUDA, overwrite the L2 cache before each call.
        synchronised: on CUDA, wait for the device after each call; else only once, after the last.
        quiet_us: what the probe is known to take on the quiet machine, in microseconds.
    """
    time_one = timer(call, device, flush_l2=flush_l2, synchronised=synchronised)
    warmup_calls, settled = warm_up(time_one, seconds * WARMUP_SHARE)
    before = resource.getrusage(resource.RUSAGE_SELF)
    on_cuda = torch.device(device).type == "cuda"
    series = _Series(None if on_cuda else Probe(), quiet_us)
    stopped_by = series.fill(time_one, seconds, precision)
    after = resource.getrusage(resource.RUSAGE_SELF)
    if on_cuda and not synchronised:
        torch.cuda.synchronize()
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
