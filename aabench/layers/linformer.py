"""Linformer (Wang et al., 2006.04768): ``softmax(Q (E K)^T) (F V)`` with learned E, F of shape k x n.

Relative positions enter through the augmented keys: E k' gives the exact projection of AA's relative logits
(sheet eaanet.md, sections 3 and 4).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aabench.layers.attention_core import augment
from aabench.layers.mechanism import Logits, Mechanism


class Linformer(Mechanism):
    """Attention to k learned mixtures of the tokens. E and F tie the layer to n.

    ``size`` is k, of which at most n are used; its default is ours. So is that all heads share E and F (unspecified).
    """

    default_size = 64

    def build(self, key_channels: int, relative: bool, **factory: Any) -> None:
        """E and F."""
        tokens = self.feature_size[0] * self.feature_size[1]
        self.size = min(self.size, tokens)
        self.key_projection = nn.Parameter(torch.empty(self.size, tokens, **factory))
        self.value_projection = nn.Parameter(torch.empty(self.size, tokens, **factory))
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
