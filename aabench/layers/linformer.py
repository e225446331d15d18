"""Linformer (Wang et al., 2006.04768): ``softmax(Q (E K)^T) (F V)`` with learned E, F of shape k x n.

Relative positions enter through the augmented keys: E k' gives the exact projection of AA's relative logits
(sheet eaanet.md, sections 3 and 4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aabench.layers.attention_core import Logits, augment


class Linformer(nn.Module):
    """Attention to k learned mixtures of the tokens. E and F tie the layer to n.

    That all heads share them is ours (unspecified).

    Args:
        feature_size: (H, W) of the attention map, n = H W.
        projected: k; at most n are used. The default is ours.
    """

    def __init__(
        self,
        feature_size: tuple[int, int],
        projected: int = 64,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.feature_size = feature_size
        tokens = feature_size[0] * feature_size[1]
        self.projected = min(projected, tokens)
        self.key_projection = nn.Parameter(torch.empty(self.projected, tokens, device=device, dtype=dtype))
        self.value_projection = nn.Parameter(torch.empty(self.projected, tokens, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal with standard deviation n^-1/2, ours: keeps the variance of independent tokens."""
        for projection in (self.key_projection, self.value_projection):
            nn.init.normal_(projection, std=projection.shape[1] ** -0.5)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """Scaled q, k (B, Nh, n, d), v (B, Nh, n, e) and the relative logits -> (B, Nh, n, e)."""
        if relative is not None:
            q, k = augment(q, k, relative, self.feature_size)
        keys = torch.matmul(self.key_projection, k)
        values = torch.matmul(self.value_projection, v)
        return (q @ keys.transpose(-2, -1)).softmax(dim=-1) @ values

    def extra_repr(self) -> str:
        """The map size and k."""
        return f"feature_size={self.feature_size}, projected={self.projected}"
