"""Everything random about the data of one epoch, drawn at its start from (seed, epoch) alone.

So the middle of an epoch can be taken up again with no generator's state, and CPU and CUDA see the same images.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from aabench.data.augment import PADDING, crop_flip
from aabench.data.image_set import ImageSet


@dataclass(frozen=True)
class EpochDraw:
    """The order of an epoch's images, and how each is augmented. Row i belongs to the i-th image shown.

    Attributes:
        order: (N,) int64, a permutation: which image is shown.
        offsets: (N, 2) int64, row and column where its crop starts in the padded image.
        flips: (N,) bool, whether it is mirrored.
    """

    order: Tensor
    offsets: Tensor
    flips: Tensor

    def to(self, device: torch.device | str) -> EpochDraw:
        """The same draw on a device."""
        return replace(self, order=self.order.to(device), offsets=self.offsets.to(device), flips=self.flips.to(device))

    def batch(self, data: ImageSet, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """The epoch's images from ``start`` to ``stop``: augmented (n, 3, H, W) uint8, and their labels (n,)."""
        chosen = self.order[start:stop]
        images = crop_flip(data.images[chosen], self.offsets[start:stop], self.flips[start:stop])
        return images, data.labels[chosen]


def draw_epoch(seed: int, epoch: int, images: int) -> EpochDraw:
    """Draw an epoch, on the CPU. Different (seed, epoch) are independent.

    Args:
        seed: of the run.
        epoch: from 0.
        images: N, in the data set.
    """
    # Hashed, since seed + epoch would give run 1 the epochs of run 0, one later.
    digest = hashlib.sha256(f"aabench epoch {seed} {epoch}".encode()).digest()
    generator = Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return EpochDraw(
        order=torch.randperm(images, generator=generator),
        offsets=torch.randint(0, 2 * PADDING + 1, (images, 2), generator=generator),
        flips=torch.rand(images, generator=generator) < 0.5,
    )
