"""A process that gets no more than so much memory, to find out what fits.

Memory here is what a model, its training state and a call take: on CPU the growth of the process's resident memory
since Python and torch were loaded, on CUDA what torch's allocator reserves (the context comes on top).
"""

from __future__ import annotations

import resource

import torch

from aabench.profile.memory import load_libraries, resident_bytes

_SLACK = 64 * 2**20


class Allowance:
    """Counts what this process takes from now on.

    Args:
        device: ``cpu`` or ``cuda``.
        limit: bytes; beyond it, an allocation fails with an out-of-memory error. On CPU that happens only some way
            beyond, at 1.1 times as much and 64 MiB (stacks of threads, say, are not the call's): there, whether it fits
            is decided by :meth:`peak`. None for no limit.
    """

    def __init__(self, device: str, limit: int | None) -> None:
        self._on_cuda = torch.device(device).type == "cuda"
        if not self._on_cuda:
            load_libraries()
        self._baseline = 0 if self._on_cuda else resident_bytes("VmRSS")
        if limit is None:
            return
        if self._on_cuda:
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))
        else:
            most = resident_bytes("VmData") + limit + limit // 10 + _SLACK
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    def peak(self) -> int:
        """The most bytes taken so far."""
        if self._on_cuda:
            return torch.cuda.max_memory_reserved()
        return resident_bytes("VmHWM") - self._baseline
