"""Everything random about the data of one epoch, drawn at its start from (seed, epoch) alone.

So the middle of an epoch can be taken up again with no generator's state, and CPU and CUDA see the same images.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from aabench.data.augment import PADDING, crop_flip


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

    def batch(self, images: Tensor, labels: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """Some of the epoch's images: augmented (n, 3, H, W) uint8, and their labels (n,).

        Args:
            images: (N, 3, H, W) uint8, of the whole data set.
            labels: (N,).
            rows: which of the images shown.
        """
        chosen = self.order[rows]
        return crop_flip(images[chosen], self.offsets[rows], self.flips[rows]), labels[chosen]


def draw_epoch(seed: int, epoch: int, images: int) -> EpochDraw:
    """Draw an epoch, on the CPU. Different (seed, epoch) are independent.

    Args:
        seed: of the run.
        epoch: from 0.
        images: N, in the data set.
    """
    generator = Generator().manual_seed(stream_seed(f"aabench epoch {seed} {epoch}"))
    return EpochDraw(
        order=torch.randperm(images, generator=generator),
        offsets=torch.randint(0, 2 * PADDING + 1, (images, 2), generator=generator),
        flips=torch.rand(images, generator=generator) < 0.5,
    )


def stream_seed(name: str) -> int:
    """A generator's seed for a stream of random numbers. Hashed: seed + epoch would give run 1 the epochs of run 0."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
