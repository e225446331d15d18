"""Peak memory of a call, measured in the process that makes it: a fresh one, or earlier peaks hide this one.

CPU: growth of the resident set over what it was with model and input built (``rss_peak``). It holds all that the
process touched: tensors, scratch space of kernels, code paged in. The kernel's counters are good to about 1 MiB.
And the peak of torch's CPU allocator (``allocated_peak``), from the allocations and frees that its profiler records,
those inside kernels too; what was there before counts with the bytes of its storages. Libraries that call malloc
themselves (oneDNN's scratch space) are in the first only.
CUDA: the caching allocator's own peaks, model and input included (``allocated_peak``: in tensors; ``reserved_peak``:
taken from the device).
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Peak:
    """A peak in bytes; ``bytes`` is None only with a ``reason``."""

    convention: str
    """``rss_peak``, ``allocated_peak`` or ``reserved_peak``."""
    bytes: int | None
    baseline: int
    """Bytes in use before the call: already subtracted from ``rss_peak``, contained in the other two."""
    how: str
    reason: str | None = None


def measure_memory(call: Callable[[], object], device: str = "cpu", *, record: bool = True) -> tuple[Peak, ...]:
    """Run a call and say how much memory it took at its peak.

    Args:
        call: what is measured.
        device: ``cpu`` or ``cuda``.
        record: on CPU, run it a second time for ``allocated_peak``; the record itself takes memory.
    """
    if torch.device(device).type == "cuda":
        return _cuda_peaks(call)
    return (resident_peak(call), allocated_peak(call)) if record else (resident_peak(call),)


def _cuda_peaks(call: Callable[[], object]) -> tuple[Peak, ...]:
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    allocated, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    call()
    torch.cuda.synchronize()
    how = "torch.cuda peak statistics, reset with model and input built"
    return (
        Peak("allocated_peak", torch.cuda.max_memory_allocated(), allocated, how),
        Peak("reserved_peak", torch.cuda.max_memory_reserved(), reserved, how),
    )


def resident_peak(call: Callable[[], object]) -> Peak:
    """``rss_peak`` of a call."""
    load_libraries()
    _give_back_free_memory()
    reset = _reset_high_water_mark()
    baseline, earlier_peak = resident_bytes("VmRSS"), resident_bytes("VmHWM")
    call()
    peak = resident_bytes("VmHWM")
    if reset:
        how = "VmHWM, reset through /proc/self/clear_refs, minus VmRSS before the call"
    else:
        how = "VmHWM of the whole process (/proc/self/clear_refs is not writable), minus VmRSS before the call"
        if peak <= earlier_peak:
            reason = f"the call stays below the process's earlier peak of {earlier_peak} bytes, which cannot be reset"
            return Peak("rss_peak", None, baseline, how, reason)
    return Peak("rss_peak", max(0, peak - baseline), baseline, how)


def allocated_peak(call: Callable[[], object]) -> Peak:
    """``allocated_peak`` of a call on CPU."""
    gc.collect()
    before = _tensor_bytes()
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, profile_memory=True, acc_events=True) as profiler:
        call()
    results: Any = profiler.profiler.kineto_results
    changes = sorted((event.start_ns(), event.nbytes()) for event in results.events() if event.name() == "[memory]")
    peak = max(accumulate((change for _, change in changes), initial=0))
    how = "torch.profiler's record of the CPU allocator, plus the storages of all tensors before the call"
    return Peak("allocated_peak", before + peak, before, how)


def _tensor_bytes() -> int:
    """Bytes of all storages in memory that tensors of this process lie on."""
    tensors = [item for item in gc.get_objects() if type(item) in (Tensor, nn.Parameter)]
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors if t.device.type == "cpu"}
    return sum(storages.values())


def load_libraries() -> None:
    """Run one of each main kernel on a few numbers: code paged in and thread pools are no cost of the call."""
    weight = torch.ones(8, 8, 3, 3, requires_grad=True)
    features = F.batch_norm(F.conv2d(torch.ones(2, 8, 8, 8), weight), None, None, training=True).relu().mean((2, 3))
    tokens = torch.ones(1, 1, 16, 8, requires_grad=True)
    results = (
        F.cross_entropy(F.linear(features, weight.flatten(1)[:, :8]), torch.zeros(2, dtype=torch.long)),
        F.scaled_dot_product_attention(tokens, tokens, tokens).sum(),
        (tokens @ tokens.transpose(-2, -1)).softmax(-1).sum(),
    )
    torch.autograd.backward(results)


def _give_back_free_memory() -> None:
    """Free pages that malloc keeps would be used again and hide growth."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)


def _reset_high_water_mark() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def resident_bytes(field: str) -> int:
    """A size of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")
