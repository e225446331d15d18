"""Random crop and horizontal flip of a whole batch on its device, given what was drawn for each image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PADDING = 4
"""Black pixels added on every side before an image is cropped to its size again. The sheets give no number: ours."""


def crop_flip(images: Tensor, offsets: Tensor, flips: Tensor) -> Tensor:
    """Crop each image out of its padded self, and mirror it or not. Moves pixels only: the same on every device.

    Args:
        images: (N, C, H, W), of any type.
        offsets: (N, 2), row and column where the crop starts, from 0 to 2 x PADDING; PADDING is the image itself.
        flips: (N,) bool, mirror left to right.

    Returns:
        (N, C, H, W), in channels_last memory format.
    """
    count, _, height, width = images.shape
    padded = F.pad(images, (PADDING,) * 4)
    rows = offsets[:, :1] + torch.arange(height, device=images.device)
    straight = torch.arange(width, device=images.device)
    columns = offsets[:, 1:] + torch.where(flips[:, None], straight.flip(0), straight)
    which = torch.arange(count, device=images.device)
    # The slice between the indices makes it (N, H, W, C).
    return padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
