"""Parameter-free Gather-Excite (Hu et al., 1810.12348), a baseline of AA's Table 1."""

from __future__ import annotations

from torch import Tensor, nn


class GatherExcite(nn.Module):
    """Gates each channel with the sigmoid of its own mean over the map: no parameters.

    The extent is the whole map; AA's sheet does not give the extent, so this is ours.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x * x.mean((2, 3), keepdim=True).sigmoid()
