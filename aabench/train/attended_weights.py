"""Checks that weights are for a network's AW-convolutions: not all settings show in a weight's name or shape."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from aabench.errors import AABenchError
from aabench.layers import AWConv2d
from aabench.models.attention_weighted import ARGUMENTS, PLACEMENTS

EXTRA_STATE = "_extra_state"
"""The last part of a name in a state dict under which torch keeps what is no weight: here the settings of a layer."""


class Difference(NamedTuple):
    """A network's argument, as the weights were made with, and as the network has it."""

    argument: str
    theirs: Any
    own: Any

    def __str__(self) -> str:
        return f"{self.argument.removeprefix('aw_')} {_toml(self.theirs)} instead of {_toml(self.own)}"

    @property
    def change(self) -> str:
        """The option that builds the network as the weights need it."""
        return f"--set {self.argument}={_toml(self.theirs)}"


def check_settings(model: nn.Module, given: Mapping[str, Tensor], file: Path) -> None:
    """Check that weights were made for the settings of a network's AW-convolutions, and for such ones at all.

    Args:
        model: any network.
        given: weights by the network's own names.
        file: where they come from.

    Raises:
        AABenchError: they were not; says which settings differ. Or what they say of their settings is damaged.
    """
    layers = dict(_in_common(model, given))
    own = {name for name, layer in layers.items() if isinstance(layer, AWConv2d)}
    theirs = {name for name in layers if f"{name}.attention.reduce.weight" in given}
    if bool(own) != bool(theirs):
        having, lacking = ("the model", "these weights") if own else ("these weights", "the model")
        raise AABenchError(
            f"{file} does not fit the model: {having} {'has' if own else 'have'} {len(own or theirs)} AW-convolutions "
            f"where {lacking} {'have' if own else 'has'} plain ones; "
            "give weights of this architecture, or choose the task that they belong to"
        )
    differing = dict.fromkeys([*_of_placement(layers, own, theirs), *_of_layers(layers, given, file)])
    if differing:
        raise AABenchError(
            f"{file} is for other settings of AW-convolution: {', '.join(map(str, differing))}; "
            f"build the model with them ({' '.join(difference.change for difference in differing)}), "
            "or give weights of this setting"
        )


def _in_common(model: nn.Module, given: Mapping[str, Tensor]) -> Iterator[tuple[str, nn.Conv2d]]:
    """The convolutions that weights are for too: of the same name, and the same kernel size, since other networks may
    have some of the names.
    """
    for name, module in model.named_modules():
        weight = given.get(f"{name}.weight")
        if isinstance(module, nn.Conv2d) and weight is not None and tuple(weight.shape[2:]) == module.kernel_size:
            yield name, module


def _of_layers(layers: Mapping[str, nn.Conv2d], given: Mapping[str, Tensor], file: Path) -> Iterator[Difference]:
    for name, layer in layers.items():
        state = given.get(f"{name}.{EXTRA_STATE}")
        if not isinstance(layer, AWConv2d) or state is None:
            continue
        try:
            differing = layer.differing(state)
        except ValueError as error:
            raise AABenchError(
                f"{file} is damaged: of {name}, {error}; fetch or copy it again, or take an earlier one"
            ) from error
        for setting, (theirs, own) in differing.items():
            yield Difference(ARGUMENTS[setting], theirs, own)


def _of_placement(
    layers: Mapping[str, nn.Conv2d], own: Collection[str], theirs: Collection[str]
) -> Iterator[Difference]:
    here, there = (_placement({layers[name].kernel_size for name in names}) for names in (own, theirs))
    if here != there:
        yield Difference("aw_placement", there, here)


def _placement(kernels: Collection[tuple[int, ...]]) -> str | None:
    """The least placement that attends all of these kernels."""
    return next((name for name, placed in PLACEMENTS.items() if set(kernels) <= set(placed)), None)


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
