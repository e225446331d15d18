"""The fingerprint of the environment that a row was measured in: what may change a number, and what it was then."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import aabench
from aabench import allocator

TORCH_ALLOCATOR_VARIABLES = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
"""Environment variables that change how torch allocates; malloc's are in :mod:`aabench.allocator`."""

_REPOSITORY = Path(aabench.__file__).resolve().parents[1]


def fingerprint() -> dict[str, Any]:
    """What a measurement may depend on, as flat JSON. Unknown is None, never 0.

    Cheap and free of imports: versions are read from the installed packages' metadata, and ``threads``, ``cuda`` and
    ``gpu`` are asked of torch only where it is already imported (else they are None: nothing has run on them).
    """
    return {**_constant(), "threads": None, "cuda": None, "gpu": None, **_from_torch(), "allocator": _allocator()}


@cache
def _constant() -> dict[str, Any]:
    return {
        "aabench": aabench.__version__,
        "commit": _commit(_REPOSITORY),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "torchvision", "numpy")},
        "platform": platform.platform(),
        "cpu": _cpu_model(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(repository: Path) -> str | None:
    """The commit of a working copy, with ``-dirty`` if a tracked file was changed; None if it is no working copy."""
    if not (repository / ".git").exists():  # an installed package may lie inside somebody else's working copy
        return None
    command = ["git", "-C", str(repository), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _cpu_model(cpuinfo: Path) -> str | None:
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _allocator() -> str:
    """The variables set that bear on memory, as ``NAME=value``; ``default`` if there are none."""
    names = [*allocator.set_by_user(), *(name for name in TORCH_ALLOCATOR_VARIABLES if os.environ.get(name))]
    return " ".join(f"{name}={os.environ[name]}" for name in sorted(names)) or "default"


def _from_torch() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    found: dict[str, Any] = {"threads": torch.get_num_threads(), "cuda": torch.version.cuda}
    if torch.cuda.is_available():
        found["gpu"] = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return found
