"""Which numbers can be compared between two logs, and how: one small table. ``--metric`` chooses from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from aabench.errors import AABenchError

Kind = Literal["exact", "exact for one torch", "description", "measured"]
"""``exact``: counted from the model's definition; less is better; machine and versions do not bear on it.
``exact for one torch``: found without running, from the operators that this torch (major.minor) runs.
``description``: exact, but neither more nor less of it is better.
``measured``: noise, and the machine, are in it.
"""

RULES: dict[str, Kind] = {
    "params": "exact",
    "macs/model": "exact",
    "macs/executed": "exact for one torch",
    "flops/*": "exact",
    "activations": "exact",
    "attention_share": "description",
    "arithmetic_intensity": "description",
    "memory/predicted_live": "exact for one torch",
    "memory/*_peak": "measured",
    "latency_ms/*": "measured",
    "images_per_s": "measured",
    "energy/*": "measured",
    "exponent/macs/model": "exact",
    "exponent/memory/predicted_live": "exact for one torch",
    # pytest-benchmark's: its own time, and what a benchmark noted besides.
    "seconds/median": "measured",
    "noted/*": "measured",
}
"""``metric`` or ``metric/convention``, with wildcards -> kind."""


def label_of(metric: str, convention: str | None) -> str:
    """``macs/model``; the metric alone where there are no conventions."""
    return metric if convention is None else f"{metric}/{convention}"


def kind_of(label: str) -> Kind | None:
    """The kind of a metric; None if the table does not know it."""
    return next((kind for pattern, kind in RULES.items() if fnmatchcase(label, pattern)), None)


def chosen(label: str, wanted: Sequence[str]) -> bool:
    """Whether a metric was asked for, by its whole label or the start of it (``macs``); by nothing, all are."""
    return not wanted or any(label == name or label.startswith(f"{name}/") for name in wanted)


def check_known(wanted: Iterable[str], present: Iterable[str]) -> None:
    """Check that each metric asked for is one that the table or the files have.

    Raises:
        AABenchError: it is not; names the nearest.
    """
    labels = {pattern for pattern in RULES if "*" not in pattern} | set(present)
    names = sorted(labels | {label.split("/")[0] for label in (*labels, *RULES)})
    for given in wanted:
        if not any(chosen(name, [given]) for name in names):
            near = difflib.get_close_matches(given, names, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"one of {', '.join(names)}"
            raise AABenchError(f"unknown metric {given!r}; {hint}")
