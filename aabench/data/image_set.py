"""ImageSet: labelled images in memory, as every data set here is handed around."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


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

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> ImageSet:
        """The first ``count`` images (all, if there are fewer); ``source`` says so."""
        if count >= len(self):
            return self
        source = f"{self.source}, first {count} of {len(self)} images"
        return replace(self, images=self.images[:count], labels=self.labels[:count], source=source)

    def to(self, device: torch.device | str) -> ImageSet:
        """The same images on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))
