"""From an image file to pixels.

Decoded by Pillow: torchvision's own decoder takes two thirds of the time with what follows, and gives the same pixels,
but it is deprecated since 0.29. libjpeg's draft mode (decoding at half the size) is not used: it changes the pixels,
and most crops of ImageNet are too small for it.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor


class CannotDecode(Exception):
    """A file is no image, or not a whole one; the message is the reason."""


def read_image(path: Path) -> Tensor:
    """Read a file as (3, H, W) uint8. Greyscale, CMYK and palettes become RGB; the name's ending is not looked at.

    Raises:
        CannotDecode: it is missing, truncated, or no image. (Damage that libjpeg itself mends is not seen.)
    """
    try:
        with Image.open(path) as image:
            pixels: Tensor = pil_to_tensor(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise CannotDecode("no image that Pillow knows") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CannotDecode(getattr(error, "strerror", None) or str(error)) from error
    return pixels
