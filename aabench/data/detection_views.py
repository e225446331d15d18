"""What is shown of an image and its boxes to a detector: framed in a square, or by its shorter side.

All by torchvision.transforms.v2, which takes boxes along with pixels; resizing is bilinear with antialiasing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from aabench.catalog.schema import Framing
from aabench.data.epoch import stream_seed
from aabench.terms import Size

SCALES = (0.8, 1.2)
"""The factors of the multi-scale jitter. Ours (unspecified): aanet.md section 3 gives no range."""

STRIDE = 32
"""What the sides of a batch's canvas are multiples of: the stride of a ResNet."""


@dataclass(frozen=True)
class View:
    """Some of an image.

    Attributes:
        pixels: (3, h, w) uint8.
        boxes: (k, 4) fp32, corners x1 y1 x2 y2 in its pixels.
        labels: (k,) int64.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor

    @property
    def size(self) -> Size:
        """Of the pixels."""
        height, width = self.pixels.shape[-2:]
        return height, width


@dataclass(frozen=True)
class Frame:
    """How images are framed.

    Attributes:
        framing: by which rule.
        size: side of the square, or what an image's shorter side becomes, in pixels.
    """

    framing: Framing
    size: int

    @property
    def longest(self) -> int:
        """What no side exceeds: 1333 pixels for the usual shorter side of 800."""
        return self.size if self.framing == "square" else round(self.size * 1333 / 800)

    def fitted(self, original: Size, factor: float = 1.0) -> Size:
        """The size that a whole image is resized to, in whole pixels, ``factor`` times as large as the framing says."""
        scale = self.longest / max(original)
        if self.framing == "shorter-side":
            scale = min(scale, self.size / min(original))
        height, width = (max(round(side * scale * factor), 1) for side in original)
        return height, width

    def canvas(self, originals: list[Size]) -> Size:
        """Height and width of the canvas for a batch of images of these sizes."""
        if self.framing == "square":
            return self.size, self.size
        sizes = [self.fitted(original) for original in originals]
        height, width = (-(-max(sides) // STRIDE) * STRIDE for sides in zip(*sizes, strict=True))
        return height, width

    def whole(self, image: View) -> View:
        """The whole image, as it is evaluated."""
        return _resized(image, self.fitted(image.size))

    def drawn(self, image: View, *, seed: int, epoch: int, index: int) -> View:
        """What a training sees of an image: mirrored with probability 1/2; in a square also scaled and cropped.

        In a square it is scaled by a factor from :data:`SCALES` (aanet.md section 3: multi-scale jitter, crop, flip),
        cropped at a random place where it is larger than the square, and boxes go of which less than a pixel of width
        or height is left.

        Args:
            image: all of it, as it is in its file.
            seed: of the run. What is drawn depends on it, ``epoch`` and ``index`` alone.
            epoch: from 0.
            index: of the image in its data set.
        """
        generator = Generator().manual_seed(stream_seed(f"aabench image {seed} {epoch} {index}"))
        flip, scale, top, left = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
        if self.framing == "square":
            image = _resized(image, self.fitted(image.size, SCALES[0] + (SCALES[1] - SCALES[0]) * scale))
            image = _large_enough(_cropped(image, self.size, top, left))
        else:
            image = self.whole(image)
        return _changed(image, F.horizontal_flip) if flip < 0.5 else image


def _resized(image: View, size: Size) -> View:
    return image if image.size == size else _changed(image, F.resize, list(size), antialias=True)


def _cropped(image: View, most: int, top: float, left: float) -> View:
    """At most ``most`` pixels a side. ``top`` and ``left`` from [0, 1): which of the possible places."""
    height, width = image.size
    kept = (min(height, most), min(width, most))
    if kept == image.size:
        return image
    return _changed(image, F.crop, int(top * (height - kept[0] + 1)), int(left * (width - kept[1] + 1)), *kept)


def _large_enough(image: View) -> View:
    """Without boxes of less than a pixel of width or height."""
    boxes, kept = F.sanitize_bounding_boxes(_boxes(image), min_size=1.0)
    return View(image.pixels, boxes.as_subclass(Tensor), image.labels[kept])


def _changed(image: View, change: Any, *arguments: Any, **options: Any) -> View:
    """The same done to the pixels and to the boxes."""
    pixels = change(image.pixels, *arguments, **options)
    boxes = change(_boxes(image), *arguments, **options)
    return View(pixels, boxes.as_subclass(Tensor), image.labels)


def _boxes(image: View) -> tv_tensors.BoundingBoxes:
    return tv_tensors.BoundingBoxes(image.boxes, format="XYXY", canvas_size=image.size)
