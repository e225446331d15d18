"""What a model costs: parameters, multiply-adds, latency and memory, as the resolution grows.

Names are imported when first used: reading ``--res`` needs no torch, and each worker process of a sweep no counters.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aabench.profile.conventions import CONVENTIONS
    from aabench.profile.counting import Count, Row, count, executed
    from aabench.profile.latency import Latency, measure_latency
    from aabench.profile.live import LiveBytes
    from aabench.profile.memory import Peak, measure_memory
    from aabench.profile.ranges import parse_resolutions
    from aabench.profile.structure import measure_structure
    from aabench.profile.sweeping import sweep

__all__ = [
    "CONVENTIONS",
    "Count",
    "Latency",
    "LiveBytes",
    "Peak",
    "Row",
    "count",
    "executed",
    "measure_latency",
    "measure_memory",
    "measure_structure",
    "parse_resolutions",
    "sweep",
]

_HOME = {
    "CONVENTIONS": "conventions",
    "Count": "counting",
    "Latency": "latency",
    "LiveBytes": "live",
    "Peak": "memory",
    "Row": "counting",
    "count": "counting",
    "executed": "counting",
    "measure_latency": "latency",
    "measure_memory": "memory",
    "measure_structure": "structure",
    "parse_resolutions": "ranges",
    "sweep": "sweeping",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
