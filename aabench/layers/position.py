"""Position encodings of AA (Attention Augmented Convolutional Networks, 1904.09925, Table 7).

Relative logits belong to the attention itself; 2-D sine and CoordConv change the attention's input.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RelativePosition2d(nn.Module):
    """Relative logits along rows and columns: ``S_H[i,j] = q_i . rH[y_j - y_i]``, likewise ``S_W``.

    The tables are learned and shared by the heads of a layer. Only H + W numbers a query are made: all keys of
    one row share S_H, all keys of one column share S_W.

    Args:
        head_channels: d_k^h, channels of one head's queries.
        feature_size: (H, W) of the attention map. The tables are bound to it.
        window: (rows, columns) of windows that tile the map from its upper left corner, where keys are those of the
            query's own window; the whole map if not given.
    """

    def __init__(
        self,
        head_channels: int,
        feature_size: tuple[int, int],
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.feature_size = feature_size
        self.window = height, width = window or feature_size
        self.row_table = nn.Parameter(torch.empty(2 * height - 1, head_channels, device=device, dtype=dtype))
        self.column_table = nn.Parameter(torch.empty(2 * width - 1, head_channels, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal with standard deviation d_k^h ** -0.5 (sheet, section 2)."""
        std = self.row_table.shape[1] ** -0.5
        nn.init.normal_(self.row_table, std=std)
        nn.init.normal_(self.column_table, std=std)

    def forward(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled queries (B, Nh, H*W, d), row-major -> logits by key row (B, Nh, H*W, H) and by key column (.., W).

        With a window, by its rows and columns in the place of H and W.
        """
        height, width = self.feature_size
        batch, heads = q.shape[:2]
        grid = torch.unflatten(q, 2, self.feature_size)
        rows = _by_query_and_key(self.row_table, height, self.window[0])
        columns = _by_query_and_key(self.column_table, width, self.window[1])
        rows = _logits(grid.transpose(2, 3), rows, (batch, heads, width))
        columns = _logits(grid, columns, (batch, heads, height))
        return rows.transpose(2, 3).flatten(2, 3), columns.flatten(2, 3)

    def extra_repr(self) -> str:
        """The map size, and the size that the tables are bound to."""
        return f"feature_size={self.feature_size}, window={self.window}"


def _by_query_and_key(table: Tensor, length: int, keys: int) -> Tensor:
    """(2 keys - 1, d) by offset -> (length, keys, d) by query and key position; the offset is key minus query."""
    query = torch.arange(length, device=table.device) % keys
    key = torch.arange(keys, device=table.device)
    return table[key[None, :] - query[:, None] + keys - 1]


def _logits(queries: Tensor, table: Tensor, rest: tuple[int, int, int]) -> Tensor:
    """Queries (B, Nh, M, L, d) that lie at L positions, (L, K, d), and (B, Nh, M) -> (B, Nh, M, L, K).

    One product a position. Not einsum: over a single channel it is no product to torch, and is not counted.
    """
    product = queries.movedim(3, 0).flatten(1, 3) @ table.transpose(1, 2)
    return torch.unflatten(product, 1, rest).movedim(0, 3)


class SinePosition2d(nn.Module):
    """Adds the 2-D sinusoidal encoding to the attention input: half of the channels for y, half for x.

    The paper names the encoding only; frequencies as in the Transformer (base 10,000) are ours.
    """

    encoding: Tensor

    def __init__(self, channels: int, feature_size: tuple[int, int], device: torch.device | str | None = None) -> None:
        super().__init__()
        if channels % 4:
            raise ValueError(f"2-D sine position needs channels in multiples of 4, got {channels}")
        height, width = feature_size
        rows = _sine_1d(channels // 2, height, device)[:, :, None].expand(-1, -1, width)
        columns = _sine_1d(channels // 2, width, device)[:, None, :].expand(-1, height, -1)
        self.register_buffer("encoding", torch.cat([rows, columns]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.encoding.to(x.dtype)


def _sine_1d(channels: int, length: int, device: torch.device | str | None) -> Tensor:
    """(channels, length): sines, then cosines, of geometrically spaced frequencies."""
    frequency = torch.exp(torch.arange(0, channels, 2, device=device) * (-math.log(10_000.0) / channels))
    angle = frequency[:, None] * torch.arange(length, device=device)[None, :]
    return torch.cat([angle.sin(), angle.cos()])


class CoordConv2d(nn.Module):
    """Joins the coordinates (x, y, r) in -1..1 to the attention input as three channels."""

    coordinates: Tensor

    def __init__(self, feature_size: tuple[int, int], device: torch.device | str | None = None) -> None:
        super().__init__()
        y, x = (
            torch.linspace(-1, 1, n, device=device) if n > 1 else torch.zeros(1, device=device) for n in feature_size
        )
        y, x = torch.meshgrid(y, x, indexing="ij")
        self.register_buffer("coordinates", torch.stack([x, y, (x**2 + y**2).sqrt()]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 3, H, W)."""
        coordinates = self.coordinates.to(x.dtype).expand(x.shape[0], -1, -1, -1)
        return torch.cat([x, coordinates], dim=1)
