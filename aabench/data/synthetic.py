"""A generated stand-in for CIFAR-100: same shapes and types, and something to learn. All of it is ours.

Every class is a smooth colour pattern. An image shows its class's pattern shifted by up to 4 pixels, mirrored or not,
at a contrast and a brightness of its own, under noise: a network that averages over shifts learns it within some
hundred steps, while no single pixel tells a class.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from aabench.data.image_set import ImageSet

SIDE = 32
SHIFT = 4
"""Largest shift of a pattern, in pixels, either way."""
GRID = 6
"""A pattern is GRID x GRID random colours, smoothly interpolated."""
NOISE = 20.0
"""Standard deviation of the noise, in grey levels."""
_STREAM = {"patterns": 0, "train": 1, "test": 2}


def synthetic_cifar(
    num_classes: int = 100,
    split: Literal["train", "test"] = "train",
    images_per_class: int = 100,
    seed: int = 0,
) -> ImageSet:
    """Generate one split, classes mixed. The same arguments give the same images on any device.

    Args:
        num_classes: classes.
        split: both splits show the same patterns, each in images of its own.
        images_per_class: images of each class, so N = ``num_classes`` x ``images_per_class``.
        seed: of the patterns and of the images.
    """
    patterns = _patterns(num_classes, _generator(seed, "patterns"))
    generator = _generator(seed, split)
    labels = torch.arange(num_classes).repeat(images_per_class)
    labels = labels[torch.randperm(len(labels), generator=generator)]
    images = torch.cat([_show(patterns[part], generator) for part in torch.split(labels, 1000)])
    source = f"synthetic {num_classes} classes {split}, {images_per_class} images each, seed {seed}"
    return ImageSet(images, labels, num_classes, source)


def _generator(seed: int, stream: str) -> Generator:
    """Streams of neighbouring seeds do not meet: a generator is not seeded with a number used elsewhere here."""
    return Generator().manual_seed(seed * len(_STREAM) + _STREAM[stream])


def _patterns(num_classes: int, generator: Generator) -> Tensor:
    """(K, 3, 40, 40), each of mean 0 and standard deviation 1."""
    side = SIDE + 2 * SHIFT
    colours = torch.randn(num_classes, 3, GRID, GRID, generator=generator)
    smooth = F.interpolate(colours, (side, side), mode="bicubic", align_corners=True).flatten(1)
    smooth = (smooth - smooth.mean(1, keepdim=True)) / smooth.std(1, keepdim=True)
    return smooth.view(num_classes, 3, side, side)


def _show(patterns: Tensor, generator: Generator) -> Tensor:
    """(N, 3, 40, 40) patterns -> (N, 3, 32, 32) uint8 images of them."""
    count = len(patterns)
    corners = torch.randint(0, 2 * SHIFT + 1, (count, 2), generator=generator)
    cut = torch.stack(
        [
            pattern[:, top : top + SIDE, left : left + SIDE]
            for pattern, (top, left) in zip(patterns, corners.tolist(), strict=True)
        ]
    )
    mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    cut = torch.where(mirrored, cut.flip(3), cut)
    contrast = 20 + 40 * torch.rand(count, 1, 1, 1, generator=generator)
    brightness = 98 + 60 * torch.rand(count, 1, 1, 1, generator=generator)
    noise = NOISE * torch.randn(cut.shape, generator=generator)
    return (brightness + contrast * cut + noise).round().clamp(0, 255).to(torch.uint8)
