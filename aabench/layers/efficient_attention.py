"""Efficient attention (Shen et al., 1812.01243): ``softmax_d(Q) (softmax_n(K)^T V)``, linear in the n tokens.

It takes no relative positions: query and key never meet in a product of their own.
"""

from __future__ import annotations

from torch import Tensor

from aabench.layers.mechanism import Logits, Mechanism


class EfficientAttention(Mechanism):
    """Softmax of the queries over channels, of the keys over tokens; the map is never made."""

    takes_relative = False

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """q scaled by d^-1/2, k (B, Nh, n, d), v (B, Nh, n, e) -> (B, Nh, n, e)."""
        # The definition has no 1/sqrt(d): undo AAConv2d's.
        queries: Tensor = (q * q.shape[-1] ** 0.5).softmax(dim=-1)
        context: Tensor = k.softmax(dim=-2).transpose(-2, -1) @ v
        attended: Tensor = queries @ context
        return attended
