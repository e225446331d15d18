"""glibc's malloc on a CPU: whether freed memory goes back to the kernel.

By default glibc asks the kernel for each large block and gives it back when freed, so that every large temporary of a
network is paged in anew, zeroed by the kernel: for explicit attention that is most of the time (``system_seconds`` and
``page_faults`` of a profile's row show it). ``warm`` keeps freed memory in the process. It is then up to twice the
live memory, since blocks of different sizes do not always fit into what was freed.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from aabench.errors import AABenchError

# mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4

VARIABLES = ("GLIBC_TUNABLES", "LD_PRELOAD")
"""Environment variables that choose or tune malloc; so do all that start with ``MALLOC_``."""


def set_by_user() -> list[str]:
    """The variables by which the user has already chosen."""
    return sorted(name for name in os.environ if (name in VARIABLES or name.startswith("MALLOC_")) and os.environ[name])


def warm() -> str:
    """Keep freed memory, for the rest of this process. Returns how, in a few words for the log.

    Raises:
        AABenchError: the C library is not glibc, or does not take it.
    """
    mallopt = _mallopt()
    if mallopt is None or not (mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1)):
        raise AABenchError("allocator warm needs glibc's mallopt, which is not here; use --allocator default")
    return "mallopt: M_MMAP_MAX 0, M_TRIM_THRESHOLD -1"


def warm_is_safe(predicted_bytes: int) -> bool:
    """Whether :func:`warm` may be chosen unasked: glibc, nothing set by the user, and memory for twice the live bytes.

    Args:
        predicted_bytes: what will be live at the peak.
    """
    free = _available_bytes()
    return _mallopt() is not None and not set_by_user() and free is not None and 2 * predicted_bytes <= free


def _mallopt() -> Any:
    return getattr(ctypes.CDLL(None), "mallopt", None)


def _available_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
