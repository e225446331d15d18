"""NVIDIA's management library: energy, clocks and company on the GPU. Every fact is there, or a reason is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch


class Unavailable(Exception):
    """NVML, or the counter that was asked for, is not here; says why in one line."""


def ask(question: Callable[[Any, Any], Any]) -> Any:
    """``question(pynvml, handle)`` for the GPU that torch runs on.

    Raises:
        Unavailable: NVML is not installed, or does not answer this on this GPU.
    """
    try:
        import pynvml
    except ImportError as error:
        raise Unavailable("the package nvidia-ml-py is not installed") from error
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties().uuid}")
        return question(pynvml, handle)
    except pynvml.NVMLError as error:
        raise Unavailable(f"NVML: {error}") from error


def energy_mj(nvml: Any, handle: Any) -> int:
    """Millijoules that the GPU has used since its driver was loaded."""
    return int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))


def clocks_mhz(nvml: Any, handle: Any) -> dict[str, int]:
    """Clock of the multiprocessors and of the memory, now."""
    return {
        "sm": int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
        "memory": int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
    }


def throttling(nvml: Any, handle: Any) -> list[str]:
    """Why the clocks are held down now; empty if they are not. ``gpu_idle`` is no throttling."""
    reasons = int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    prefix = "nvmlClocksThrottleReason"
    named = {name.removeprefix(prefix): getattr(nvml, name) for name in dir(nvml) if name.startswith(prefix)}
    return sorted(
        name for name, bit in named.items() if name not in ("All", "None", "GpuIdle") and bit and reasons & bit == bit
    )


def other_processes(nvml: Any, handle: Any) -> int:
    """How many processes but this one compute on the GPU."""
    return sum(process.pid != os.getpid() for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle))
