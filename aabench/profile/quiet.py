"""Whether the machine ran at its own speed: a small copy, timed beside each call.

A virtual machine changes its speed by a third, for seconds, with what its host does; no clock and no load average of
its own shows it. A copy within the L2 cache takes microseconds and is slowed nearly as much as a network is: by 1.22
to 1.35, and ResNet-50 by 1.30 to 1.38, on the machine that this was measured on (README, Known limits).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

TOLERANCE = 1.15
"""A call is disturbed where the copy before or after it took more than so many times the quiet one. Ours."""
_ELEMENTS = 2**17
_REPEATS = 4


class Probe:
    """Times the copy: once to fetch it into the cache, then the shortest of four."""

    def __init__(self) -> None:
        self._source, self._target = torch.ones(_ELEMENTS), torch.empty(_ELEMENTS)

    def __call__(self) -> float:
        """Microseconds."""
        shortest = float("inf")
        for _ in range(1 + _REPEATS):
            start = time.perf_counter_ns()
            self._target.copy_(self._source)
            shortest = min(shortest, (time.perf_counter_ns() - start) / 1e3)
        return shortest


def quiet_level(probes: Sequence[float], known: float | None) -> float:
    """What the copy takes on the quiet machine: the first decile of the probes, or less if less is known."""
    own = sorted(probes)[len(probes) // 10]
    return own if known is None else min(own, known)


def quiet_samples(samples: Sequence[float], probes: Sequence[float], level: float) -> list[float]:
    """The samples between two quiet probes.

    Args:
        samples: times of calls, any unit.
        probes: one before each call and one after the last; empty where nothing was probed, and all count as quiet.
        level: of :func:`quiet_level`.
    """
    if not probes:
        return list(samples)
    limit = TOLERANCE * level
    return [sample for i, sample in enumerate(samples) if max(probes[i : i + 2]) <= limit]
