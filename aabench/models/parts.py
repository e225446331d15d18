"""What networks are put together from: the layer in the place of a 3x3 convolution, the gate of a block."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from aabench.layers import AAConv2d
from aabench.terms import Size

Conv3x3 = Callable[[int, int, int, Size], nn.Module]
"""(in_channels, out_channels, stride, input map size) -> the layer in the place of a 3x3 convolution."""
Gate = Callable[[int], nn.Module]
"""channels -> a module (N, C, H, W) -> (N, C, H, W) after the last layer of a block."""
Network = Callable[..., nn.Module]
"""``input_size=(H, W)``, ``num_classes=`` and the network's own keyword arguments -> the network."""


def conv3x3(in_channels: int, out_channels: int, stride: int, feature_size: Size) -> nn.Module:
    """A plain 3x3 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)


def augmented(**options: Any) -> Conv3x3:
    """A maker of attention augmented 3x3 convolutions with these options of AAConv2d."""

    def make(in_channels: int, out_channels: int, stride: int, feature_size: Size) -> nn.Module:
        return AAConv2d(in_channels, out_channels, 3, feature_size=feature_size, stride=stride, **options)

    return make


def no_gate(channels: int) -> nn.Module:
    """Leaves the block as it is."""
    return nn.Identity()


def reduced(size: Size, stride: int = 2) -> Size:
    """The map's size after a padded convolution or pooling of a stride: each side halved (say), rounded up."""
    return -(-size[0] // stride), -(-size[1] // stride)


def joint_signature(inner: Callable[..., Any], outer: Callable[..., Any]) -> inspect.Signature:
    """The arguments of a builder that passes on those of another one, as ``**own``."""
    of_both = (inspect.signature(function, eval_str=True).parameters for function in (inner, outer))
    parameters = {name: parameter for known in of_both for name, parameter in known.items() if name != "own"}
    return inspect.Signature(list(parameters.values()))
