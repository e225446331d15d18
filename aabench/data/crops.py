"""What is cut from an image for a network: at random in training, the centre in evaluation."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from aabench.data.epoch import stream_seed


def inception_crop(image: Tensor, size: int, *, seed: int, epoch: int, index: int) -> Tensor:
    """Random resized crop (8 to 100 % of the area, aspect 3/4 to 4/3) and a flip: aanet.md section 3.

    Args:
        image: (3, H, W) uint8.
        size: side of the crop.
        seed: of the run. What is drawn depends on it, ``epoch`` and ``index`` alone.
        epoch: from 0.
        index: of the image in its data set.

    Returns:
        (3, size, size) uint8.
    """
    # What torch.manual_seed and fork_rng do, without what they do for CUDA at each call.
    before = torch.default_generator.get_state()
    try:
        torch.default_generator.manual_seed(stream_seed(f"aabench image {seed} {epoch} {index}"))
        cropped: Tensor = _inception(size)(image)
        return cropped
    finally:
        torch.default_generator.set_state(before)


@cache
def _inception(size: int) -> v2.Compose:
    return v2.Compose([v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()])


def centre_crop(image: Tensor, shorter_side: int, size: int) -> Tensor:
    """Resize so that the shorter side has ``shorter_side`` pixels, and take the centre: (3, H, W) -> (3, size, size).

    Bilinear with antialiasing. The longer side is rounded to the nearest pixel, and an odd pixel is left at the bottom
    and the right: SqueezeNet's figures on imagenet1000 come of that. (torchvision's own classes truncate and round
    half to even: 617 and 828 images instead of 616 and 829.)
    """
    height, width = image.shape[-2:]
    scale = shorter_side / min(height, width)
    resized = [max(round(side * scale), shorter_side) for side in (height, width)]
    if resized != [height, width]:
        image = F.resize(image, resized, antialias=True)
    top, left = ((side - size) // 2 for side in resized)
    cropped: Tensor = F.crop(image, top, left, size, size)
    return cropped
