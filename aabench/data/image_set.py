"""ImageSet: labelled images in memory, as the small data sets are handed around."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from aabench.data.batch import Batch
from aabench.data.epoch import draw_epoch


@dataclass(frozen=True)
class ImageSet:
    """Labelled images of one size.

    Attributes:
        images: (N, 3, H, W), uint8.
        labels: (N,), int64, from 0 to ``num_classes`` - 1.
        num_classes: classes of the data set.
        source: what it is, in words; rows of the log carry it.
    """

    images: Tensor
    labels: Tensor
    num_classes: int
    source: str
    augmentation: ClassVar[str] = "crop-flip"

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, indices: Tensor, source: str) -> ImageSet:
        """The images at these positions, in this order, under another name."""
        return replace(self, images=self.images[indices], labels=self.labels[indices], source=source)

    def first(self, count: int) -> ImageSet:
        """The first ``count`` images (all, if there are fewer); ``source`` says so."""
        if count >= len(self):
            return self
        source = f"{self.source}, first {count} of {len(self)} images"
        return self.chosen(torch.arange(count), source)

    def to(self, device: torch.device | str) -> ImageSet:
        """The same images on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def epoch(self, seed: int, epoch: int, batch_size: int, steps: range) -> Generator[Batch]:
        """Batches ``steps`` (from 0) of an epoch, shuffled, cropped and flipped by (seed, epoch) alone."""
        draw = draw_epoch(seed, epoch, len(self))
        order, draw = draw.order, draw.to(self.images.device)
        for step in steps:
            rows = slice(step * batch_size, (step + 1) * batch_size)
            yield Batch(order[rows], *draw.batch(self.images, self.labels, rows))

    def once(self, batch_size: int) -> Generator[Batch]:
        """Each image exactly once, in order; the last batch may be smaller."""
        for indices in torch.split(torch.arange(len(self)), batch_size):
            rows = slice(int(indices[0]), int(indices[-1]) + 1)
            yield Batch(indices, self.images[rows], self.labels[rows])
