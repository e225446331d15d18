"""ResNet-18/34/50/101/152: plain, gated (SE, CBAM, GALA, SGE, BAM) and augmented (AA, Tables 2, 3, 6, 7).

Module names are torchvision's, so that its weights load into the plain networks. The stride sits on the 3x3
convolution (v1.5). An augmented network has AAConv2d in place of the 3x3 convolution of every bottleneck (the first
one of every basic block) in the last three stages; the first of these stages, 28x28 at 224 pixels, is pooled.
SE, CBAM, GALA and SGE end every block, before the shortcut is added; BAM stands between the stages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn

from aabench.layers import BAM, CBAM, GALA, SpatialGroupEnhance, SqueezeExcite
from aabench.models.classifier import Staged, initialise
from aabench.models.parts import Conv3x3, Gate, Network, augmented, conv3x3, no_gate, reduced
from aabench.terms import Size


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the first one may be augmented, and in EAANet's networks the second one too."""

    expansion = 1
    second_augmented = False

    def __init__(
        self, in_channels: int, channels: int, stride: int, size: Size, conv: Conv3x3, gate: Gate, shortcut: nn.Module
    ) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, channels, stride, size)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = (conv if self.second_augmented else conv3x3)(channels, channels, 1, reduced(size, stride))
        self.bn2 = nn.BatchNorm2d(channels)
        self.gate = gate(channels)
        self.downsample = shortcut
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, channels, H / stride, W / stride)."""
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.gate(self.bn2(self.conv2(out)))
        return out.add_(self.downsample(x)).relu_()


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions; the 3x3 one may be augmented."""

    expansion = 4

    def __init__(
        self, in_channels: int, channels: int, stride: int, size: Size, conv: Conv3x3, gate: Gate, shortcut: nn.Module
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, stride, size)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.gate = gate(channels * self.expansion)
        self.downsample = shortcut
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, 4 channels, H / stride, W / stride)."""
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.gate(self.bn3(self.conv3(out)))
        return out.add_(self.downsample(x)).relu_()


class ResNet(Staged):
    """The network of four stages.

    Args:
        block: BasicBlock or Bottleneck.
        depths: blocks of each stage.
        conv_of_stage: what stands in the place of the 3x3 convolution, for each stage.
        gate: what follows the last normalisation of each block (``nn.Identity`` for none).
        stage_gate: what follows each stage but the last (likewise).
        width: channels of the stem and of the first stage (64).
        extra_projection: a projection shortcut in the first stage too, though no shape changes there.
        stem: ``imagenet`` (7x7 convolution and max pooling, each of stride 2) or ``cifar`` (3x3, stride 1).
    """

    classifier = ("avgpool", "fc")

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, ...],
        conv_of_stage: tuple[Conv3x3, ...],
        gate: Gate,
        stage_gate: Gate,
        *,
        width: int,
        extra_projection: bool = False,
        stem: str = "imagenet",
        input_size: Size,
        num_classes: int,
    ) -> None:
        super().__init__(input_size, num_classes)
        self.conv1, self.maxpool, size = _stem(stem, width, input_size)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        channels = width
        stages, stage_channels = [], []
        for stage, (depth, conv) in enumerate(zip(depths, conv_of_stage, strict=True)):
            blocks: list[nn.Module] = []
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                out_channels = width * 2**stage * block.expansion
                project = stride != 1 or channels != out_channels or (extra_projection and index == 0)
                shortcut = _projection(channels, out_channels, stride) if project else nn.Identity()
                blocks.append(block(channels, width * 2**stage, stride, size, conv, gate, shortcut))
                size, channels = reduced(size, stride), out_channels
            stages.append(nn.Sequential(*blocks))
            stage_channels.append(channels)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self._channels = tuple(stage_channels)
        self.gate1, self.gate2, self.gate3 = (stage_gate(n) for n in stage_channels[:-1])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        last = deque(self.features(x), maxlen=1).pop()
        logits: Tensor = self.fc(self.avgpool(last).flatten(1))
        return logits

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """Images (N, 3, H, W) -> the output of stage after stage, with the gate that follows it."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage, gate in ((self.layer1, self.gate1), (self.layer2, self.gate2), (self.layer3, self.gate3)):
            x = gate(stage(x))
            yield x
        yield self.layer4(x)

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each stage's output."""
        return self._channels


