"""From an image file to pixels.

Decoded by torchvision's own libjpeg(-turbo) binding: the same pixels as Pillow's, in about two thirds of Pillow's time
with what follows, since the crop is then resized as a uint8 tensor. libjpeg's draft mode (decoding at half the size)
is not used: it changes the pixels, and most crops of ImageNet are too small for it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image


class CannotDecode(Exception):
    """A file is no image, or not a whole one; the message is the reason."""


def read_image(path: Path) -> Tensor:
    """Read a file as (3, H, W) uint8. Greyscale, CMYK and palettes become RGB; the name's ending is not looked at.

    Raises:
        CannotDecode: it is missing, truncated, or no image. (Damage that libjpeg itself mends is not seen.)
    """
    try:
        content = bytearray(path.read_bytes())
    except OSError as error:
        raise CannotDecode(error.strerror or str(error)) from error
    if not content:
        raise CannotDecode("an empty file")
    try:
        image: Tensor = decode_image(torch.frombuffer(content, dtype=torch.uint8), ImageReadMode.RGB)
    except RuntimeError as error:
        raise CannotDecode(_brief(error)) from error
    if image.dtype != torch.uint8 or image.ndim != 3:
        raise CannotDecode(f"decodes to {tuple(image.shape)} {image.dtype}, not to (3, H, W) torch.uint8")
    return image


def _brief(error: RuntimeError) -> str:
    """torchvision's reason without the place in its source: ``decode_jpeg, /path/file.cpp:171, REASON``."""
    first = str(error).splitlines()[0]
    return first.split(".cpp:", 1)[-1].partition(", ")[2] or first
