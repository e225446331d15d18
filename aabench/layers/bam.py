"""Bottleneck Attention Module, BAM (Park et al., https://arxiv.org/abs/1807.06514), in AA's Table 2.

AA's sheet does not define it. The equation, with the two branches added, is BAM's own; the code of its authors
(github.com/Jongchan/attention-module) multiplies them. Normalisation stands where that code has it, after each hidden
layer and not at the end of each branch as in the paper's equations: ResNet-50's 25,915,099 parameters are the code's.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from aabench.layers.squeeze_excite import hidden_channels


class BAM(nn.Module):
    """Amplifies each element by a gate that a channel branch and a spatial branch give together.

    ``x + x sigmoid(Mc + Ms)``: Mc, one value a channel, comes from the channels' means; Ms, one value a position, from
    two dilated 3x3 convolutions between two 1x1 ones. All convolutions have biases; batch normalisation and ReLU
    follow each but the last of a branch.

    Args:
        channels: C.
        reduction: r; the hidden layers of both branches have C / r channels.
        dilation: d of the 3x3 convolutions.

    Raises:
        ValueError: reduction out of range; in forward, one single image in training mode: the channel branch
            normalises one value an image.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        dilation: int = 4,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        conv = partial(nn.Conv2d, device=device, dtype=dtype)
        dilated = partial(conv, hidden, hidden, 3, padding=dilation, dilation=dilation)

        def activated() -> tuple[nn.Module, nn.Module]:
            return nn.BatchNorm2d(hidden, device=device, dtype=dtype), nn.ReLU(inplace=True)

        self.channel = nn.Sequential(conv(channels, hidden, 1), *activated(), conv(hidden, channels, 1))
        self.spatial = nn.Sequential(
            *(conv(channels, hidden, 1), *activated()),
            *(dilated(), *activated()),
            *(dilated(), *activated()),
            conv(hidden, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        gate: Tensor = (self.channel(x.mean((2, 3), keepdim=True)) + self.spatial(x)).sigmoid()
        return x + x * gate
