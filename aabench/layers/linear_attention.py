"""Linear attention (Katharopoulos et al., 2006.16236): ``phi(Q) (phi(K)^T V) / (phi(Q) sum phi(K))``, phi = elu + 1.

It takes no relative positions. That its queries come scaled by d^-1/2 is AAConv2d's doing and ours, not the paper's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from aabench.layers.mechanism import Logits, Mechanism


class LinearAttention(Mechanism):
    """Attention whose weights are products of positive features; the map is never made."""

    takes_relative = False

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """q, k (B, Nh, n, d), v (B, Nh, n, e) -> (B, Nh, n, e)."""
        # Below 0, phi is exp: a query whose channels all lie there is moved up to 0, which cancels in the quotient.
        queries = F.elu(q - q.detach().amax(dim=-1, keepdim=True).clamp_max(0)) + 1
        # The factor cancels in the quotient and keeps the sums over n within half precision.
        keys = (F.elu(k) + 1) * k.shape[-2] ** -0.5
        weighted = queries @ (keys.transpose(-2, -1) @ v)
        total = queries @ keys.sum(dim=-2).unsqueeze(-1)
        # Where all keys are so far below 0 that phi rounds to 0, the result is 0 and not 0 / 0; the root leaves room
        # for the gradient.
        attended: Tensor = weighted / total.clamp_min(torch.finfo(total.dtype).tiny ** 0.5)
        return attended
