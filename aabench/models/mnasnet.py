"""MnasNet-A1 (Tan et al., 1807.11626) and its attention augmented version (AA, Table 4), at any width.

Each block widens (1x1), convolves every channel by itself (k x k), may squeeze and excite, and narrows (1x1). An
augmented network has AAConv2d in the place of the widening 1x1 convolution of the last 13 blocks. It attends at that
convolution's resolution, before the block's stride: at 224 pixels 56x56 once, 28x28, 14x14 and 7x7. Pooling the 56x56
and 28x28 maps is ours: with it all four additions in parameters round to the fact sheet's, and without it only two do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from aabench.layers import AAConv2d, SqueezeExcite
from aabench.layers.attention_augmented import value_channels
from aabench.models.classifier import Classifier, initialise
from aabench.models.parts import Network, reduced
from aabench.terms import Size

Widen = Callable[[int, Size, int, int], nn.Module]
"""(how many times smaller the map is than the image, map size, in_channels, out_channels) -> what widens."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind (fact sheet, MnasNet-A1).

    Attributes:
        kernel: of the depthwise convolution.
        repeats: blocks; the first one has the stride.
        stride: of the depthwise convolution.
        expansion: hidden channels over input channels; with 1 nothing widens.
        channels: that the stage puts out, at width 1.
        excited: Squeeze-and-Excite with a quarter of the block's input channels.
        skips: whether blocks that keep the shape add their input.
    """

    kernel: int
    repeats: int
    stride: int
    expansion: int
    channels: int
    excited: bool = False
    skips: bool = True


STAGES = (
    Stage(3, 1, 1, 1, 16, skips=False),
    Stage(3, 2, 2, 6, 24),
    Stage(5, 3, 2, 3, 40, excited=True),
    Stage(3, 4, 2, 6, 80),
    Stage(3, 2, 1, 6, 112, excited=True),
    Stage(5, 3, 2, 6, 160, excited=True),
    Stage(3, 1, 1, 6, 320),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
"""The head keeps its channels at every width."""
FIRST_AUGMENTED = 2
"""Stages from this one on, 13 blocks, are augmented."""


def plain_widening(downsampling: int, size: Size, in_channels: int, out_channels: int) -> nn.Module:
    """A plain 1x1 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 1, bias=False)


class InvertedResidual(nn.Module):
    """Widen, convolve by channel, excite, narrow; batch normalisation after each convolution, no ReLU at the end."""

    def __init__(
        self, in_channels: int, out_channels: int, stage: Stage, stride: int, widen: Callable[[int, int], nn.Module]
    ) -> None:
        super().__init__()
        hidden = in_channels * stage.expansion
        self.widen = (
            nn.Sequential(widen(in_channels, hidden), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True))
            if stage.expansion > 1
            else nn.Identity()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, stage.kernel, stride, stage.kernel // 2, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        # The ratio .25 is of the block's input channels, not of the hidden ones.
        self.gate = SqueezeExcite(hidden, 4 * stage.expansion) if stage.excited else nn.Identity()
        self.narrow = nn.Sequential(nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.adds_input = stage.skips and stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H / stride, W / stride)."""
        out: Tensor = self.narrow(self.gate(self.depthwise(self.widen(x))))
        return out + x if self.adds_input else out


class MnasNet(Classifier):
    """MnasNet-A1.

    Args:
        width: factor on all channels but the head's, each rounded to a multiple of 8.
        dropout: share of the head's means that is dropped in training.
        widen: what stands in the place of the 1x1 convolutions that widen, in the last 13 blocks.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        num_classes: int,
        width: float = 1.0,
        dropout: float = 0.2,
        widen: Widen = plain_widening,
    ) -> None:
        super().__init__(input_size, num_classes)
        size, channels = reduced(input_size), scaled(STEM_CHANNELS, width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        downsampling, stages = 2, []
        for number, stage in enumerate(STAGES):
            widen_here = widen if number >= FIRST_AUGMENTED else plain_widening
            blocks: list[nn.Module] = []
            for index in range(stage.repeats):
                stride = stage.stride if index == 0 else 1
                out_channels = scaled(stage.channels, width)
                make = partial(widen_here, downsampling, size)
                blocks.append(InvertedResidual(channels, out_channels, stage, stride, make))
                size, channels, downsampling = reduced(size, stride), out_channels, downsampling * stride
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Conv2d(channels, HEAD_CHANNELS, 1, bias=False), nn.BatchNorm2d(HEAD_CHANNELS), nn.ReLU(inplace=True)
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(HEAD_CHANNELS, num_classes)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.head(self.stages(self.stem(x)))
        logits: Tensor = self.fc(self.dropout(x.mean((2, 3))))
        return logits


def scaled(channels: int, width: float) -> int:
    """``channels * width`` to the nearest multiple of 8, upwards if that loses more than a tenth.

    The tenth is not in the sheet; with it, all base parameter counts are.
    """
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def _augmented(upsilon: float, num_heads: int, options: dict[str, Any]) -> Widen:
    """Attention augmented 1x1 convolutions, on pooled maps where the input has been reduced 8 times or less.

    Where the sheet's rounding leaves no value channel, the convolution stands alone: in the first of the 13 blocks at
    widths .75 and 1.0, where .05 of 72 channels in 4 heads is 0.9 a head. The rounding is derived from the ResNets,
    which never come to that. To keep to it here is ours: with one channel a head, 318 parameters more, the additions
    round to the sheet's as well.
    """

    def widen(downsampling: int, size: Size, in_channels: int, out_channels: int) -> nn.Module:
        if value_channels(out_channels, upsilon, num_heads) == 0:
            return plain_widening(downsampling, size, in_channels, out_channels)
        return AAConv2d(
            in_channels,
            out_channels,
            1,
            feature_size=size,
            upsilon=upsilon,
            num_heads=num_heads,
            pooled=downsampling <= 8,
            **options,
        )

    return widen


def _aa_mnasnet_a1(
    *,
    input_size: Size,
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.2,
    kappa: float = 0.1,
    upsilon: float = 0.05,
    num_heads: int = 4,
    min_key_channels: int = 0,
    position: str = "relative",
    attention: str = "auto",
) -> MnasNet:
    options = {"kappa": kappa, "min_key_channels": min_key_channels, "position": position, "attention": attention}
    widen = _augmented(upsilon, num_heads, options)
    return MnasNet(input_size=input_size, num_classes=num_classes, width=width, dropout=dropout, widen=widen)


NETWORKS: dict[str, Network] = {"mnasnet_a1": MnasNet, "aa_mnasnet_a1": _aa_mnasnet_a1}
