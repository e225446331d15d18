"""How long one call takes: warm-up, then repeats until there are enough or time is up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

LEAST_REPEATS = 3
"""Measured calls even if the first one uses up the time: fewer have no quartiles worth the name."""
WARMUP_SHARE = 0.25
"""Share of the measuring time that warm-up calls get beforehand; there is at least one."""


@dataclass(frozen=True)
class Latency:
    """Times of single calls in milliseconds, in the order in which they ran."""

    samples_ms: tuple[float, ...]
    stopped_by: Literal["time", "repeats"]

    @property
    def median_ms(self) -> float:
        """Median."""
        return statistics.median(self.samples_ms)

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """First and third quartile."""
        first, _, third = statistics.quantiles(self.samples_ms, n=4, method="inclusive")
        return first, third


def measure_latency(
    call: Callable[[], object], device: str = "cpu", *, seconds: float = 2.0, repeats: int = 100
) -> Latency:
    """Time single calls: by ``perf_counter_ns`` on CPU, by events on CUDA (the device's own clock).

    Args:
        call: what is timed; its result is dropped.
        device: ``cpu`` or ``cuda``.
        seconds: no call is started after so much measuring time, once there are three samples.
        repeats: at most so many samples (at least 3).
    """
    time_one = _time_on_cuda if torch.device(device).type == "cuda" else _time_on_cpu
    _warm_up(time_one, call, seconds * WARMUP_SHARE)
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while len(samples) < max(repeats, LEAST_REPEATS):
        if len(samples) >= LEAST_REPEATS and time.perf_counter() >= end:
            return Latency(tuple(samples), "time")
        samples.append(time_one(call))
    return Latency(tuple(samples), "repeats")


def _warm_up(time_one: Callable[[Callable[[], object]], float], call: Callable[[], object], seconds: float) -> None:
    end = time.perf_counter() + seconds
    time_one(call)
    while time.perf_counter() < end:
        time_one(call)


def _time_on_cpu(call: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def _time_on_cuda(call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))
