"""What the machine was doing while it was timed: clocks, governor, load, and who else was there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from aabench.profile import nvml

_CPU0 = Path("/sys/devices/system/cpu/cpu0/cpufreq")


def state(device: str) -> dict[str, Any]:
    """Facts now, as JSON. What the machine does not tell is None, or ``{"unavailable": reason}`` for the GPU."""
    found: dict[str, Any] = {
        "load_1min": os.getloadavg()[0],
        "governor": _text(_CPU0 / "scaling_governor"),
        "cpu_mhz": _cpu_mhz(),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
    }
    if torch.device(device).type == "cuda":
        found["gpu"] = {
            name: _ask(question)
            for name, question in {
                "clocks_mhz": nvml.clocks_mhz,
                "throttling": nvml.throttling,
                "other_processes": nvml.other_processes,
            }.items()
        }
    return found


def _ask(question: Any) -> Any:
    try:
        return nvml.ask(question)
    except nvml.Unavailable as reason:
        return {"unavailable": str(reason)}


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _cpu_mhz() -> float | None:
    """The mean over the cores, as /proc/cpuinfo has it: of a virtual machine often its nominal one."""
    lines = (_text(Path("/proc/cpuinfo")) or "").splitlines()
    clocks = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return sum(clocks) / len(clocks) if clocks else None
