"""Squeeze-and-Excitation (Hu et al., 1709.01507), one of AA's baselines (Tables 1 to 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def hidden_channels(channels: int, reduction: int) -> int:
    """C / r, rounded down: the width of a gate's hidden layer.

    Raises:
        ValueError: the reduction leaves no channel, or is below 1.
    """
    if not 1 <= reduction <= channels:
        raise ValueError(f"reduction is between 1 and the {channels} channels, got {reduction}")
    return channels // reduction


class ChannelMLP(nn.Module):
    """Two fully connected layers with ReLU between them, over the channels of a map of one pixel.

    Args:
        channels: C.
        reduction: r; the hidden layer has C / r channels.
        bias: whether both layers have biases.

    Raises:
        ValueError: reduction out of range.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=bias, device=device, dtype=dtype)
        self.expand = nn.Conv2d(hidden, channels, 1, bias=bias, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1) -> (N, C, 1, 1)."""
        logits: Tensor = self.expand(self.reduce(x).relu())
        return logits


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channels' means. Arguments are :class:`ChannelMLP`'s."""

    def __init__(self, channels: int, reduction: int = 16, **options: Any) -> None:
        super().__init__()
        self.mlp = ChannelMLP(channels, reduction, **options)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        gate: Tensor = self.mlp(x.mean((2, 3), keepdim=True)).sigmoid()
        return x * gate
