"""RetinaNet's feature pyramid and heads, as the counts of AA's Table 5 have them (aanet.md, section 2, RetinaNet).

Every convolution has a bias, batch normalisation follows each of P3..P7, and a head's convolutions are shared by the
levels while each level has normalisations of its own: with these, and no other choice tried, ResNet-50's parameters
are the sheet's 33.420 M. Initial weights are torchvision's; the papers' are unspecified.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 5
"""P3 to P7, of strides 8 to 128."""


class Pyramid(nn.Module):
    """P3..P5 from the last three stages, P6 and P7 each from the level before.

    Args:
        in_channels: of the last three stages' maps.
        channels: of every level.
    """

    def __init__(self, in_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(n, channels, 1) for n in in_channels)
        self.output = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        self.p6 = nn.Conv2d(channels, channels, 3, 2, 1)
        self.p7 = nn.Conv2d(channels, channels, 3, 2, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(LEVELS))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Three maps (N, C_i, H / s, W / s), s = 8, 16, 32 -> five of ``channels``, s = 8 to 128, sides rounded up."""
        merged = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for finer, coarser in ((1, 2), (0, 1)):
            merged[finer] = merged[finer] + F.interpolate(merged[coarser], merged[finer].shape[-2:], mode="nearest")
        levels = [output(x) for output, x in zip(self.output, merged, strict=True)]
        levels.append(self.p6(levels[-1]))
        levels.append(self.p7(levels[-1].relu()))
        return [norm(x) for norm, x in zip(self.norms, levels, strict=True)]


class Head(nn.Module):
    """3x3 convolutions, each with normalisation and ReLU, and one that predicts; run over each level.

    Args:
        channels: of the levels and of the convolutions.
        convs: convolutions before the one that predicts.
        anchors: of a cell.
        outputs: of an anchor.
        bias: what the outputs begin with.
    """

    def __init__(self, channels: int, convs: int, anchors: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.outputs = outputs
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(convs))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(convs)) for _ in range(LEVELS))
        self.predict = nn.Conv2d(channels, anchors * outputs, 3, padding=1)
        for conv in (*self.convs, self.predict):
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)
        assert self.predict.bias is not None
        nn.init.constant_(self.predict.bias, bias)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, channels, H, W) of each level -> its predictions (N, H W anchors, outputs), cells row-major."""
        predictions = []
        for x, norms in zip(levels, self.norms, strict=True):
            assert isinstance(norms, nn.ModuleList)
            for conv, norm in zip(self.convs, norms, strict=True):
                x = norm(conv(x)).relu_()
            predicted = self.predict(x).permute(0, 2, 3, 1)
            predictions.append(predicted.reshape(len(predicted), -1, self.outputs))
        return predictions
