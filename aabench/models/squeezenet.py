"""SqueezeNet 1.0 (Iandola et al., 1602.07360), as torchvision builds it.

It is no model of the four papers: its published weights calibrate the evaluation on ImageNet.
"""

from __future__ import annotations

import torchvision
from torch import Tensor

from aabench.models.classifier import Classifier
from aabench.models.parts import Network
from aabench.terms import Size

LEAST_SIDE = 21
"""The stem leaves 8 pixels of these, and the three poolings 4, 2 and 1."""


class SqueezeNet(Classifier):
    """torchvision's ``squeezenet1_0``, for one input size. Module names are its own."""

    def __init__(self, *, input_size: Size, num_classes: int) -> None:
        super().__init__(input_size, num_classes)
        if min(input_size) < LEAST_SIDE:
            raise ValueError(f"SqueezeNet pools three times: give at least {LEAST_SIDE} pixels a side")
        net = torchvision.models.squeezenet1_0(num_classes=num_classes)
        self.features, self.classifier = net.features, net.classifier

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        logits: Tensor = self.classifier(self.features(x)).flatten(1)
        return logits


NETWORKS: dict[str, Network] = {"squeezenet1_0": SqueezeNet}
