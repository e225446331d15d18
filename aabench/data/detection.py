"""What a batch of images with boxes is, on its way to a detector."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aabench.data.batch import Unreadable, none_readable
from aabench.terms import Size, Target


class DetectionBatch(NamedTuple):
    """Images of several sizes on one canvas, each in its upper left corner.

    Attributes:
        indices: (n,) int64, positions in the data set, on the CPU.
        images: (n, 3, H, W) uint8, 0 beyond each image; on the CPU a data set may write the next batch over them.
        sizes: height and width of each image on the canvas, in pixels.
        originals: height and width of each image in its file.
        targets: the objects of each image that a detector learns, in pixels of the canvas.
        unreadable: further images that belong here and cannot be decoded.
    """

    indices: Tensor
    images: Tensor
    sizes: tuple[Size, ...]
    originals: tuple[Size, ...]
    targets: tuple[Target, ...]
    unreadable: tuple[Unreadable, ...] = ()

    def to(self, device: torch.device | str) -> DetectionBatch:
        """The same batch with images and targets on a device."""
        targets = tuple({name: value.to(device) for name, value in target.items()} for target in self.targets)
        return self._replace(images=self.images.to(device, non_blocking=True), targets=targets)

    def require_images(self) -> DetectionBatch:
        """The batch itself.

        Raises:
            AABenchError: not one of its images can be read.
        """
        if len(self.indices) == 0:
            raise none_readable(self.unreadable, "images of a batch")
        return self
