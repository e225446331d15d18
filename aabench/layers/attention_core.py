"""Exact AA attention, ``softmax(Q K^T + S_H + S_W) V``, in two forms that give the same values.

``explicit`` makes the n x n logits (n = H*W), as every public port does. ``fused`` never does: with

    q' = [q ; logits by key row ; logits by key column],  k' = [k ; onehot(row) ; onehot(column)]

the product ``q'.k'`` is AA's logit, so that plain scaled_dot_product_attention gives AA exactly, and memory
grows as n (H + W) instead of n^2 (sheet eaanet.md, section 4).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Logits = tuple[Tensor, Tensor]
"""Relative logits by key row (B, Nh, n, H) and by key column (B, Nh, n, W)."""

FORMS = ("auto", "explicit", "fused")


class AttentionCore(nn.Module):
    """Chooses the form and runs it. Queries come scaled.

    Args:
        feature_size: (H, W) of the attention map.
        attention: ``explicit``, ``fused``, or ``auto``: whichever is expected to be faster, see :func:`choose`.
    """

    def __init__(self, feature_size: tuple[int, int], attention: str = "auto") -> None:
        super().__init__()
        self.feature_size = feature_size
        self.attention = known_form(attention)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """q, k (B, Nh, n, d), v (B, Nh, n, e) and the relative logits -> (B, Nh, n, e)."""
        form = self.attention if self.attention != "auto" else choose(q)
        if form == "explicit":
            return explicit_attention(q, k, v, relative)
        return fused_attention(q, k, v, relative, self.feature_size)

    def extra_repr(self) -> str:
        """The map size and the form."""
        return f"feature_size={self.feature_size}, attention={self.attention!r}"


def known_form(attention: str) -> str:
    """The name of a form.

    Raises:
        ValueError: there is none of that name.
    """
    if attention not in FORMS:
        raise ValueError(f"attention is one of {', '.join(FORMS)}, not {attention!r}")
    return attention


FUSED_FROM = {"inference": 2 * 2**20, "training": 16 * 2**20}
"""Bytes of one n x n matrix for the whole batch from which the fused form is faster, as ``make bench`` shows on two
CPU cores for dk = dv = 128, batch 2 (tests/bench/test_attention.py). Other shapes cross elsewhere: with few value
channels or one image the choice was up to 1.2 times the better form. Not measured on a GPU yet."""


def choose(q: Tensor) -> str:
    """The form expected to be faster for queries (B, Nh, n, d): fused where the explicit logits would be large.

    A fixed rule, not a timing at run time: a resumed training has to take the same form to end bit-identical.
    """
    batch, heads, cells, _ = q.shape
    logits = batch * heads * cells**2 * q.element_size()
    return "fused" if logits >= FUSED_FROM["training" if q.requires_grad else "inference"] else "explicit"


def explicit_attention(q: Tensor, k: Tensor, v: Tensor, relative: Logits | None) -> Tensor:
    """By the equation, with the n x n matrix of logits in memory. Shapes as in :class:`AttentionCore`."""
    logits = q @ k.transpose(-2, -1)
    if relative is not None:
        rows, columns = relative
        by_key = logits.view(*logits.shape[:-1], rows.shape[-1], columns.shape[-1])
        logits = (by_key + rows.unsqueeze(-1) + columns.unsqueeze(-2)).flatten(-2)
    return logits.softmax(dim=-1) @ v


def fused_attention(q: Tensor, k: Tensor, v: Tensor, relative: Logits | None, feature_size: tuple[int, int]) -> Tensor:
    """The same values by scaled_dot_product_attention, without the n x n matrix."""
    if relative is not None:
        q, k = augment(q, k, relative, feature_size)
    values = v.shape[-1]
    width = max(q.shape[-1], values)
    if q.device.type == "cpu":
        # The fused CPU kernel runs only if q, k and v share their last dimension; otherwise it falls back to n x n.
        q, k, v = (F.pad(t, (0, width - t.shape[-1])) for t in (q, k, v))
    else:
        # CUDA's memory-efficient kernel wants multiples of 8 (half) or 4 (fp32); v may differ from q and k.
        q, k, v = (F.pad(t, (0, -t.shape[-1] % 8)) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=1.0)[..., :values]


def augment(q: Tensor, k: Tensor, relative: Logits, feature_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """q' and k' (B, Nh, n, d + H + W) of the module's docstring: their product is the logit with its positions."""
    position = _one_hot_position(feature_size, k.dtype, k.device)
    return torch.cat([q, *relative], dim=-1), torch.cat([k, position.expand(*k.shape[:2], -1, -1)], dim=-1)


def _one_hot_position(feature_size: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(n, H + W): for each key, a one at its row and a one at its column."""
    height, width = feature_size
    rows = torch.eye(height, dtype=dtype, device=device).repeat_interleave(width, dim=0)
    columns = torch.eye(width, dtype=dtype, device=device).repeat(height, 1)
    return torch.cat([rows, columns], dim=1)
