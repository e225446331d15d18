"""ResNet-20/56 for CIFAR-10 (He et al., 1512.03385, section 4.2) with parameter-free shortcuts (option A).

They are no models of the four papers: their published checkpoints calibrate the evaluator.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from aabench.models.classifier import Classifier, initialise
from aabench.models.parts import Network
from aabench.terms import Size


class SubsampledBlock(nn.Module):
    """Two 3x3 convolutions; the shortcut takes every second pixel and pads the channels with zeros on both sides."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra_channels = stride, channels - in_channels
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, channels, H / stride, W / stride)."""
        out: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu_()))
        half = self.extra_channels // 2
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.extra_channels - half))
        return (out + shortcut).relu_()


class CifarResNet(Classifier):
    """Depth 6 n + 2: three stages of n blocks with 16, 32 and 64 channels."""

    def __init__(self, depth: int, *, input_size: Size, num_classes: int) -> None:
        super().__init__(input_size, num_classes)
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels, stages = 16, []
        for stage in range(3):
            blocks: list[nn.Module] = []
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(SubsampledBlock(channels, 16 * 2**stage, stride))
                channels = 16 * 2**stage
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(channels, num_classes)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.bn1(self.conv1(x)).relu_()
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


NETWORKS: dict[str, Network] = {f"resnet{depth}_cifar": partial(CifarResNet, depth) for depth in (20, 56)}