def _stem(stem: str, width: int, size: Size) -> tuple[nn.Module, nn.Module, Size]:
    """Convolution, pooling, and the map's size after them."""
    if stem == "imagenet":
        return nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.MaxPool2d(3, 2, 1), reduced(reduced(size))
    if stem == "cifar":
        return nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.Identity(), size
    raise ValueError(f"stem is one of imagenet, cifar, not {stem!r}")


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


_DEPTHS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


def _resnet(
    layers: int,
    *,
    input_size: Size,
    num_classes: int,
    width: int = 64,
    extra_projection: bool = False,
    stem: str = "imagenet",
    gate: Gate = no_gate,
    stage_gate: Gate = no_gate,
    conv_of_stage: tuple[Conv3x3, ...] = (conv3x3,) * 4,
) -> ResNet:
    block, depths = _DEPTHS[layers]
    return ResNet(
        block,
        depths,
        conv_of_stage,
        gate,
        stage_gate,
        width=width,
        extra_projection=extra_projection,
        stem=stem,
        input_size=input_size,
        num_classes=num_classes,
    )


def _se_resnet(
    layers: int,
    *,
    input_size: Size,
    num_classes: int,
    width: int = 64,
    extra_projection: bool = False,
    stem: str = "imagenet",
    reduction: int = 16,
    gate_bias: bool = False,
) -> ResNet:
    return _resnet(
        layers,
        input_size=input_size,
        num_classes=num_classes,
        width=width,
        extra_projection=extra_projection,
        stem=stem,
        gate=partial(SqueezeExcite, reduction=reduction, bias=gate_bias),
    )


def _gated_resnet(
    layers: int,
    layer: type[CBAM] | type[GALA],
    *,
    input_size: Size,
    num_classes: int,
    width: int = 64,
    reduction: int = 16,
) -> ResNet:
    gate = partial(layer, reduction=reduction)
    return _resnet(layers, input_size=input_size, num_classes=num_classes, width=width, gate=gate)


def _sge_resnet(layers: int, *, input_size: Size, num_classes: int, width: int = 64, groups: int = 64) -> ResNet:
    gate = partial(SpatialGroupEnhance, groups=groups)
    return _resnet(layers, input_size=input_size, num_classes=num_classes, width=width, gate=gate)


def _bam_resnet(layers: int, *, input_size: Size, num_classes: int, width: int = 64, reduction: int = 16) -> ResNet:
    gate = partial(BAM, reduction=reduction)
    return _resnet(layers, input_size=input_size, num_classes=num_classes, width=width, stage_gate=gate)


def _aa_resnet(
    layers: int,
    *,
    input_size: Size,
    num_classes: int,
    width: int = 64,
    extra_projection: bool = False,
    kappa: float = 0.2,
    upsilon: float = 0.1,
    num_heads: int = 8,
    min_key_channels: int = 20,
    position: str = "relative",
    attention: str = "auto",
) -> ResNet:
    convolution = partial(
        augmented,
        kappa=kappa,
        upsilon=upsilon,
        num_heads=num_heads,
        min_key_channels=min_key_channels,
        position=position,
        attention=attention,
    )
    return _resnet(
        layers,
        input_size=input_size,
        num_classes=num_classes,
        width=width,
        extra_projection=extra_projection,
        conv_of_stage=(conv3x3, convolution(pooled=True), convolution(), convolution()),
    )


NETWORKS: dict[str, Network] = {
    **{f"resnet{layers}": partial(_resnet, layers) for layers in _DEPTHS},
    **{f"se_resnet{layers}": partial(_se_resnet, layers) for layers in _DEPTHS},
    "cbam_resnet50": partial(_gated_resnet, 50, CBAM),
    "gala_resnet50": partial(_gated_resnet, 50, GALA),
    "sge_resnet50": partial(_sge_resnet, 50),
    "bam_resnet50": partial(_bam_resnet, 50),
    "aa_resnet34": partial(_aa_resnet, 34, kappa=0.25, upsilon=0.25),
    **{f"aa_resnet{layers}": partial(_aa_resnet, layers) for layers in (50, 101, 152)},
}
