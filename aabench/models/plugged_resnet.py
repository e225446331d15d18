"""ResNets for EAN and DIANet with post-activation bottlenecks: ResNet-50/101 with biases, ResNet-164 and ResNeXt-101.

ImageNet's have a bias on every convolution, as EAN's code has; the stride is on the 3x3 convolution. CIFAR's have three
stages of (depth - 2) / 9 blocks and no biases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from aabench.models.parts import Network
from aabench.models.plugged import Block, Pluggable, Skeleton

EXPANSION = 4


class PostActivationBottleneck(Block):
    """1x1, 3x3, 1x1 convolutions, each with BN; ReLU after the addition. A 1x1 shortcut with BN where shapes change."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, stride: int, *, bias: bool = False, groups: int = 1
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C_in, H, W) -> residual branch and shortcut, each (N, C_out, H / stride, W / stride)."""
        branch = self.bn1(self.conv1(x)).relu_()
        branch = self.bn2(self.conv2(branch)).relu_()
        return self.bn3(self.conv3(branch)), self.downsample(x)

    def join(self, branch: Tensor, shortcut: Tensor) -> Tensor:
        """ReLU of the sum."""
        return branch.add_(shortcut).relu_()


def bottleneck_stages(
    depths: Sequence[int], in_channels: int, inner: int, out_channels: int, block: Callable[[int, int, int, int], Block]
) -> list[list[Block]]:
    """The blocks of each stage; both widths double from one stage to the next, whose first block has stride 2.

    Args:
        depths: blocks of each stage.
        in_channels: of the first block.
        inner: width of the first stage's 3x3 convolutions.
        out_channels: of the first stage.
        block: (in_channels, inner, out_channels, stride) -> a block.
    """
    stages: list[list[Block]] = []
    for stage, depth in enumerate(depths):
        blocks = []
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            blocks.append(block(in_channels, inner * 2**stage, out_channels * 2**stage, stride))
            in_channels = out_channels * 2**stage
        stages.append(blocks)
    return stages


def three_stages(depth: int) -> tuple[int, int, int]:
    """Blocks of each stage of a network for CIFAR: a convolution, (depth - 2) / 9 bottlenecks a stage, a classifier.

    Raises:
        ValueError: there is no such depth.
    """
    blocks, rest = divmod(depth - 2, 9)
    if rest or blocks < 1:
        raise ValueError(f"depth is 9 n + 2 for n blocks a stage, such as 29 or 164, not {depth}")
    return blocks, blocks, blocks


def classifier(channels: int, num_classes: int) -> tuple[nn.Module, ...]:
    """Pooling over the map, and a linear layer."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes)


def _biased_resnet(depths: tuple[int, ...], *, num_classes: int, width: int = 64) -> Skeleton:
    stem = nn.Sequential(
        nn.Conv2d(3, width, 7, 2, 3, bias=True), nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
    )
    block = partial(PostActivationBottleneck, bias=True)
    return Skeleton(
        stem,
        bottleneck_stages(depths, width, width, EXPANSION * width, block),
        nn.Sequential(*classifier(EXPANSION * width * 2 ** (len(depths) - 1), num_classes)),
    )


def _cifar_stem(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _cifar_resnet(*, num_classes: int, depth: int = 164, width: int = 16) -> Skeleton:
    stages = bottleneck_stages(three_stages(depth), width, width, EXPANSION * width, PostActivationBottleneck)
    return Skeleton(_cifar_stem(width), stages, nn.Sequential(*classifier(4 * EXPANSION * width, num_classes)))


def _resnext(*, num_classes: int, depth: int = 101, cardinality: int = 8, base_width: int = 32) -> Skeleton:
    """The stem has ``base_width`` channels, the first stage groups of as many, and four times as many outside."""
    inner = cardinality * base_width
    block = partial(PostActivationBottleneck, groups=cardinality)
    return Skeleton(
        _cifar_stem(base_width),
        bottleneck_stages(three_stages(depth), base_width, inner, EXPANSION * base_width, block),
        nn.Sequential(*classifier(4 * EXPANSION * base_width, num_classes)),
    )


NETWORKS: dict[str, Network] = {
    "plugged_resnet50": Pluggable(partial(_biased_resnet, (3, 4, 6, 3))),
    "plugged_resnet101": Pluggable(partial(_biased_resnet, (3, 4, 23, 3))),
    "plugged_cifar_resnet": Pluggable(_cifar_resnet),
    "plugged_resnext": Pluggable(_resnext),
}
