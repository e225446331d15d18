"""Anchors of a pyramid: boxes of set sizes and shapes around the upper left corner of each cell of each level.

The corner, and not the middle of the cell, is torchvision's convention.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from aabench.terms import Size


class PyramidAnchors(AnchorGenerator):  # type: ignore[misc]  # torchvision has no types here
    """Torchvision's anchors, always fp32, at the true strides of the levels.

    Torchvision takes the canvas over the map, rounded down, for the stride: where a side is no multiple of the stride,
    its anchors drift away from the cells. It takes the maps' data type too, and bfloat16 has no pixel 641.

    Args:
        sizes: for each level, the roots of its anchors' areas, in pixels.
        aspect_ratios: height over width.
        strides: of each level, in pixels.
    """

    def __init__(
        self, sizes: Sequence[tuple[float, ...]], aspect_ratios: tuple[float, ...], strides: Sequence[int]
    ) -> None:
        super().__init__(tuple(sizes), (aspect_ratios,) * len(sizes))
        self.strides = tuple(strides)
        self.cell_anchors: list[Tensor] = []

    def levels(self, canvas: Size, device: torch.device) -> list[Tensor]:
        """The anchors of each level of a canvas, (cells x anchors of a cell, 4) corners in pixels, cells row-major."""
        shapes = zip(self.sizes, self.aspect_ratios, strict=True)
        self.cell_anchors = [self.generate_anchors(sizes, ratios, device=device) for sizes, ratios in shapes]
        steps = [torch.tensor(stride, device=device) for stride in self.strides]
        grids = [[-(-side // stride) for side in canvas] for stride in self.strides]
        levels: list[Tensor] = self.grid_anchors(grids, [[step, step] for step in steps])
        self.cell_anchors = []  # what is no buffer would keep a copy from being made on another device
        return levels

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """For each image, the anchors of all levels in one tensor (A, 4)."""
        height, width = image_list.tensors.shape[-2:]
        anchors = torch.cat(self.levels((height, width), feature_maps[0].device))
        return [anchors] * len(image_list.image_sizes)
