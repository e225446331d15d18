"""What every detector here shares: what it learns from, what it gives, and the part of it that is counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from aabench.models.backbone import Backbone
from aabench.terms import Found, Size, Target

DETECTIONS = 100
"""The most detections of an image, of all categories together: COCO's usual limit. Its AP itself would look at as many
of each category."""


class NotFinite(ValueError):
    """A head of a detector gave what are no finite numbers: its weights are broken."""


class Detector(nn.Module, ABC):
    """Finds objects of ``num_classes`` categories, labelled from 1, in images that lie on one canvas.

    Images are normalised, (N, 3, H, W), each in its canvas's upper left corner; ``sizes`` has the height and width of
    each. The canvas may be of any size where the backbone takes any.

    Args:
        backbone: gives the maps of four stages.
        input_size: (H, W) in pixels that it was built for.
        num_classes: categories.
    """

    def __init__(self, backbone: Backbone, input_size: Size, num_classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.num_classes = num_classes
        self.backbone = backbone

    def losses(self, images: Tensor, sizes: Sequence[Size], targets: Sequence[Target]) -> dict[str, Tensor]:
        """Named losses, fp32 scalars, whose sum is trained. In train mode.

        Raises:
            ValueError: evaluation mode; sizes or targets that do not go with the images.
        """
        if not self.training:
            raise ValueError("losses are of train mode: call train() first")
        _check(images, sizes)
        if len(targets) != len(images):
            raise ValueError(f"{len(images)} images have {len(targets)} targets; one each is expected")
        return self._losses(images, sizes, targets)

    @torch.no_grad()
    def detect(self, images: Tensor, sizes: Sequence[Size]) -> list[Found]:
        """What is found in each image, at most DETECTIONS, in its bounds. In evaluation mode.

        Raises:
            ValueError: train mode; sizes that do not go with the images.
            NotFinite: what the heads gave is not finite. NaN is above no threshold: nothing would be found.
        """
        if self.training:
            raise ValueError("detections are of evaluation mode: call eval() first")
        _check(images, sizes)
        with _finite(self.heads):
            return self._detect(images, sizes)

    @property
    @abstractmethod
    def heads(self) -> tuple[nn.Module, ...]:
        """What gives the scores and the moves of boxes."""

    @abstractmethod
    def _losses(self, images: Tensor, sizes: Sequence[Size], targets: Sequence[Target]) -> dict[str, Tensor]: ...

    @abstractmethod
    def _detect(self, images: Tensor, sizes: Sequence[Size]) -> list[Found]: ...

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The part whose cost does not depend on what is in the images: what is counted and profiled."""

    @abstractmethod
    def stand_in_loss(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """A loss of the outputs of ``forward`` in train mode, with made-up targets, of the shapes that training's has.

        The shapes do not depend on data. What training does to find its targets is not in it.
        """


@contextmanager
def _finite(heads: Sequence[nn.Module]) -> Iterator[None]:
    """Watches what these give, and looks at the sums in the end: the device is waited for once.

    Raises:
        NotFinite: NaN or infinity was in it.
    """
    sums: list[Tensor] = []

    def add(module: nn.Module, inputs: Any, outputs: Any) -> None:
        sums.extend(output.sum(dtype=torch.float32) for output in _tensors(outputs))

    with ExitStack() as hooks:
        for head in heads:
            hooks.callback(head.register_forward_hook(add).remove)
        yield
    if not bool(torch.stack(sums).isfinite().all()):
        raise NotFinite("the detector's output is not finite: its weights are broken, take an earlier checkpoint")


def _tensors(outputs: Any) -> Iterator[Tensor]:
    """Of a tensor, or of sequences of them."""
    if isinstance(outputs, Tensor):
        yield outputs
    else:
        for each in outputs:
            yield from _tensors(each)


def _check(images: Tensor, sizes: Sequence[Size]) -> None:
    if len(sizes) != len(images):
        raise ValueError(f"{len(images)} images have {len(sizes)} sizes; one each is expected")
    height, width = images.shape[-2:]
    for index, size in enumerate(sizes):
        if not (0 < size[0] <= height and 0 < size[1] <= width):
            raise ValueError(
                f"image {index} is {size[0]}x{size[1]} pixels on a canvas of {height}x{width}: it must lie on it"
            )
