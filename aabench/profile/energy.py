"""Energy of a call, where the GPU counts it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from aabench.profile import nvml

LEAST_SECONDS = 2.0
"""The counter moves in steps of some tens of milliseconds; over two seconds that is a few percent at most (ours)."""


@dataclass(frozen=True)
class Energy:
    """Of one call. ``joules`` is None only with a ``reason``."""

    joules: float | None
    calls: int = 0
    reason: str | None = None


def measure_energy(call: Callable[[], object], device: str, seconds: float) -> Energy:
    """Repeat a call, warmed up already, for ``seconds`` (2 at least), and divide what the whole GPU used meanwhile.

    The idle GPU's share is in it, and that of other processes.
    """
    if torch.device(device).type != "cuda":
        return Energy(None, reason="only NVML's energy counter is read, which GPUs have")
    try:
        nvml.ask(nvml.energy_mj)
        end = time.perf_counter() + max(seconds, LEAST_SECONDS)
        torch.cuda.synchronize()
        before, calls = nvml.ask(nvml.energy_mj), 0
        while time.perf_counter() < end:
            call()
            torch.cuda.synchronize()
            calls += 1
        used = nvml.ask(nvml.energy_mj) - before
    except nvml.Unavailable as reason:
        return Energy(None, reason=str(reason))
    return Energy(used / 1e3 / calls, calls)
