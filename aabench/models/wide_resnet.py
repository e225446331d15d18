"""Wide-ResNet (28-10 by default) for CIFAR as AA's Table 1 has it: plain, Squeeze-and-Excite, Gather-Excite, augmented.

Pre-activation blocks of two 3x3 convolutions; the shortcuts have no parameters: average pooling where the map
shrinks, zero channels where the width grows (that is what gives the printed 36.3 M; with 1x1 shortcuts it is 36.54 M).
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from aabench.layers import GatherExcite, SqueezeExcite
from aabench.models.classifier import Classifier, initialise
from aabench.models.parts import Conv3x3, Gate, Network, augmented, conv3x3, no_gate, reduced
from aabench.terms import Size


class WideBlock(nn.Module):
    """BN, ReLU, convolution, twice; the first convolution may be augmented, a gate may follow the second."""

    def __init__(self, in_channels: int, channels: int, stride: int, size: Size, conv: Conv3x3, gate: Gate) -> None:
        super().__init__()
        self.stride, self.extra_channels = stride, channels - in_channels
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv(in_channels, channels, stride, size)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, 1, reduced(size, stride))
        self.gate = gate(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, channels, H / stride, W / stride)."""
        activated = self.bn1(x).relu_()
        out: Tensor = self.conv1(activated)
        out = self.gate(self.conv2(self.bn2(out).relu_()))
        # Where the shape changes, the shortcut starts from the activated input, as in the original Wide-ResNet (ours).
        shortcut = activated if self.extra_channels else x
        if self.stride > 1:
            shortcut = F.avg_pool2d(shortcut, self.stride, ceil_mode=True)
        if self.extra_channels:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.extra_channels))
        return out + shortcut


class WideResNet(Classifier):
    """The network of three stages.

    Args:
        depth: 6 n + 4 for n blocks a stage.
        width: widening factor k; the stages have 16 k, 32 k and 64 k channels.
        conv: what stands in the place of the first convolution of each block.
        gate: what follows the second one.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        num_classes: int,
        depth: int = 28,
        width: int = 10,
        conv: Conv3x3 = conv3x3,
        gate: Gate = no_gate,
    ) -> None:
        super().__init__(input_size, num_classes)
        if (depth - 4) % 6:
            raise ValueError(f"a Wide-ResNet has 6 n + 4 layers, not {depth}")
        self.conv1 = conv3x3(3, 16, 1, input_size)
        size, channels = input_size, 16
        stages = []
        for stage in range(3):
            blocks: list[nn.Module] = []
            for index in range((depth - 4) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(WideBlock(channels, 16 * width * 2**stage, stride, size, conv, gate))
                size, channels = reduced(size, stride), 16 * width * 2**stage
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        logits: Tensor = self.fc(self.bn(x).relu_().mean((2, 3)))
        return logits


def _gather_excite(channels: int) -> nn.Module:
    return GatherExcite()


def _se_wide_resnet(
    *,
    input_size: Size,
    num_classes: int,
    depth: int = 28,
    width: int = 10,
    reduction: int = 16,
    gate_bias: bool = False,
) -> WideResNet:
    gate = partial(SqueezeExcite, reduction=reduction, bias=gate_bias)
    return WideResNet(input_size=input_size, num_classes=num_classes, depth=depth, width=width, gate=gate)


def _ge_wide_resnet(*, input_size: Size, num_classes: int, depth: int = 28, width: int = 10) -> WideResNet:
    return WideResNet(input_size=input_size, num_classes=num_classes, depth=depth, width=width, gate=_gather_excite)


def _aa_wide_resnet(
    *,
    input_size: Size,
    num_classes: int,
    depth: int = 28,
    width: int = 10,
    kappa: float = 0.2,
    upsilon: float = 0.1,
    num_heads: int = 8,
    min_key_channels: int = 20,
    position: str = "relative",
    attention: str = "auto",
) -> WideResNet:
    convolution = augmented(
        kappa=kappa,
        upsilon=upsilon,
        num_heads=num_heads,
        min_key_channels=min_key_channels,
        position=position,
        attention=attention,
    )
    return WideResNet(input_size=input_size, num_classes=num_classes, depth=depth, width=width, conv=convolution)


NETWORKS: dict[str, Network] = {
    "wide_resnet": WideResNet,
    "se_wide_resnet": _se_wide_resnet,
    "ge_wide_resnet": _ge_wide_resnet,
    "aa_wide_resnet": _aa_wide_resnet,
}
