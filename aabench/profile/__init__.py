"""What a model costs: parameters, multiply-adds, latency and memory, as the resolution grows.

Names are imported when first used: reading ``--res`` needs no torch, and each worker process of a sweep no counters.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aabench.profile.conventions import CONVENTIONS
    from aabench.profile.counting import Count, Row, count
    from aabench.profile.energy import Energy
    from aabench.profile.executed import Difference, Executed, explain_executed
    from aabench.profile.fingerprint import Fingerprint, Neighbour, Setting, count_settings
    from aabench.profile.interleaving import interleave
    from aabench.profile.largest import Search, parse_bytes
    from aabench.profile.latency import Latency, measure_latency
    from aabench.profile.live import LiveBytes
    from aabench.profile.memory import Peak, measure_memory
    from aabench.profile.modules import profile_modules
    from aabench.profile.predict import Prediction
    from aabench.profile.ranges import parse_resolutions
    from aabench.profile.structure import measure_structure
    from aabench.profile.sweeping import measure_point, measured, points, predict_points, sweep
    from aabench.profile.way import Effort, Way

__all__ = [
    "CONVENTIONS",
    "Count",
    "Difference",
    "Effort",
    "Energy",
    "Executed",
    "Fingerprint",
    "Latency",
    "LiveBytes",
    "Neighbour",
    "Peak",
    "Prediction",
    "Row",
    "Search",
    "Setting",
    "Way",
    "count",
    "count_settings",
    "explain_executed",
    "interleave",
    "measure_latency",
    "measure_memory",
    "measure_point",
    "measure_structure",
    "measured",
    "parse_bytes",
    "parse_resolutions",
    "points",
    "predict_points",
    "profile_modules",
    "sweep",
]

_HOME = {
    "CONVENTIONS": "conventions",
    "Count": "counting",
    "Difference": "executed",
    "Effort": "way",
    "Energy": "energy",
    "Executed": "executed",
    "Fingerprint": "fingerprint",
    "Latency": "latency",
    "LiveBytes": "live",
    "Neighbour": "fingerprint",
    "Peak": "memory",
    "Prediction": "predict",
    "Row": "counting",
    "Search": "largest",
    "Setting": "fingerprint",
    "Way": "way",
    "count": "counting",
    "count_settings": "fingerprint",
    "explain_executed": "executed",
    "interleave": "interleaving",
    "measure_latency": "latency",
    "measure_memory": "memory",
    "measure_point": "sweeping",
    "measure_structure": "structure",
    "measured": "sweeping",
    "parse_bytes": "largest",
    "parse_resolutions": "ranges",
    "points": "sweeping",
    "predict_points": "sweeping",
    "profile_modules": "modules",
    "sweep": "sweeping",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
