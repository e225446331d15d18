"""Operations and activations of one layer by a closed formula: one small pure function a layer type.

A formula takes the module and the shapes of its tensor inputs, and gives its :class:`Work`. It belongs to the exact
type: a sub-class may compute something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

from torch import nn

from aabench.layers import (
    BAM,
    CBAM,
    GALA,
    AttentionCore,
    AWConv2d,
    AxialAttention,
    DenseImplicitAttention,
    EfficientAttention,
    GatherExcite,
    LinearAttention,
    Linformer,
    Nystromformer,
    Performer,
    RelativePosition2d,
    SpatialGroupEnhance,
    SqueezeExcite,
    WindowAttention,
)

Shape = tuple[int, ...]


class Work(NamedTuple):
    """What a layer's definition needs in one call."""

    operations: dict[str, int]
    """By kind, see :mod:`aabench.profile.conventions`."""
    activations: int
    """Elements of the results of its multiply-adds: outputs of convolutions and linear layers, the maps Q K^T, the
    relative logits and A V. The attention map counts once, as Q K^T: that softmax makes another is left out, as are the
    results of normalisation and ReLU (fvcore's convention)."""


Formula = Callable[[Any, tuple[Shape, ...]], Work]
"""(module, shapes of its tensor inputs) -> its work."""


def conv2d(module: nn.Conv2d, shapes: tuple[Shape, ...]) -> Work:
    """(N, C_in, H, W): k_h k_w C_in / groups multiply-adds an output element; biases add none."""
    batch, _, *size = shapes[0]
    taps = prod(module.kernel_size) * module.in_channels // module.groups
    cells = prod(
        (side + 2 * _padding(module, axis) - module.dilation[axis] * (module.kernel_size[axis] - 1) - 1)
        // module.stride[axis]
        + 1
        for axis, side in enumerate(size)
    )
    outputs = batch * module.out_channels * cells
    return Work({"conv": outputs * taps}, outputs)


def attention_weighted(module: AWConv2d, shapes: tuple[Shape, ...]) -> Work:
    """(N, C1, H, W): the multiply-adds of its convolution; pooling, one operation an input element, and scaling the
    kernel, one an element for each sample. As in :func:`gate`.
    """
    operations, activations = conv2d(module, shapes)
    return Work({**operations, "gate": prod(shapes[0]) + shapes[0][0] * module.weight.numel()}, activations)


def _padding(module: nn.Conv2d, axis: int) -> int:
    if isinstance(module.padding, str):
        raise NotImplementedError(f"padding={module.padding!r}")
    return int(module.padding[axis])


def linear(module: nn.Linear, shapes: tuple[Shape, ...]) -> Work:
    """(..., in_features): in_features multiply-adds an output element."""
    outputs = prod(shapes[0][:-1]) * module.out_features
    return Work({"linear": outputs * module.in_features}, outputs)


def attention_core(module: AttentionCore, shapes: tuple[Shape, ...]) -> Work:
    """q (N, Nh, n, d), k, v (N, Nh, n, e): n^2 d multiply-adds a head for Q K^T and n^2 e for A V.

    Its activations are those of the definition, whatever the form that runs: n^2 logits and n e results a head.
    """
    (batch, heads, tokens, key_channels), _, (*_, value_channels), *_ = shapes
    pairs = batch * heads * tokens**2
    return Work({"attention": pairs * (key_channels + value_channels)}, pairs + batch * heads * tokens * value_channels)


def efficient_attention(module: EfficientAttention, shapes: tuple[Shape, ...]) -> Work:
    """q (N, Nh, n, d), v (N, Nh, n, e): n d e multiply-adds a head for the context K^T V and as many to read it."""
    (batch, heads, tokens, key_channels), _, (*_, value_channels), *_ = shapes
    context = batch * heads * key_channels * value_channels
    return Work({"attention": 2 * tokens * context}, context + batch * heads * tokens * value_channels)


def linear_attention(module: LinearAttention, shapes: tuple[Shape, ...]) -> Work:
    """The same and n d a head for the sums that the result is divided by."""
    (*queries, key_channels), _, (*_, value_channels), *_ = shapes
    return _by_features(prod(queries), prod(queries[:2]), key_channels, value_channels)


def performer(module: Performer, shapes: tuple[Shape, ...]) -> Work:
    """r features of each q' and k', 2 n r d' multiply-adds a head, then linear attention over them.

    d' = d + H + W with relative positions, else d, here and below.
    """
    (*queries, key_channels), _, (*_, value_channels), *relative = shapes
    features = 2 * prod(queries) * module.size
    operations, activations = _by_features(prod(queries), prod(queries[:2]), module.size, value_channels)
    width = key_channels + _positions(relative)
    return Work({"attention": operations["attention"] + features * width}, activations + features)


