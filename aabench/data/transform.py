"""From stored uint8 images to a network's input: normalise, resize where the network wants another size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from aabench.data.detection import DetectionBatch


class Normalisation(NamedTuple):
    """Per-channel (RGB) mean and standard deviation of pixels scaled to [0, 1]; ``bgr``: blue comes first after it."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


NORMALISATIONS = {
    # Over all pixels of the 50,000 training images, in float64: (images / 255).mean((0, 2, 3)), .std((0, 2, 3), 0).
    "cifar100": Normalisation(mean=(0.507075, 0.486549, 0.440918), std=(0.267334, 0.256438, 0.276150)),
    # torchvision's, of ImageNet's training set; also what the CIFAR-10 checkpoints of the calibration tasks expect.
    "imagenet": Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    # ean.md section 3, DIANet's CIFAR recipes: also used for CIFAR-10, as DIANet's code does.
    "dianet": Normalisation(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)),
    # data/README.md: BGR, 0..255, minus (104, 117, 123), as networks trained with Caffe expect it.
    "caffe": Normalisation(mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255,) * 3, bgr=True),
}
"""By the name that a task's ``normalisation`` has."""


@dataclass(frozen=True)
class Transform:
    """uint8 images (N, 3, H, W) -> float32 (N, 3, *input_size), on the device where they are, in their memory format.

    Attributes:
        normalisation: a name in :data:`NORMALISATIONS`.
        input_size: (H, W) that the network wants; other sizes are resized bilinearly (antialiased when shrinking).
    """

    normalisation: str
    input_size: tuple[int, int]

    def __call__(self, images: Tensor) -> Tensor:
        """Separate roundings for each operation, so that CPU and CUDA agree bit for bit where nothing is resized."""
        shift, scale = _constants(self.normalisation, images.device)
        x = images.float().sub_(shift).mul_(scale)
        if x.shape[-2:] != self.input_size:
            x = F.interpolate(x, self.input_size, mode="bilinear", antialias=True)
        return x.flip(1) if NORMALISATIONS[self.normalisation].bgr else x


@dataclass(frozen=True)
class CanvasTransform:
    """A :class:`DetectionBatch`'s images -> float32 (N, 3, H, W), normalised as by :class:`Transform`, never resized.

    What lies beyond an image is 0 after it: the mean colour, which is what a convolution's own padding stands for.

    Attributes:
        normalisation: a name in :data:`NORMALISATIONS`.
    """

    normalisation: str

    def __call__(self, batch: DetectionBatch) -> Tensor:
        """On the device where the images are, in their memory format."""
        canvas = (batch.images.shape[-2], batch.images.shape[-1])
        x = Transform(self.normalisation, canvas)(batch.images)
        for image, (height, width) in zip(x, batch.sizes, strict=True):
            image[:, height:] = 0
            image[:, :height, width:] = 0
        return x


@cache
def _constants(name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """(shift, scale), each (3, 1, 1), for pixels from 0 to 255; made once a device."""
    normalisation = NORMALISATIONS[name]
    both = (normalisation.mean, normalisation.std)
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) * 255 for values in both)
    return mean.to(device, torch.float32), (1 / std).to(device, torch.float32)
