"""What a network with AW-convolutions costs in each setting in question: the paper's numbers tell which do not fit.

The settings are :data:`aabench.models.attention_weighted.GRID`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from torch import nn

from aabench.catalog import Task
from aabench.catalog.schema import Quantity
from aabench.errors import AABenchError, NotMeasurable
from aabench.layers import AWConv2d
from aabench.models import create_model
from aabench.models.attention_weighted import GRID, NETWORKS
from aabench.profile.counting import formula_macs

Arguments = Mapping[str, Any]
"""One value for each argument of the grid."""

BRANCH = ("aw_norm", "aw_bias")
"""Arguments that add parameters to the branch F1 and no multiply-adds: a network with both is counted, and what each
adds is taken from its parameters."""


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
        watched: goes through the networks that are counted, each of several settings; it may show how far that is.

    Raises:
        AABenchError: the network has no AW-convolutions, or can be built in no setting.
        NotMeasurable: it cannot be built in this version.
    """
    if task.obstacle is not None:
        raise NotMeasurable(f"{task.name} cannot be counted here: {task.obstacle}")
    if task.model not in NETWORKS:
        raise AABenchError(
            f"{task.name} has no AW-convolutions to tell the settings of (model {task.model}); "
            "`aabench list --model 'aw_*'` shows the tasks that have"
        )
    settings: list[Setting] = []
    unbuilt: list[Unbuilt] = []
    for network in watched(_combinations([name for name in GRID if name not in BRANCH])):
        of_network = [{name: {**network, **branch}[name] for name in GRID} for branch in _combinations(BRANCH)]
        try:
            model = _build(task, {**network, **dict.fromkeys(BRANCH, True)})
        except AABenchError as error:
            unbuilt += [Unbuilt(arguments, str(error.__cause__ or error)) for arguments in of_network]
        else:
            settings += _count(model, task.input_size, of_network)
    if not settings:
        raise AABenchError(f"{task.name} can be built in no setting: {unbuilt[0].reason}")
    return Fingerprint(tuple(sorted(settings, key=lambda setting: setting.params)), tuple(unbuilt))


def _combinations(names: Sequence[str]) -> list[Arguments]:
    return [dict(zip(names, values, strict=True)) for values in product(*(GRID[name] for name in names))]


def _build(task: Task, arguments: Arguments) -> nn.Module:
    size, classes = task.input_size, task.num_classes
    arguments = {**task.arguments, **arguments}
    return create_model(task.model, input_size=size, num_classes=classes, device="meta", **arguments)


def _count(model: nn.Module, input_size: int, settings: Sequence[Arguments]) -> list[Setting]:
    """The settings of a network that has norms and biases: without them, without one of them, and with both."""
    macs = formula_macs(model, input_size)
    counts = {"macs": macs, "flops": 2 * macs}
    params, branch = _params(model), _branch_params(model)
    return [
        Setting(setting, params - sum(branch[name] for name in BRANCH if not setting[name]), counts)
        for setting in settings
    ]


def _branch_params(model: nn.Module) -> dict[str, int]:
    """Parameters of the norms, and biases, in all branches F1 of a network that has both."""
    branches = [module.attention for module in model.modules() if isinstance(module, AWConv2d)]
    biases = [conv.bias for branch in branches for conv in (branch.reduce, branch.expand)]
    return {
        "aw_norm": sum(_params(branch.norm) for branch in branches),
        "aw_bias": sum(bias.numel() for bias in biases if bias is not None),
    }


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _around(points: Sequence[Neighbour], number: Quantity) -> tuple[Neighbour | None, Neighbour | None]:
    low, high = number.interval
    below = max((point.count for point in points if point.count < low), default=None)
    above = min((point.count for point in points if point.count >= high), default=None)
    return _first_at(below, points), _first_at(above, points)


def _first_at(count: int | None, points: Sequence[Neighbour]) -> Neighbour | None:
    at = [point for point in points if point.count == count]
    return replace(at[0], others=len(at) - 1) if at else None
