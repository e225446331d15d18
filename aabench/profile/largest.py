"""The largest resolution or batch that fits: planned from the prediction, confirmed in fresh processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from aabench.catalog import Task
from aabench.errors import AABenchError, NotMeasurable
from aabench.models import create_model
from aabench.profile.predict import predict
from aabench.profile.ranges import LARGEST_SIDE
from aabench.profile.sweeping import measure_point
from aabench.profile.way import Way
from aabench.record import Measurement

SIDE_STEP = 32
"""Sides are tried in these steps: the total stride of the networks."""
LARGEST_BATCH = 2**20

_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass
class Search:
    """The search for one task; ``fits`` and ``fails`` close in on the answer while :meth:`trials` runs.

    Args:
        task: whose model.
        what: ``batch`` (at ``side``) or ``res`` (at the way's batch).
        memory: bytes for model, training state and call, see :mod:`aabench.profile.limit`.
        side: of the images, where the batch is looked for.
        way: how the network is run; ``--find-max batch`` ignores its batch.
    """

    task: Task
    what: str
    memory: int
    side: int
    way: Way
    fits: int = 0
    """The largest number known to fit; 0 for none."""
    fails: int | None = None
    """The smallest known not to."""
    planned: int = 0
    """What the prediction says is the largest that fits."""
    _known: dict[int, int] = field(default_factory=dict, repr=False)
    """Number -> predicted bytes."""

    def __post_init__(self) -> None:
        if self.what not in ("res", "batch"):
            raise AABenchError(f"what can be looked for is res or batch, not {self.what!r}")

    def trials(self) -> Iterator[Measurement]:
        """Run points in fresh processes, one row each, until the largest that fits and the next one are known.

        The first is the planned one. What a point took, against what was predicted of it, then scales the prediction;
        every other trial halves the bracket instead, so that the search ends whatever the prediction is worth. A
        process that dies by a signal does not fit: libraries that do not check their allocations end so.

        Raises:
            NotMeasurable: a point failed for another reason than memory.
        """
        self.planned = self._plan(1.0)
        number, scale, halve = max(self.planned, self._step), 1.0, False
        while self.fails is None or self.fails - self.fits > self._step:
            row = self._try(number)
            yield row
            if row.status == "failed" and "signal" not in row.detail:
                raise NotMeasurable(f"{self.what} {number} of {self.task.name} could not be run: {row.error}")
            if row.status == "ok":
                scale = row.detail["taken"] / self._predicted(number)
            if row.status == "ok" and row.detail["taken"] <= self.memory:
                self.fits = number
            else:
                self.fails = number
            if self.fits == self._most:
                return
            number, halve = self._next(scale, halve), not halve

    def _next(self, scale: float, halve: bool) -> int:
        step = self._step
        if self.fails is None:
            return min(self._most, max(self._plan(scale), self.fits + step))
        middle = self.fits + max(step, (self.fails - self.fits) // 2 // step * step)
        if halve or not self.fits:
            return middle
        return min(max(self._plan(scale), self.fits + step), self.fails - step)

    @property
    def _step(self) -> int:
        return SIDE_STEP if self.what == "res" else 1

    @property
    def _most(self) -> int:
        return LARGEST_SIDE if self.what == "res" else LARGEST_BATCH

    def _plan(self, scale: float) -> int:
        """The largest number that fits if each takes so many times what is predicted of it; 0 for none."""
        step = self._step
        return step * _last(lambda count: scale * self._predicted(count * step) <= self.memory, self._most // step)

    def _try(self, number: int) -> Measurement:
        side, way = self._point(number)
        return measure_point(self.task, side, way, memory_limit=self.memory)

    def _predicted(self, number: int) -> int:
        if number not in self._known:
            self._known[number] = self._predict(number)
        return self._known[number]

    def _predict(self, number: int) -> int:
        side, way = self._point(number)
        task = self.task
        model = create_model(task.model, input_size=side, num_classes=task.num_classes, device="meta", **task.arguments)
        return predict(model, side, task.num_classes, way).peak

    def _point(self, number: int) -> tuple[int, Way]:
        return (number, self.way) if self.what == "res" else (self.side, replace(self.way, batch=number))


def _last(holds: Callable[[int], bool], most: int) -> int:
    """The last number from 1 to ``most`` that a condition holds for, which holds up to some number; 0 for none."""
    if not holds(1):
        return 0
    low, high = 1, 2
    while high <= most and holds(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def parse_bytes(text: str) -> int:
    """``24GiB`` -> bytes.

    Raises:
        AABenchError: no number with a unit, or nothing.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", text.strip())
    if match is None or match[2] not in _UNITS or float(match[1]) == 0:
        raise AABenchError(f"memory {text!r} is no amount; write 24GiB or 800MB ({', '.join(_UNITS)})")
    return int(float(match[1]) * _UNITS[match[2]])
