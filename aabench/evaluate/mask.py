"""The mask of images a model gets right, as a short string for the log (McNemar's test compares two of them)."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import torch
from torch import Tensor


def pack_mask(mask: Tensor) -> str:
    """(N,) bool -> base64 of zlib of numpy.packbits."""
    return base64.b64encode(zlib.compress(np.packbits(mask.cpu().numpy()).tobytes(), 9)).decode("ascii")


def unpack_mask(packed: str, images: int) -> Tensor:
    """What :func:`pack_mask` was given, (N,) bool for N = ``images``.

    Raises:
        ValueError: it is no mask of so many images.
    """
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), dtype=np.uint8)
    except zlib.error as error:
        raise ValueError(f"no packed mask: {error}") from error
    if len(bits) != -(-images // 8):
        raise ValueError(f"a mask of {8 * len(bits)} bits or a few less, not of {images} images")
    return torch.from_numpy(np.unpackbits(bits, count=images).astype(np.bool_))