def _by_features(queries: int, heads: int, features: int, value_channels: int) -> Work:
    """K^T V, sum K, and both read by each query, for keys and queries of some features, over all images and heads."""
    operations = queries * features * (2 * value_channels + 1)
    return Work({"attention": operations}, heads * features * value_channels + queries * (value_channels + 1))


def linformer(module: Linformer, shapes: tuple[Shape, ...]) -> Work:
    """E K', Q' (E K')^T, F V and A (F V): 2 n k (d' + e) a head."""
    (batch, heads, tokens, key_channels), _, (*_, value_channels), *relative = shapes
    width = key_channels + _positions(relative) + value_channels
    pairs = batch * heads * tokens * module.size
    outputs = batch * heads * (module.size * width + tokens * value_channels)
    return Work({"attention": 2 * pairs * width}, pairs + outputs)


def nystromformer(module: Nystromformer, shapes: tuple[Shape, ...]) -> Work:
    """Three maps, of n m, m m and m n; V read by the last, Z by that, and the result by the first.

    (2 n m + m^2) (d' + e) multiply-adds a head, and 4 m^3 an iteration.
    """
    (batch, heads, tokens, key_channels), _, (*_, value_channels), *relative = shapes
    m = module.size
    maps = 2 * tokens * m + m * m
    inverse = module.iterations * 4 * m**3
    operations = maps * (key_channels + _positions(relative) + value_channels) + inverse
    outputs = maps + (2 * m + tokens) * value_channels + module.iterations * 4 * m * m
    return Work({"attention": batch * heads * operations}, batch * heads * outputs)


def axial_attention(module: AxialAttention, shapes: tuple[Shape, ...]) -> Work:
    """Each query meets the W keys of its row, then the H of its column: n (H + W) (d + e) multiply-adds a head."""
    (*queries, key_channels), _, (*_, value_channels), *_ = shapes
    pairs = prod(queries) * sum(module.feature_size)
    return Work({"attention": pairs * (key_channels + value_channels)}, pairs + 2 * prod(queries) * value_channels)


def window_attention(module: WindowAttention, shapes: tuple[Shape, ...]) -> Work:
    """Each query meets the w w keys of its window: w^2 (d + e) multiply-adds a head, for queries in the padding too."""
    (batch, heads, _, key_channels), _, (*_, value_channels), *_ = shapes
    cells = prod(module.scope)
    windows = prod(-(-side // tile) for side, tile in zip(module.feature_size, module.scope, strict=True))
    queries = batch * heads * windows * cells
    work = queries * cells * (key_channels + value_channels)
    return Work({"attention": work}, queries * (cells + value_channels))


def _positions(relative: list[Shape]) -> int:
    """H + W, from the shapes of the relative logits; 0 where there are none."""
    return sum(shape[-1] for shape in relative)


def relative_position(module: RelativePosition2d, shapes: tuple[Shape, ...]) -> Work:
    """q (N, Nh, n, d): each query meets H row and W column embeddings, n (H + W) d multiply-adds a head.

    With windows, those of one window.
    """
    *queries, key_channels = shapes[0]
    logits = prod(queries) * sum(module.window)
    return Work({"relative": logits * key_channels}, logits)


def gate(module: SqueezeExcite | GatherExcite | BAM | GALA | DenseImplicitAttention, shapes: tuple[Shape, ...]) -> Work:
    """x (N, C, H, W): pooling and scaling, one operation an element each. The layers inside count for themselves."""
    return Work({"gate": 2 * prod(shapes[0])}, 0)


def cbam(module: CBAM, shapes: tuple[Shape, ...]) -> Work:
    """x (N, C, H, W): mean, maximum and scaling, over the map and again over the channels. As in :func:`gate`."""
    return Work({"gate": 6 * prod(shapes[0])}, 0)


def spatial_group_enhance(module: SpatialGroupEnhance, shapes: tuple[Shape, ...]) -> Work:
    """x (N, C, H, W): the mean over the map, the sum over a group's channels, scaling. As in :func:`gate`."""
    return Work({"gate": 3 * prod(shapes[0])}, 0)


FORMULAS: Mapping[type[nn.Module], Formula] = {
    nn.Conv2d: conv2d,
    AWConv2d: attention_weighted,
    nn.Linear: linear,
    AttentionCore: attention_core,
    EfficientAttention: efficient_attention,
    LinearAttention: linear_attention,
    Performer: performer,
    Linformer: linformer,
    Nystromformer: nystromformer,
    AxialAttention: axial_attention,
    WindowAttention: window_attention,
    RelativePosition2d: relative_position,
    SqueezeExcite: gate,
    GatherExcite: gate,
    BAM: gate,
    CBAM: cbam,
    GALA: gate,
    DenseImplicitAttention: gate,
    SpatialGroupEnhance: spatial_group_enhance,
}
"""Layer type -> formula."""
