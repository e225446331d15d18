"""What data, networks and scores call alike."""

from __future__ import annotations

from torch import Tensor

Size = tuple[int, int]
"""Height and width, in pixels or cells."""

Target = dict[str, Tensor]
"""The objects of one image, in torchvision's terms: ``boxes`` (k, 4) fp32, corners x1 y1 x2 y2 in pixels, and
``labels`` (k,) int64, category ids from 1 on. k may be 0."""

Found = dict[str, Tensor]
"""What was found in one image, best first: ``boxes`` (k, 4) and ``labels`` (k,) as in a target, ``scores`` (k,)."""
