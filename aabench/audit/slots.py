"""Where a layer keeps the weights of the formula, and how they lie there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from aabench.audit.adapter import Adapter, Trial
from aabench.audit.formula import Values
from aabench.audit.target import Obstacle

LAYOUTS = {
    "offset-channel": (0, 1),
    "channel-offset": (1, 0),
    "head-offset-channel": (0, 1, 2),
}
"""Table layout -> the permutation that makes it (offset, channel), or (head, offset, channel)."""


@dataclass(frozen=True)
class Slot:
    """A part of a tensor of the layer, seen as the formula's weight."""

    name: str
    tensor: Tensor
    rows: slice | None = None
    order: tuple[int, ...] | None = None

    def view(self, of: Tensor | None = None) -> Tensor:
        """The weight within the layer's tensor, or within another one (a gradient) of its shape."""
        t = self.tensor if of is None else of
        if self.order is not None:
            return t.permute(self.order)
        t = t if self.rows is None else t[self.rows]
        return t if t.dim() == 4 else t[:, :, None, None]

    def copy(self) -> Tensor:
        """The weight, in float64."""
        return self.view().detach().double().clone()


def _copy(slot: Slot | None) -> Tensor | None:
    return None if slot is None else slot.copy()


@dataclass(frozen=True)
class Slots:
    """Every weight of a layer that the adapter names. ``dk`` and ``dv`` are read off the weights."""

    q: Slot
    k: Slot
    v: Slot
    output: Slot | None
    conv: Slot | None
    rows: Slot | None
    columns: Slot | None
    biases: dict[str, Tensor]

    def named(self) -> Iterator[tuple[str, Slot]]:
        """(the formula's name, where it is)."""
        for name in ("q", "k", "v", "output", "conv", "rows", "columns"):
            slot = getattr(self, name)
            if slot is not None:
                yield name, slot

    def values(self) -> Values:
        """A copy of the weights in float64; tables that are not (L, d_k^h) as they lie."""
        return Values(
            q=self.q.copy(),
            k=self.k.copy(),
            v=self.v.copy(),
            output=_copy(self.output),
            conv=_copy(self.conv),
            rows=_copy(self.rows),
            columns=_copy(self.columns),
        )

    @property
    def dk(self) -> int:
        """Channels of all heads' keys."""
        return self.k.view().shape[0]

    @property
    def dv(self) -> int:
        """Channels of all heads' values."""
        return self.v.view().shape[0]


def find_slots(layer: nn.Module, adapter: Adapter, *, relative: bool) -> Slots:
    """The weights that the adapter names; the tables only where the layer has relative positions.

    Raises:
        Obstacle: there is no such weight, or the formula cannot use one of its shape.
    """
    names = adapter.weights
    finder = _Finder(layer)
    q, k, v = _projections(finder, adapter)
    with_tables = relative and names.row_table is not None
    slots = Slots(
        q,
        k,
        v,
        finder.matrix(names.output),
        finder.matrix(names.conv),
        finder.table(names.row_table, names.table_layout) if with_tables else None,
        finder.table(names.column_table, names.table_layout) if with_tables else None,
        finder.biases,
    )
    _check_shapes(slots, adapter.trial)
    return slots


def _check_shapes(slots: Slots, trial: Trial) -> None:
    """That the formula can be computed with these weights. Whether they are the paper's is a finding."""
    shapes = {name: slot.view().shape for name, slot in slots.named() if name not in ("rows", "columns")}
    whose = {name: f"{name}, {slot.name}," for name, slot in slots.named()}
    if shapes["q"][0] != shapes["k"][0]:
        raise Obstacle(
            f"{whose['q']} has {shapes['q'][0]} channels and {whose['k']} {shapes['k'][0]}; queries and keys have "
            "equally many"
        )
    for name, (channels, inputs, height, width) in shapes.items():
        if name in ("q", "k", "v") and channels % trial.num_heads:
            raise Obstacle(f"{whose[name]} has {channels} channels, which are not those of {trial.num_heads} heads")
        wanted = slots.dv if name == "output" else trial.in_channels
        if inputs != wanted:
            raise Obstacle(f"{whose[name]} takes {inputs} channels, and what it is applied to has {wanted}")
        if height % 2 == 0 or width % 2 == 0:
            raise Obstacle(
                f"{whose[name]} has a {height}x{width} kernel; the audit knows odd ones, which keep a map's size"
            )


