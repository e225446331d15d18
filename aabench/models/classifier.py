"""What every classifier here shares: the size it was built for, and how its weights start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """A network for images of one size.

    Sub-classes implement :meth:`logits`. ``input_size`` is (H, W) in pixels.
    """

    def __init__(self, input_size: tuple[int, int], num_classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.num_classes = num_classes

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) of the right size -> logits (N, num_classes)."""

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> logits (N, num_classes).

        Raises:
            ValueError: images of another size than the model was built for.
        """
        height, width = x.shape[-2:]
        if (height, width) != tuple(self.input_size):
            built = f"{self.input_size[0]}x{self.input_size[1]}"
            raise ValueError(
                f"this model was built for {built} images and got {height}x{width}: "
                f"create it with input_size=({height}, {width}), or resize the images to {built}"
            )
        return self.logits(x)


class Staged(Classifier):
    """A classifier made of stages, whose outputs a detector can take.

    ``classifier``: the modules that only the classifier needs.
    """

    classifier: ClassVar[tuple[str, ...]]

    @abstractmethod
    def features(self, x: Tensor) -> Iterator[Tensor]:
        """Images (N, 3, H, W) -> the output of stage after stage."""

    @property
    @abstractmethod
    def channels(self) -> tuple[int, ...]:
        """Of each stage's output."""


@runtime_checkable
class Starting(Protocol):
    """A layer with initial weights of its own."""

    def start(self) -> None:
        """Set them."""


def initialise(model: nn.Module) -> None:
    """He's normal initialisation (fan out) for convolutions, ones and zeros for normalisation.

    The papers' initial values are unspecified, but for AA's relative tables, which set their own. A layer with a method
    ``start`` has the last word on what is in it. On meta there is nothing to set, and it would take a tenth of a count.
    """
    if all(parameter.is_meta for parameter in model.parameters()):
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Starting):
            module.start()
