"""How one call is timed, and how often it is called before that counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

WARMUP_SHARE = 0.25
"""Warm-up ends after this share of the measuring time, settled or not."""
SETTLED = 0.02
"""Warm-up ends when the medians of its last two windows differ by no more than this share."""
WINDOW = 5

Timer = Callable[[], float]
"""Runs the call once; milliseconds."""


def timer(call: Callable[[], object], device: str, *, flush_l2: bool = False, synchronised: bool = True) -> Timer:
    """By ``perf_counter_ns`` on the CPU, by events on CUDA (the device's own clock).

    Args:
        call: what is timed; its result is dropped.
        device: ``cpu`` or ``cuda``.
        flush_l2: on CUDA, overwrite the L2 cache before each call.
        synchronised: on CUDA; if not, the time is that of ``perf_counter_ns`` around the call alone: how long it takes
            to hand the work over, and to wait for a place where the queue to the device is full.
    """
    if torch.device(device).type != "cuda" or not synchronised:
        return _stopwatch(call)
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


def _stopwatch(call: Callable[[], object]) -> Timer:
    def time_one() -> float:
        start = time.perf_counter_ns()
        call()
        return (time.perf_counter_ns() - start) / 1e6

    return time_one


def warm_up(time_one: Timer, seconds: float) -> tuple[int, bool]:
    """Call until the times settle, or for so long; (calls, settled)."""
    samples = [time_one()]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        samples.append(time_one())
        if len(samples) >= 2 * WINDOW + 1:  # the first call does not count
            older, newer = samples[-2 * WINDOW : -WINDOW], samples[-WINDOW:]
            if abs(statistics.median(newer) / statistics.median(older) - 1) <= SETTLED:
                return len(samples), True
    return len(samples), False
