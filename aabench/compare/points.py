"""Point: what is joined. One model at one size, run one way, with its numbers; made of the rows of a log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aabench.compare.metrics import label_of
from aabench.profile.way import waits_for_device
from aabench.record import Measurement, Value

LEVELS = ("structure", "predict", "profile")
"""Levels whose rows hold counts. What a training reached is judged against a paper, by ``aabench verify``."""

_WAY = {"mode": None, "batch": None, "dtype": None, "device": None, "compile": False, "channels_last": False}
_WAY |= {"memory_limit": None, "by_module": None, "interleaved": None}
"""Settings that bear on the numbers, with what a row that does not name them was run with. Not those that only say how
long and how often was measured (seconds, precision, repeats, flush_l2), nor the allocator."""

_MACHINE = ("cpu", "gpu", "threads", "torch")
"""What of the environment makes two measurements those of one machine."""


class Key(NamedTuple):
    """What two points must share to be joined."""

    task: str
    level: str
    way: tuple[tuple[str, Any], ...]
    side: int | None = None


@dataclass(frozen=True)
class Point:
    """One model at one size, run one way."""

    key: Key
    values: Mapping[str, Value] = field(default_factory=dict)
    """``metric/convention`` -> its number; empty if it failed."""
    failure: str | None = None
    """Why there are no numbers: status and error."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    """The model and its arguments. Not in the key: a task that is defined anew is still the same task."""
    machine: tuple[Any, ...] = ()
    torch: str | None = None
    schema_version: int | None = None

    @property
    def at(self) -> dict[str, Any]:
        """Input size and way of running, as a finding has it."""
        side = {} if self.key.side is None else {"input_size": self.key.side}
        return side | dict(self.key.way)


def points_of(rows: Iterable[Measurement]) -> dict[Key, Point]:
    """The points of a log: of each the newest row that is ok, and only without one the newest that failed.

    A row that was interrupted or blocked says nothing about its point, and makes none.
    """
    points: dict[Key, Point] = {}
    for row in sorted(rows, key=lambda row: (row.status == "ok", row.time)):
        if row.level in LEVELS and row.status in ("ok", "failed", "oom"):
            point = _point(row)
            points[point.key] = point
    return points


def _point(row: Measurement) -> Point:
    settings = row.settings
    ok = row.status == "ok"
    return Point(
        key=Key(row.task, row.level, _way(row), settings.get("input_size")),
        values={label_of(value.metric, value.convention): value for value in row.values} if ok else {},
        failure=None if ok else f"{row.status}: {row.error}",
        definition={"model": settings.get("model"), **settings.get("arguments", {})},
        machine=tuple(row.environment.get(name) for name in _MACHINE),
        torch=row.environment.get("torch"),
        schema_version=row.schema_version,
    )


def _way(row: Measurement) -> tuple[tuple[str, Any], ...]:
    """What a person chose otherwise than the task has it is part of the way; changes of a recipe do not bear on it."""
    way = {name: row.settings.get(name, default) for name, default in _WAY.items()}
    way |= {"unsynchronised": None if row.level != "profile" or waits_for_device(row.settings) else True}
    arguments = row.settings.get("arguments", {})
    altered = {name: value for name, value in row.altered.items() if name in arguments}
    set_to = {"set": json.dumps(altered, sort_keys=True)} if altered else {}
    return tuple((name, value) for name, value in {**way, **set_to}.items() if value is not None)