def _projections(finder: _Finder, adapter: Adapter) -> tuple[Slot, Slot, Slot]:
    names = adapter.weights
    if names.qkv is None:
        q, k, v = (finder.matrix(name) for name in (names.q, names.k, names.v))
        assert q is not None
        assert k is not None
        assert v is not None
        return q, k, v
    joint = finder.matrix(names.qkv)
    assert joint is not None
    channels = joint.tensor.shape[0]
    dv = _value_channels(finder, adapter)
    dk, odd = divmod(channels - dv, 2)
    if odd or dk < 1:
        raise Obstacle(f"{names.qkv} has {channels} output channels, which are not 2 dk + dv with dv = {dv}")
    parts, start = {}, 0
    for letter in names.order:
        width = dv if letter == "v" else dk
        parts[letter] = Slot(joint.name, joint.tensor, slice(start, start + width))
        start += width
    return parts["q"], parts["k"], parts["v"]


def _value_channels(finder: _Finder, adapter: Adapter) -> int:
    """Dv, from the output projection, or from what the convolution leaves, or else as asked for."""
    output, conv = finder.matrix(adapter.weights.output), finder.matrix(adapter.weights.conv)
    if output is not None:
        return output.tensor.shape[1]
    return adapter.trial.dv if conv is None else adapter.trial.out_channels - conv.tensor.shape[0]


class _Finder:
    """Looks names up in a layer, and gathers the biases of the modules on the way."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer
        self.biases: dict[str, Tensor] = {}

    def matrix(self, name: str | None) -> Slot | None:
        """A projection or a convolution: two dimensions (a linear layer) or four."""
        if name is None:
            return None
        slot = Slot(*self._tensor(name))
        if slot.tensor.dim() not in (2, 4) or not slot.tensor.numel():
            raise Obstacle(f"{slot.name} has shape {tuple(slot.tensor.shape)}; a projection has two or four dimensions")
        return slot

    def table(self, name: str | None, layout: str) -> Slot | None:
        """A relative table."""
        if name is None:
            return None
        full, tensor = self._tensor(name)
        order = LAYOUTS[layout]
        if tensor.dim() != len(order):
            raise Obstacle(f"{full} has shape {tuple(tensor.shape)}; the adapter's table_layout is {layout!r}")
        return Slot(full, tensor, order=order)

    def _tensor(self, name: str) -> tuple[str, Tensor]:
        found: object = self.layer
        for part in name.split("."):
            if not hasattr(found, part):
                own = ", ".join(key for key, _ in self.layer.named_parameters()) or "none at all"
                raise Obstacle(f"the adapter names {name}, and the layer has no such weight; its parameters: {own}")
            found = getattr(found, part)
        if isinstance(found, nn.Module):
            bias = getattr(found, "bias", None)
            if isinstance(bias, Tensor):
                self.biases[f"{name}.bias"] = bias
            name, found = f"{name}.weight", getattr(found, "weight", None)
        elif name.endswith(("_weight", ".weight")):
            self._bias_beside(name)
        if not isinstance(found, Tensor):
            raise Obstacle(f"the adapter names {name}, and that is no weight but a {type(found).__name__}")
        if is_lazy(found):
            raise Obstacle(f"{name} has no shape before a first call; the audit must know it")
        if not found.is_leaf:
            raise Obstacle(f"{name} is computed and not stored; the adapter must name what it is computed from")
        return name, found

    def _bias_beside(self, name: str) -> None:
        """in_proj_bias beside in_proj_weight, as in nn.MultiheadAttention."""
        own = dict(self.layer.named_parameters())
        beside = f"{name.removesuffix('weight')}bias"
        if beside in own:
            self.biases[beside] = own[beside]


def fill(slots: Slots, seed: int) -> None:
    """Give a layer weights of ours, in which every fault shows: logits of about one, no bias.

    A layer's own initial weights are often so small that its attention is almost a mean, whatever it computes.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, slot in slots.named():
            view = slot.view()
            std = 1.0 if name in ("rows", "columns") else 1.3 / view[0].numel() ** 0.5
            view.copy_(torch.randn(view.shape, generator=generator, dtype=torch.float64) * std)
        for bias in slots.biases.values():
            bias.zero_()
