"""What a network with AW-convolutions costs in each setting that the paper may have: a number of its tells them apart.

The settings are :data:`aabench.models.attention_weighted.GRID`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from aabench.catalog import Task
from aabench.catalog.schema import Quantity
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.models.attention_weighted import GRID, NETWORKS
from aabench.profile.counting import formula_macs

Arguments = Mapping[str, Any]
"""One value for each argument of the grid."""

NO_MULTIPLY_ADDS = ("aw_norm", "aw_bias")
"""Arguments that change parameters only: settings that differ in these are counted once."""


@dataclass(frozen=True)
class Setting:
    """A setting, and what the network costs in it.

    Attributes:
        arguments: the values.
        params: parameters.
        counts: multiply-adds of one image, as ``macs`` and as ``flops`` (2 x MAC).
    """

    arguments: Arguments
    params: int
    counts: Mapping[str, int]

    @property
    def is_default(self) -> bool:
        """Whether all its values are our defaults."""
        return all(value == GRID[name][0] for name, value in self.arguments.items())

    def landing(self, flops: Quantity) -> tuple[str, ...]:
        """The conventions in which its count prints as a number."""
        return tuple(convention for convention, count in self.counts.items() if prints_as(count, flops))


@dataclass(frozen=True)
class Unbuilt:
    """A setting that the network cannot be built in, and why."""

    arguments: Arguments
    reason: str


@dataclass(frozen=True)
class Neighbour:
    """The setting whose count is nearest to a printed number, on one side of it.

    Attributes:
        setting: of several with the same count, that with the fewest parameters.
        count: its count.
        convention: of the count; None for parameters.
        others: how many more settings have this count.
    """

    setting: Setting
    count: int
    convention: str | None
    others: int = 0


@dataclass(frozen=True)
class Fingerprint:
    """The whole grid: what could be built, by parameters, and what could not."""

    settings: tuple[Setting, ...]
    unbuilt: tuple[Unbuilt, ...]

    def matching(self, params: Quantity | None, flops: Quantity | None) -> tuple[Setting, ...]:
        """The settings that print as the parameters and, in either convention, as the FLOPs; None excludes none."""
        return tuple(
            setting
            for setting in self.settings
            if (params is None or prints_as(setting.params, params)) and (flops is None or setting.landing(flops))
        )

    def around_params(self, params: Quantity) -> tuple[Neighbour | None, Neighbour | None]:
        """The nearest setting below what prints as the number, and the nearest above it."""
        return _around([Neighbour(setting, setting.params, None) for setting in self.settings], params)

    def around_flops(self, flops: Quantity) -> tuple[Neighbour | None, Neighbour | None]:
        """Likewise, of multiply-adds in either convention."""
        return _around(
            [Neighbour(setting, count, name) for setting in self.settings for name, count in setting.counts.items()],
            flops,
        )


def prints_as(count: int, number: Quantity) -> bool:
    """Whether a count is in the half-open interval of what prints as a number."""
    low, high = number.interval
    return low <= count < high


def count_settings(task: Task, watched: Callable[[Sequence[Arguments]], Iterable[Arguments]] = iter) -> Fingerprint:
    """Count a task's network in each setting of the grid, on meta tensors; its other arguments stay as they are.

    Args:
        task: its network has AW-convolutions.
        watched: goes through the settings, and may show how far it is.

    Raises:
        AABenchError: the network has no AW-convolutions, or can be built in no setting.
    """
    if task.model not in NETWORKS:
        raise AABenchError(
            f"{task.name} has no AW-convolutions to tell the settings of (model {task.model}); "
            "`aabench list --model 'aw_*'` shows the tasks that have"
        )
    counts = _Counts(task)
    for arguments in watched([dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]):
        counts.add(arguments)
    if not counts.settings:
        raise AABenchError(f"{task.name} can be built in no setting: {counts.unbuilt[0].reason}")
    by_params = sorted(counts.settings, key=lambda setting: setting.params)
    return Fingerprint(tuple(by_params), tuple(counts.unbuilt))


@dataclass
class _Counts:
    """Of the settings so far."""

    task: Task
    settings: list[Setting] = field(default_factory=list)
    unbuilt: list[Unbuilt] = field(default_factory=list)
    macs: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def add(self, arguments: Arguments) -> None:
        task = self.task
        try:
            model = create_model(
                task.model,
                input_size=task.input_size,
                num_classes=task.num_classes,
                device="meta",
                **{**task.arguments, **arguments},
            )
        except AABenchError as error:
            self.unbuilt.append(Unbuilt(arguments, str(error.__cause__ or error)))
            return
        key = tuple(value for name, value in arguments.items() if name not in NO_MULTIPLY_ADDS)
        if key not in self.macs:
            self.macs[key] = formula_macs(model, task.input_size)
        macs = self.macs[key]
        params = sum(parameter.numel() for parameter in model.parameters())
        self.settings.append(Setting(arguments, params, {"macs": macs, "flops": 2 * macs}))


def _around(points: Sequence[Neighbour], number: Quantity) -> tuple[Neighbour | None, Neighbour | None]:
    low, high = number.interval
    below = max((point.count for point in points if point.count < low), default=None)
    above = min((point.count for point in points if point.count >= high), default=None)
    return _first_at(below, points), _first_at(above, points)


def _first_at(count: int | None, points: Sequence[Neighbour]) -> Neighbour | None:
    at = [point for point in points if point.count == count]
    return replace(at[0], others=len(at) - 1) if at else None
