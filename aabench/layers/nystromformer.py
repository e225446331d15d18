"""Nystroemformer (Xiong et al., 2102.03902): ``softmax(Q K~^T) Z softmax(Q~ K^T) V`` over m landmarks Q~, K~.

Landmarks are the means of m segments of the tokens, row-major, and Z is the pseudo-inverse of ``softmax(Q~ K~^T)`` by
6 iterations (sheet eaanet.md, section 3). Relative positions enter through q' and k' (section 4). The paper's
convolution of V beside the attention is left out: AAConv2d has a convolution of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from aabench.layers.attention_core import augment
from aabench.layers.mechanism import Logits, Mechanism


class Nystromformer(Mechanism):
    """``size`` is m, of which at most n are used; its default is ours.

    Where m does not divide n, the first segments are longer by one token: ours, so that nothing is padded.
    """

    default_size = 64
    iterations = 6

    def build(self, key_channels: int, relative: bool, **factory: Any) -> None:
        """No weights; bounds m."""
        self.size = min(self.size, self.feature_size[0] * self.feature_size[1])

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """Scaled q, k (B, Nh, n, d), v (B, Nh, n, e) and the relative logits -> (B, Nh, n, e)."""
        if relative is not None:
            q, k = augment(q, k, relative, self.feature_size)
        few_q, few_k = self._segment_means(q), self._segment_means(k)
        between = (few_q @ few_k.transpose(-2, -1)).softmax(dim=-1)
        gathered = (few_q @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return (q @ few_k.transpose(-2, -1)).softmax(dim=-1) @ (pseudo_inverse(between, self.iterations) @ gathered)

    def _segment_means(self, t: Tensor) -> Tensor:
        """(B, Nh, n, c) -> (B, Nh, m, c)."""
        length, longer = divmod(self.feature_size[0] * self.feature_size[1], self.size)
        end = longer * (length + 1)
        first = torch.unflatten(t[:, :, :end], 2, (longer, length + 1))
        rest = torch.unflatten(t[:, :, end:], 2, (self.size - longer, length))
        return torch.cat([first.mean(dim=3), rest.mean(dim=3)], dim=2)


def pseudo_inverse(a: Tensor, iterations: int) -> Tensor:
    """Of (.., m, m), whose rows sum to 1: ``Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4`` from a scaled A^T."""
    one = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    # The start has to be divided by the norms for 1 and infinity; the latter, the largest sum of a row, is 1.
    z = a.transpose(-2, -1) / a.sum(dim=-2, keepdim=True).amax(dim=-1, keepdim=True)
    for _ in range(iterations):
        az = a @ z
        z = z @ (13 * one - az @ (15 * one - az @ (7 * one - az))) / 4
    return z
