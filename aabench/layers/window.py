"""Window attention (as in Swin, Liu et al., 2103.14030): softmax inside windows that tile the map.

Where windows do not divide the map, it is padded at the bottom and on the right, as Swin does. The keys of the padding
are masked, which is ours: a window at the border attends to what of the map is in it. Windows are not shifted.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from aabench.layers.mechanism import Logits, Mechanism


class WindowAttention(Mechanism):
    """Exact attention inside windows of w x w cells, w = ``size`` (the default is ours), or of the map's side if less.

    Relative positions are those inside the window: tables of 2 w - 1 offsets, not of 2 H - 1.
    """

    default_size = 7

    outside: Tensor | None
    """(windows, 1, w w): which keys of a window are padding; None if there are none."""

    def build(self, key_channels: int, relative: bool, **factory: Any) -> None:
        """The mask of the padding."""
        inside = torch.ones(1, 1, self.feature_size[0] * self.feature_size[1], 1, **factory)
        outside = self._split(inside).squeeze(0, 1).transpose(-2, -1) == 0
        self.register_buffer("outside", outside if any(self._padding) else None, persistent=False)

    @property
    def scope(self) -> tuple[int, int]:
        """The window."""
        height, width = self.feature_size
        return min(self.size, height), min(self.size, width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """Scaled q, k (B, Nh, n, d), v (B, Nh, n, e) and the relative logits in the window -> (B, Nh, n, e)."""
        q, k, v = (self._split(t) for t in (q, k, v))
        logits = q @ k.transpose(-2, -1)
        if relative is not None:
            rows, columns = (self._split(t) for t in relative)
            by_key = torch.unflatten(logits, -1, self.scope)
            logits = (by_key + rows.unsqueeze(-1) + columns.unsqueeze(-2)).flatten(-2)
        if self.outside is not None:
            logits = logits.masked_fill(self.outside, float("-inf"))
        return self._join(logits.softmax(dim=-1) @ v)

    @property
    def _padding(self) -> tuple[int, int]:
        """Rows below and columns on the right."""
        (height, width), (rows, columns) = self.feature_size, self.scope
        return -height % rows, -width % columns

    def _split(self, t: Tensor) -> Tensor:
        """(B, Nh, n, c) -> (B, Nh, windows, w w, c), both row-major."""
        (below, right), (rows, columns) = self._padding, self.scope
        grid = F.pad(torch.unflatten(t, 2, self.feature_size), (0, 0, 0, right, 0, below))
        tiles = torch.unflatten(torch.unflatten(grid, 3, (-1, columns)), 2, (-1, rows))  # B, Nh, Y, rows, X, columns, c
        return tiles.transpose(3, 4).flatten(4, 5).flatten(2, 3)

    def _join(self, t: Tensor) -> Tensor:
        """(B, Nh, windows, w w, c) -> (B, Nh, n, c); what was padded is cut off."""
        (height, width), (rows, columns) = self.feature_size, self.scope
        tiles = torch.unflatten(torch.unflatten(t, 3, self.scope), 2, (-(-height // rows), -(-width // columns)))
        grid = tiles.transpose(3, 4).flatten(4, 5).flatten(2, 3)
        return grid[:, :, :height, :width].flatten(2, 3)
