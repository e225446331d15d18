"""Convolutional Block Attention Module, CBAM (Woo et al., https://arxiv.org/abs/1807.06521), in AA's Table 2.

AA's sheet does not define it. The equations are CBAM's own; the batch normalisation after the 7x7 convolution and its
momentum are the authors' code (github.com/Jongchan/attention-module), and so is the parameter count.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aabench.layers.squeeze_excite import ChannelMLP


class CBAM(nn.Module):
    """Scales each channel, then each position.

    Channels: ``sigmoid(MLP(mean) + MLP(max))`` of each channel over the map, one MLP for both. Positions: ``sigmoid``
    of a 7x7 convolution over the mean and the maximum of each position over the scaled channels.

    Args:
        channels: C.
        reduction: r; the MLP's hidden layer has C / r channels. Both of its layers have biases.

    Raises:
        ValueError: reduction out of range.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.mlp = ChannelMLP(channels, reduction, device=device, dtype=dtype)
        self.spatial = nn.Conv2d(2, 1, 7, padding=3, bias=False, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(1, momentum=0.01, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        logits = self.mlp(x.mean((2, 3), keepdim=True)) + self.mlp(x.amax((2, 3), keepdim=True))
        x = x * logits.sigmoid()
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        gate: Tensor = self.norm(self.spatial(pooled)).sigmoid()
        return x * gate
