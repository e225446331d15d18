"""The paper's attention written out pair by pair in float64, with switches for what public ports get wrong.

``softmax((Q K^T + S_H + S_W) / sqrt(d_k^h)) V``, heads joined, then ``W_O`` (1904.09925, section 3). Slow, dense and
apart from :class:`aabench.layers.AAConv2d` on purpose: the two check each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Form:
    """One way to compute it; the defaults are the paper's."""

    heads: str = "major"
    """``major``, ``interleaved``, or ``raw``: (C, H, W) read as (Nh, H, W, d) without moving a number."""
    join: str = "transposed"
    """``transposed``, ``interleaved``, ``reshaped`` (each head's (n, e) read as (e, n)) or ``reshaped-together``."""
    content_scale: str = "head"
    """``head``: d_k^h ** -0.5; ``all``: dk ** -0.5; ``none``; ``twice``: 1 / d_k^h."""
    relative_scale: str = "head"
    row_offset: str = "key-query"
    column_offset: str = "key-query"
    tables: str = "as-named"
    """or ``swapped``."""
    axes: str = "both"
    """Which relative logits there are: ``both``, ``rows``, ``columns`` or ``none``."""
    relative_of: str = "queries"
    relative_heads: str = "apart"
    """or ``summed`` over the heads."""
    softmax: str = "keys"
    roles: str = "as-named"
    """or ``exchanged``: what the adapter calls queries are the keys."""
    projection: str = "applied"
    """or ``skipped``."""


PAPER = Form()


@dataclass(frozen=True)
class Values:
    """A layer's weights: q, k, v (channels, F_in, k, k), output (dv, dv, 1, 1), conv, and the relative tables by
    offset, (2L - 1, d_k^h), or (Nh, 2L - 1, d_k^h) where each head has its own."""

    q: Tensor
    k: Tensor
    v: Tensor
    output: Tensor | None
    conv: Tensor | None
    rows: Tensor | None
    columns: Tensor | None


def same_conv(x: Tensor, weight: Tensor) -> Tensor:
    """A convolution that keeps the map's size."""
    return F.conv2d(x, weight, padding=(weight.shape[2] // 2, weight.shape[3] // 2))


def attend(x: Tensor, values: Values, num_heads: int, form: Form = PAPER) -> Tensor:
    """The attention branch, (N, F_in, H, W) -> (N, dv, H, W)."""
    height, width = x.shape[-2:]
    q, k, v = (_split(same_conv(x, weight), num_heads, form.heads) for weight in (values.q, values.k, values.v))
    if form.roles == "exchanged":
        q, k = k, q
    logits = q @ k.mT * _scale(form.content_scale, q)
    if values.rows is not None and values.columns is not None:
        by_pair = _relative(q, k, values.rows, values.columns, (height, width), form)
        logits = logits + by_pair * _scale(form.relative_scale, q)
    heads = logits.softmax(-1 if form.softmax == "keys" else -2) @ v
    joined = _join(heads, form.join).reshape(x.shape[0], -1, height, width)
    if values.output is None or form.projection == "skipped":
        return joined
    return same_conv(joined, values.output)


def fits(values: Values, size: tuple[int, int], form: Form) -> bool:
    """Whether the tables are long enough for a map of this size, used in this form."""
    if values.rows is None or values.columns is None:
        return True
    lengths = (values.rows.shape[-2], values.columns.shape[-2])
    return (2 * size[0] - 1, 2 * size[1] - 1) == (lengths if form.tables == "as-named" else lengths[::-1])


def _split(t: Tensor, num_heads: int, how: str) -> Tensor:
    """(N, C, H, W) -> (N, Nh, n, d)."""
    batch, channels, cells = t.shape[0], t.shape[1], t.shape[2] * t.shape[3]
    if how == "raw":
        return t.reshape(batch, num_heads, cells, channels // num_heads)
    if how == "interleaved":
        return t.reshape(batch, channels // num_heads, num_heads, cells).permute(0, 2, 3, 1)
    return t.reshape(batch, num_heads, channels // num_heads, cells).mT


def _join(heads: Tensor, how: str) -> Tensor:
    """(N, Nh, n, e) -> something whose numbers in order are (N, dv, n)."""
    if how == "reshaped":
        return heads
    if how == "reshaped-together":
        return heads.transpose(1, 2)
    return heads.permute(0, 3, 1, 2) if how == "interleaved" else heads.mT


def _scale(how: str, q: Tensor) -> float:
    d = q.shape[-1]
    scales: dict[str, float] = {"head": d**-0.5, "all": (d * q.shape[1]) ** -0.5, "none": 1.0, "twice": 1 / d}
    return scales[how]


def _relative(q: Tensor, k: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int], form: Form) -> Tensor:
    """S_H + S_W, unscaled: (N, Nh, n, n) by query and key."""
    if form.tables == "swapped":
        rows, columns = columns, rows
    y, x = (t.flatten() for t in torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij"))
    by_pair = torch.zeros((), dtype=q.dtype)
    if form.axes in ("both", "rows"):
        by_pair = by_pair + rows[..., _offset(y, form.row_offset) + size[0] - 1, :]
    if form.axes in ("both", "columns"):
        by_pair = by_pair + columns[..., _offset(x, form.column_offset) + size[1] - 1, :]
    side = q[..., :, None, :] if form.relative_of == "queries" else k[..., None, :, :]
    logits = (side * by_pair).sum(-1)
    if form.relative_heads == "summed":
        logits = logits.sum(1, keepdim=True).expand_as(logits)
    return logits


def _offset(position: Tensor, how: str) -> Tensor:
    """(n, n) by query and key."""
    offset = position[None, :] - position[:, None]
    return offset if how == "key-query" else -offset
