"""Axial attention: each query attends to the keys of its row, then the result is attended to along its column.

Of AA's logits with the keys of one row, S_H is the same for all and drops out of the softmax: rows take S_W alone, and
columns S_H alone. One set of queries and keys serves both axes, which is ours (unspecified); the papers of the name
(Ho et al., 1912.12180; Wang et al., 2003.07853) have a layer for each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aabench.layers.mechanism import Logits, Mechanism


class AxialAttention(Mechanism):
    """Rows, then columns. Its memory grows as n (H + W)."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """Scaled q, k (B, Nh, n, d), v (B, Nh, n, e) and the relative logits -> (B, Nh, n, e)."""
        q, k, v = (torch.unflatten(t, 2, self.feature_size) for t in (q, k, v))
        rows, columns = (
            (None, None) if relative is None else (torch.unflatten(t, 2, self.feature_size) for t in relative)
        )
        along_rows = _attend(q, k, v, columns)
        q, k, v = (t.transpose(2, 3) for t in (q, k, along_rows))
        along_columns = _attend(q, k, v, None if rows is None else rows.transpose(2, 3))
        return along_columns.transpose(2, 3).flatten(2, 3)


def _attend(q: Tensor, k: Tensor, v: Tensor, relative: Tensor | None) -> Tensor:
    """Within each line of L cells, q, k (.., L, d), v (.., L, e), relative logits (.., L, L) -> (.., L, e)."""
    logits = q @ k.transpose(-2, -1)
    if relative is not None:
        logits = logits + relative
    return logits.softmax(dim=-1) @ v
