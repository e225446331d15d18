"""Spatial Group-wise Enhance, SGE (Li et al., https://arxiv.org/abs/1905.09646), as EAN's sheet defines it.

Where a map has one position only, the standard deviation of its one value is taken for 0, not for undefined (ours).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpatialGroupEnhance(nn.Module):
    """Scales each position of a group of channels by how much it is like the group's mean over the map.

    ``sigmoid(w t + b)``, where t is the product of each position with the group's pooled vector, standardised over the
    map; w and b are one number a group, 0 and 1 at first.

    Args:
        channels: C.
        groups: G; each has C / G channels.

    Raises:
        ValueError: the groups do not divide the channels.
    """

    epsilon = 1e-5
    """Added to the standard deviation."""

    def __init__(
        self,
        channels: int,
        groups: int = 64,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if groups < 1 or channels % groups:
            raise ValueError(f"{channels} channels cannot be split into {groups} groups")
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(groups, 1, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.ones(groups, 1, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        n, c, h, w = x.shape
        grouped = x.reshape(n, self.groups, c // self.groups, h * w)
        likeness = (grouped * grouped.mean(3, keepdim=True)).sum(2)
        deviation = likeness.std(2, correction=int(h * w > 1), keepdim=True)
        standardised = (likeness - likeness.mean(2, keepdim=True)) / (deviation + self.epsilon)
        gate: Tensor = (standardised * self.weight + self.bias).sigmoid()
        return (grouped * gate[:, :, None]).view(n, c, h, w)

    def extra_repr(self) -> str:
        """The number of groups."""
        return f"groups={self.groups}"
