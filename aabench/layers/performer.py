"""Performer, FAVOR+ (Choromanski et al., 2009.14794): softmax attention with positive orthogonal random features.

``exp(q.k)`` is the mean over random w of ``exp(w.q - |q|^2 / 2) exp(w.k - |k|^2 / 2)``, so that attention becomes
linear in the n tokens. Relative positions enter through q' and k' (sheet eaanet.md, section 4). The features are drawn
once and kept in the checkpoint: the paper's redrawing during training is not done, which is ours.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from aabench.layers.attention_core import augment
from aabench.layers.mechanism import Logits, Mechanism


class Performer(Mechanism):
    """``size`` is r, the number of random features, which all heads share; the default is ours."""

    default_size = 64

    features: Tensor
    """(r, d'), with d' = d + H + W with relative positions, else d."""
    balance: Tensor
    """(d'): what multiplies the queries and divides the keys."""

    def build(self, key_channels: int, relative: bool, **factory: Any) -> None:
        """The random features."""
        balance = _balance(self.feature_size, key_channels, relative)
        features = orthogonal_features(self.size, len(balance), **factory)
        self.register_buffer("features", features)
        self.register_buffer("balance", torch.tensor(balance, **factory), persistent=False)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """Scaled q, k (B, Nh, n, d), v (B, Nh, n, e) and the relative logits -> (B, Nh, n, e)."""
        if relative is not None:
            q, k = augment(q, k, relative, self.feature_size)
        q, k = q * self.balance, k / self.balance
        # exp(-|q|^2 / 2) is the same in a query's numerator and denominator.
        queries = F.linear(q, self.features)
        keys = F.linear(k, self.features) - k.square().sum(dim=-1, keepdim=True) / 2
        # Each feature's largest key is moved over to the queries, and each query's largest feature drops out, so that
        # no exp overflows and no denominator vanishes. Ours; the paper's code adds a small number instead.
        largest = keys.detach().amax(dim=-2, keepdim=True)
        queries = queries + largest
        queries = (queries - queries.detach().amax(dim=-1, keepdim=True)).exp()
        # The factor cancels and keeps the sums over n within half precision.
        keys = (keys - largest).exp() * k.shape[-2] ** -0.5
        weighted = queries @ (keys.transpose(-2, -1) @ v)
        attended: Tensor = weighted / (queries @ keys.sum(dim=-2).unsqueeze(-1))
        return attended


def orthogonal_features(
    count: int, channels: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """(count, channels): each row normal on its own, and those of a block of ``channels`` rows orthogonal."""
    directions = [_rotation(channels, device)[: count - start] for start in range(0, count, channels)]
    lengths = torch.randn(count, channels, device=device).square().sum(dim=-1, keepdim=True).sqrt()
    return (torch.cat(directions) * lengths).to(dtype or torch.get_default_dtype())


def _rotation(channels: int, device: torch.device | str | None) -> Tensor:
    """(channels, channels): an orthogonal matrix, each as likely as any other."""
    q, r = torch.linalg.qr(torch.randn(channels, channels, device=device))
    # Without the signs the first row would lean to one side, and all estimates with it.
    rotation: Tensor = q * r.diagonal().sign()
    return rotation


def _balance(feature_size: tuple[int, int], key_channels: int, relative: bool) -> list[float]:
    """Factors that leave every q'.k' as it is and keep |q'|^2 + |k'|^2, and with it the estimate's variance, small.

    Ours: queries and keys of variance 1 give |q| = 1 (it is scaled), |k| = d^1/2, logits of length
    ((H + W) / d)^1/2 by row and column as the tables start, and one-hot positions of length 2^1/2.
    """
    content = [key_channels**0.25] * key_channels
    if not relative:
        return content
    positions = sum(feature_size)
    return content + [(2 * key_channels / positions) ** 0.25] * positions
