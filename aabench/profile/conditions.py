"""Points of sweeps, grouped by conditions: only points of equal conditions can be compared. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from aabench.profile.way import waits_for_device
from aabench.record import Measurement

UNSYNCHRONISED = "not synchronised"
"""The option of times that do not wait for the device."""

_TITLES = {"infer": "inference", "forward": "forward in train mode", "train": "training step"}


class Conditions(NamedTuple):
    """How points were run, and on what."""

    predicted: bool
    """Whether nothing was run: the points are of level ``predict``."""
    device: str
    mode: str
    batch: int
    dtype: str
    options: tuple[str, ...]
    """What differs from the plain way: compiled, channels last, warm allocator, not synchronised, interleaved."""
    machine: str

    @property
    def title(self) -> str:
        """For a heading."""
        what = _TITLES.get(self.mode, self.mode)
        parts = (what, f"batch {self.batch}", self.dtype, self.device, *self.options)
        return f"{'predicted: ' if self.predicted else ''}{', '.join(parts)}: {self.machine}"

    @property
    def slug(self) -> str:
        """For a file name."""
        parts = (self.device, self.mode, self.batch, self.dtype, *self.options, self.machine)
        kind = "predicted" if self.predicted else "profile"
        return "-".join(re.findall(r"[a-z0-9.]+", f"{kind} {' '.join(map(str, parts))}".lower()))


def by_conditions(rows: Sequence[Measurement]) -> Iterator[tuple[Conditions, list[Measurement]]]:
    """The newest row of each point that was measured, predicted or ran out of memory.

    Measured ones come first; tasks in the order of the rows, sides ascending.
    """
    points = [row for row in rows if row.level in ("profile", "predict") and row.status in ("ok", "oom")]
    points = [row for row in points if is_point(row)]
    tasks = list(dict.fromkeys(row.task for row in points))
    newest = {(conditions_of(row), tasks.index(row.task), int(row.settings["input_size"])): row for row in points}
    for conditions, keys in groupby(sorted(newest), key=lambda key: key[0]):
        yield conditions, [newest[key] for key in keys]


def is_point(row: Measurement) -> bool:
    """Whether a profiled or predicted row is a point of a sweep, with a process to itself.

    So not a trial under a memory limit, a module's own time, or a network of an interleaved run.
    """
    return not {"memory_limit", "by_module"} & row.settings.keys() and not is_interleaved(row)


def is_interleaved(row: Measurement) -> bool:
    """Whether a row is of a network that took turns with others, see :mod:`aabench.profile.interleaving`."""
    return "interleaved" in row.settings


def conditions_of(row: Measurement) -> Conditions:
    """Of a row of level ``profile`` or ``predict``; settings that rows of version 1 lack are the plain ones."""
    device, mode, batch, dtype = (row.settings[name] for name in ("device", "mode", "batch", "dtype"))
    predicted = row.level == "predict"
    chosen = {
        "compiled": row.settings.get("compile", False),
        "channels last": row.settings.get("channels_last", False),
        "warm allocator": row.settings.get("allocator", "default") == "warm" and not predicted,
        UNSYNCHRONISED: not waits_for_device(row.settings) and not predicted,
        "interleaved": is_interleaved(row),
    }
    options = tuple(name for name, there in chosen.items() if there)
    return Conditions(predicted, device, mode, batch, dtype, options, _machine(row, device))


def _machine(row: Measurement, device: str) -> str:
    known = row.environment
    torch = f"torch {known.get('torch')}"
    if row.level == "predict":  # found without running: the machine does not bear on it
        return torch
    on = known.get("gpu") if device == "cuda" else f"{known.get('cpu')}, threads {known.get('threads')}"
    allocator = known.get("allocator", "default")
    return ", ".join([str(on), torch, *([] if allocator == "default" else [allocator])])
