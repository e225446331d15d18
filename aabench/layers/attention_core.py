"""Exact AA attention, ``softmax(Q K^T + S_H + S_W) V``, in two forms that give the same values.

``explicit`` makes the n x n logits (n = H*W), as every public port does. ``fused`` never has them all in memory, which
grows as n (H + W) instead of n^2. On a CPU it goes over chunks of query rows, see
:mod:`aabench.layers.chunked_attention`. Elsewhere it uses the device's fused kernel, which knows no relative logits:
with

    q' = [q ; logits by key row ; logits by key column],  k' = [k ; onehot(row) ; onehot(column)]

the product ``q'.k'`` is AA's logit, so that plain scaled_dot_product_attention gives AA exactly (sheet eaanet.md,
section 4).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from aabench.layers.chunked_attention import chunked_attention
from aabench.layers.mechanism import Logits, Mechanism

FORMS = ("auto", "explicit", "fused")


class AttentionCore(Mechanism):
    """The exact mechanism: chooses the form and runs it."""

    attention = "auto"
    """The form: ``explicit``, ``fused``, or ``auto``, whichever is expected to be faster, see :func:`choose`."""

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


FUSED_FROM = 14 * 14
"""Tokens from which the fused form is taken, as ``make bench`` shows on two CPU cores (tests/bench/test_attention.py).
Not measured on a GPU yet."""


def choose(q: Tensor) -> str:
    """The form expected to be faster for queries (B, Nh, n, d): below some tokens a few large calls beat many small.

    A fixed rule, not a timing at run time: a resumed training has to take the same form to end bit-identical.
    """
    return "fused" if q.shape[2] >= FUSED_FROM else "explicit"


def explicit_attention(q: Tensor, k: Tensor, v: Tensor, relative: Logits | None) -> Tensor:
    """By the equation, with the n x n matrix of logits in memory. Shapes as in :class:`AttentionCore`."""
    logits = q @ k.transpose(-2, -1)
    if relative is not None:
        rows, columns = relative
        by_key = logits.view(*logits.shape[:-1], rows.shape[-1], columns.shape[-1])
        logits = (by_key + rows.unsqueeze(-1) + columns.unsqueeze(-2)).flatten(-2)
    return logits.softmax(dim=-1) @ v


def fused_attention(q: Tensor, k: Tensor, v: Tensor, relative: Logits | None, feature_size: tuple[int, int]) -> Tensor:
    """The same values without the n x n matrix: over chunks on a CPU, by fused kernels on other devices."""
    if q.device.type == "cpu":
        rows, columns = relative or (None, None)
        attended: Tensor = chunked_attention(q, k, v, rows, columns)
        return attended
    return kernel_attention(q, k, v, relative, feature_size)


def kernel_attention(q: Tensor, k: Tensor, v: Tensor, relative: Logits | None, feature_size: tuple[int, int]) -> Tensor:
    """By scaled_dot_product_attention, which knows no relative logits: they come with q' and k'."""
    if relative is not None:
        q, k = augment(q, k, relative, feature_size)
    values = v.shape[-1]
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
