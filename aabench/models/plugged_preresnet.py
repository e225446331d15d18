"""Pre-activation networks of DIANet for CIFAR: PreResNet-164 and WRN-52-4.

Against the usual ones they have one more BN after the last convolution of a block, before the attention; nothing
follows the addition. Shortcuts where shapes change are 1x1 convolutions without BN.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from aabench.models.parts import Network
from aabench.models.plugged import Block, Pluggable, Skeleton
from aabench.models.plugged_resnet import EXPANSION, bottleneck_stages, classifier, three_stages


class _PreActivationBlock(Block):
    """What both kinds share: the shortcut, the additional BN, the plain addition."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, extra_norm: bool) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.extra_norm = nn.BatchNorm2d(out_channels) if extra_norm else nn.Identity()
        self.downsample = (
            nn.Identity()
            if stride == 1 and in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        )

    def join(self, branch: Tensor, shortcut: Tensor) -> Tensor:
        """The sum."""
        return branch.add_(shortcut)


class PreActivationBottleneck(_PreActivationBlock):
    """BN, ReLU, convolution, three times: 1x1, 3x3, 1x1. The shortcut starts from the block's input."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, stride: int, *, extra_norm: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, stride, extra_norm)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C_in, H, W) -> residual branch and shortcut, each (N, C_out, H / stride, W / stride)."""
        branch = self.conv1(self.bn1(x).relu_())
        branch = self.conv2(self.bn2(branch).relu_())
        branch = self.conv3(self.bn3(branch).relu_())
        return self.extra_norm(branch), self.downsample(x)


class PreActivationBasic(_PreActivationBlock):
    """BN, ReLU, 3x3 convolution, twice, with dropout between. Where channels change, the shortcut starts from the
    activated input."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, stride: int, *, dropout: float, extra_norm: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, stride, extra_norm)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(inner, out_channels, 3, 1, 1, bias=False)
        self.widens = in_channels != out_channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C_in, H, W) -> residual branch and shortcut, each (N, C_out, H / stride, W / stride)."""
        activated = self.bn1(x).relu_()
        branch = self.bn2(self.conv1(activated)).relu_()
        branch = self.conv2(self.dropout(branch))
        return self.extra_norm(branch), self.downsample(activated if self.widens else x)


def _tail(channels: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True), *classifier(channels, num_classes))


def _preresnet(*, num_classes: int, depth: int = 164, width: int = 16, extra_norm: bool = True) -> Skeleton:
    block = partial(PreActivationBottleneck, extra_norm=extra_norm)
    return Skeleton(
        nn.Conv2d(3, width, 3, 1, 1, bias=False),
        bottleneck_stages(three_stages(depth), width, width, EXPANSION * width, block),
        _tail(4 * EXPANSION * width, num_classes),
    )


def _wide_resnet(
    *,
    num_classes: int,
    depth: int = 52,
    width: int = 4,
    dropout: float = 0.3,
    extra_norm: bool = True,
) -> Skeleton:
    """``width`` is the widening factor k: the stages have 16 k, 32 k and 64 k channels."""
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"a Wide-ResNet has 6 n + 4 layers, such as 28 or 52, not {depth}")
    block = partial(PreActivationBasic, dropout=dropout, extra_norm=extra_norm)
    return Skeleton(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False),
        bottleneck_stages((blocks,) * 3, 16, 16 * width, 16 * width, block),
        _tail(64 * width, num_classes),
    )


NETWORKS: dict[str, Network] = {
    "plugged_preresnet": Pluggable(_preresnet),
    "plugged_wide_resnet": Pluggable(_wide_resnet),
}
