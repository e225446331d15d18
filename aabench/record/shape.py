"""Shapes of tensors, as rows have them, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def show_shape(shape: Sequence[Any], times: str = " x ") -> str:
    """A tensor's shape, ``1 x 1000``; or those of several, ``1 x 51150 x 90, 1 x 51150 x 4``."""
    if any(isinstance(side, Sequence) for side in shape):
        return ", ".join(show_shape(each, times) for each in shape)
    return times.join(map(str, shape))
