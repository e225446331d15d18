"""Exact attention with AA's relative logits over chunks of query rows: the n x n logits never exist at once.

Forward makes the logits of one chunk at a time, few enough for the processor's cache, and drops them; backward makes
them again. Memory grows as n (H + W), the shape of the relative logits. What it gains over the explicit form in time is
what that spends on moving n x n matrices to and from memory.

It is an operator of its own (``aabench::chunked_attention``), so that counters, traces and fake tensors see one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CHUNK_BYTES = 8 * 2**20
"""Logits made at a time. As much as fits the cache beside its neighbours; ``make bench`` compares (tests/bench)."""

_Chunk = tuple[slice, slice]
"""Which maps (images times heads), and which query rows of them."""


@torch.library.custom_op("aabench::chunked_attention", mutates_args=())
def chunked_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor | None, columns: Tensor | None) -> Tensor:
    """``softmax(q k^T + rows + columns) v``.

    Args:
        q: (B, Nh, n, d), scaled.
        k: (B, Nh, n, d).
        v: (B, Nh, n, e).
        rows: logits by key row (B, Nh, n, H); None without positions.
        columns: logits by key column (B, Nh, n, W), n = H W; None without positions.

    Returns:
        (B, Nh, n, e), of v's data type. Half precision is computed in fp32.
    """
    q_, k_, v_ = (_channels_first(t) for t in (q, k, v))
    bias = _bias(rows, columns)
    out = torch.empty_like(v_)
    work = _workspace(q_, 1)
    for maps, queries in _chunks(q_, 1):
        logits = _logits(work[0], q_, k_, bias, maps, queries)
        torch.softmax(logits, -1, out=logits)
        torch.bmm(v_[maps], logits.transpose(1, 2), out=out[maps, :, queries])
    return _channels_last(out, v)


@chunked_attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, rows: Tensor | None, columns: Tensor | None) -> Tensor:
    return v.new_empty(*v.shape[:2], v.shape[3], v.shape[2]).transpose(2, 3)


@torch.library.custom_op("aabench::chunked_attention_backward", mutates_args=())
def _backward(
    gradient: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor | None, columns: Tensor | None
) -> list[Tensor]:
    """Gradients of q, k, v and, where they are given, rows and columns."""
    g, q_, k_, v_ = (_channels_first(t) for t in (gradient, q, k, v))
    bias = _bias(rows, columns)
    dq, dk, dv = torch.empty_like(q_), torch.zeros_like(k_), torch.zeros_like(v_)
    dbias = [torch.empty_like(t) for t in bias]
    work = _workspace(q_, 2)
    for maps, queries in _chunks(q_, 2):
        weights = _logits(work[0], q_, k_, bias, maps, queries)
        torch.softmax(weights, -1, out=weights)
        dv[maps].baddbmm_(g[maps, :, queries], weights)
        dlogits = _chunk(work[1], weights.shape)
        torch.bmm(g[maps, :, queries].transpose(1, 2), v_[maps], out=dlogits)
        torch.ops.aten._softmax_backward_data.out(dlogits, weights, -1, weights.dtype, grad_input=dlogits)
        torch.bmm(k_[maps], dlogits.transpose(1, 2), out=dq[maps, :, queries])
        dk[maps].baddbmm_(q_[maps, :, queries], dlogits)
        if bias:
            by_key = _by_key(dlogits, bias)
            torch.sum(by_key, -1, out=dbias[0][maps, queries])
            torch.sum(by_key, -2, out=dbias[1][maps, queries])
    given = [t for t in (rows, columns) if t is not None]
    return [
        *(_channels_last(t, like) for t, like in zip((dq, dk, dv), (q, k, v), strict=True)),
        *(t.view_as(like).to(like.dtype) for t, like in zip(dbias, given, strict=True)),
    ]


@_backward.register_fake
def _(gradient: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor | None, columns: Tensor | None) -> list[Tensor]:
    given = [t for t in (rows, columns) if t is not None]
    return [
        *(t.new_empty(*t.shape[:2], t.shape[3], t.shape[2]).transpose(2, 3) for t in (q, k, v)),
        *(t.new_empty(t.shape) for t in given),
    ]


def _save(ctx: Any, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    found = _backward(gradient, *ctx.saved_tensors)
    return (*found, *(None for _ in range(5 - len(found))))


chunked_attention.register_autograd(_gradients, setup_context=_save)
OPERATOR = torch.ops.aabench.chunked_attention
BACKWARD = torch.ops.aabench.chunked_attention_backward
"""Both as a dispatcher sees them."""


def _chunks(q: Tensor, matrices: int) -> Iterator[_Chunk]:
    """Whole maps where some fit a chunk of ``matrices`` workspaces, else query rows of as many maps as threads."""
    maps, _, cells = q.shape
    together, rows = _chunk_shape(q, matrices)
    for first in range(0, maps, together):
        for row in range(0, cells, rows):
            yield slice(first, min(first + together, maps)), slice(row, min(row + rows, cells))


def _chunk_shape(q: Tensor, matrices: int) -> tuple[int, int]:
    """(maps, query rows) of a chunk."""
    maps, _, cells = q.shape
    elements = CHUNK_BYTES // (matrices * q.element_size())
    together = min(maps, max(elements // cells**2, torch.get_num_threads()))
    return together, min(cells, max(1, elements // (together * cells)))


def _workspace(q: Tensor, matrices: int) -> Tensor:
    """(matrices, elements of the largest chunk)."""
    together, rows = _chunk_shape(q, matrices)
    return q.new_empty(matrices, together * rows * q.shape[2])


def _chunk(workspace: Tensor, shape: tuple[int, ...]) -> Tensor:
    return workspace[: shape[0] * shape[1] * shape[2]].view(shape)


def _logits(workspace: Tensor, q: Tensor, k: Tensor, bias: list[Tensor], maps: slice, queries: slice) -> Tensor:
    """(maps, query rows, n), in the workspace."""
    q, k = q[maps, :, queries].transpose(1, 2), k[maps]
    logits = _chunk(workspace, (q.shape[0], q.shape[1], k.shape[2]))
    if not bias:
        return torch.bmm(q, k, out=logits)
    rows, columns = (t[maps, queries] for t in bias)
    torch.add(rows.unsqueeze(-1), columns.unsqueeze(-2), out=_by_key(logits, bias))
    return torch.baddbmm(logits, q, k, out=logits)


def _by_key(logits: Tensor, bias: list[Tensor]) -> Tensor:
    """(maps, query rows, n) as (maps, query rows, H, W)."""
    return logits.view(*logits.shape[:2], bias[0].shape[2], bias[1].shape[2])


def _channels_first(t: Tensor) -> Tensor:
    """(B, Nh, n, c) -> (B Nh, c, n), contiguous, in the data type to compute in.

    The products run up to ten times as fast as with channels last, since c is small.
    """
    return _widened(t).transpose(2, 3).reshape(-1, t.shape[3], t.shape[2])


def _channels_last(t: Tensor, like: Tensor) -> Tensor:
    """(B Nh, c, n) -> (B, Nh, n, c), of the data type of ``like``."""
    return t.view(*like.shape[:2], t.shape[1], t.shape[2]).transpose(2, 3).to(like.dtype)


def _bias(rows: Tensor | None, columns: Tensor | None) -> list[Tensor]:
    return [_widened(t).flatten(0, 1) for t in (rows, columns) if t is not None]


def _widened(t: Tensor) -> Tensor:
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t
