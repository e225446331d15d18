"""Operations of one layer by a closed formula: one small pure function a layer type.

A formula takes the module and the shapes of its tensor inputs, and gives operations by kind (see
:mod:`aabench.profile.conventions`). It belongs to the exact type: a sub-class may compute something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from torch import nn

from aabench.layers import AttentionCore, GatherExcite, RelativePosition2d, SqueezeExcite

Shape = tuple[int, ...]
Formula = Callable[[Any, tuple[Shape, ...]], dict[str, int]]
"""(module, shapes of its tensor inputs) -> operations by kind."""


def conv2d(module: nn.Conv2d, shapes: tuple[Shape, ...]) -> dict[str, int]:
    """(N, C_in, H, W): k_h k_w C_in / groups multiply-adds an output element; biases add none."""
    batch, _, *size = shapes[0]
    taps = prod(module.kernel_size) * module.in_channels // module.groups
    outputs = prod(
        (side + 2 * _padding(module, axis) - module.dilation[axis] * (module.kernel_size[axis] - 1) - 1)
        // module.stride[axis]
        + 1
        for axis, side in enumerate(size)
    )
    return {"conv": batch * module.out_channels * outputs * taps}


def _padding(module: nn.Conv2d, axis: int) -> int:
    if isinstance(module.padding, str):
        raise NotImplementedError(f"padding={module.padding!r}")
    return int(module.padding[axis])


def linear(module: nn.Linear, shapes: tuple[Shape, ...]) -> dict[str, int]:
    """(..., in_features): in_features multiply-adds an output element."""
    return {"linear": prod(shapes[0][:-1]) * module.in_features * module.out_features}


def attention_core(module: AttentionCore, shapes: tuple[Shape, ...]) -> dict[str, int]:
    """q (N, Nh, n, d), k, v (N, Nh, n, e): n^2 d multiply-adds a head for Q K^T and n^2 e for A V."""
    (batch, heads, tokens, key_channels), _, (*_, value_channels), *_ = shapes
    return {"attention": batch * heads * tokens**2 * (key_channels + value_channels)}


def relative_position(module: RelativePosition2d, shapes: tuple[Shape, ...]) -> dict[str, int]:
    """q (N, Nh, n, d): each query meets H row and W column embeddings, n (H + W) d multiply-adds a head."""
    return {"relative": prod(shapes[0]) * sum(module.feature_size)}


def gate(module: SqueezeExcite | GatherExcite, shapes: tuple[Shape, ...]) -> dict[str, int]:
    """x (N, C, H, W): pooling and scaling, one operation an element each. The layers inside count for themselves."""
    return {"gate": 2 * prod(shapes[0])}


FORMULAS: Mapping[type[nn.Module], Formula] = {
    nn.Conv2d: conv2d,
    nn.Linear: linear,
    AttentionCore: attention_core,
    RelativePosition2d: relative_position,
    SqueezeExcite: gate,
    GatherExcite: gate,
}
"""Layer type -> formula."""
