"""Exact attention in chunks: against plain softmax attention in float64, over every way to cut it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aabench.layers import chunked_attention as module
from aabench.layers.attention_core import fused_attention, kernel_attention

F64 = torch.float64
Inputs = tuple[Tensor, ...]


def inputs(size: tuple[int, int], *, batch: int = 2, heads: int = 3, d: int = 5, e: int = 3, seed: int = 0) -> Inputs:
    """q, k, v, rows, columns in float64, with gradients; q, k and v as they come from a convolution, transposed."""
    generator = torch.Generator().manual_seed(seed)
    n = size[0] * size[1]

    def random(*shape: int) -> Tensor:
        return torch.randn(batch, heads, *shape, generator=generator, dtype=F64)

    q, k, v = (random(c, n).transpose(2, 3) for c in (d, d, e))
    return tuple(t.requires_grad_() for t in (q, k, v, random(n, size[0]), random(n, size[1])))


def by_the_equation(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Key j = y W + x gets q.k_j + rows[y] + columns[x]."""
    keys = torch.arange(k.shape[2])
    width = columns.shape[3]
    logits = q @ k.mT + rows[..., keys // width] + columns[..., keys % width]
    return logits.softmax(-1) @ v


def values_and_gradients(attention, given: Inputs) -> list[Tensor]:
    out = attention(*given)
    weights = torch.linspace(-1, 1, out.numel(), dtype=F64).view(out.shape).to(out.dtype)
    return [out, *torch.autograd.grad(out, given, weights)]


def attend(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return fused_attention(q, k, v, (rows, columns), (rows.shape[3], columns.shape[3]))


@pytest.fixture
def chunk_bytes(monkeypatch):
    return lambda size: monkeypatch.setattr(module, "CHUNK_BYTES", size)


@pytest.mark.parametrize(
    ("size", "made"),
    [
        (8, [(2, 1)] * 3 * 35),  # less than a row of two maps: no chunk is smaller
        (2 * 35 * 4 * 8, [(2, 4)] * 3 * 8 + [(2, 3)] * 3),
        (35 * 35 * 8 * 4, [(4, 35), (2, 35)]),
        (2**20, [(6, 35)]),
    ],
)
def test_the_chunks(chunk_bytes, size, made):
    """Six maps of 35 cells, in float64 on two threads: (maps, query rows) of each chunk."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        chunk_bytes(size)
        cut = [(m.stop - m.start, r.stop - r.start) for m, r in module._chunks(torch.zeros(6, 5, 35, dtype=F64), 1)]
    finally:
        torch.set_num_threads(threads)
    assert sorted(cut) == sorted(made)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    batch=st.integers(1, 3),
    heads=st.integers(1, 3),
    chunk=st.sampled_from([8, 1_000, 5_000, 2**22]),
    d=st.integers(1, 5),
    e=st.integers(1, 5),
)
def test_equals_the_equation_however_it_is_cut(size, batch, heads, chunk, d, e):
    given_ = inputs(size, batch=batch, heads=heads, d=d, e=e)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_BYTES", chunk)
        found = values_and_gradients(attend, given_)
    for ours, oracle in zip(found, values_and_gradients(by_the_equation, given_), strict=True):
        torch.testing.assert_close(ours, oracle, rtol=0, atol=1e-12)


def test_without_positions_it_is_torchs_attention(chunk_bytes):
    chunk_bytes(1_000)
    qkv = inputs((5, 7))[:3]
    plain = torch.nn.functional.scaled_dot_product_attention
    found = values_and_gradients(lambda *t: fused_attention(*t, None, (5, 7)), qkv)
    for ours, oracle in zip(found, values_and_gradients(lambda *t: plain(*t, scale=1.0), qkv), strict=True):
        torch.testing.assert_close(ours, oracle, rtol=0, atol=1e-12)


# In units of the largest value: rounding grows with what is summed. bf16 keeps 8 bits of inputs and results.
@pytest.mark.parametrize(("dtype", "off"), [(torch.float32, 1e-5), (torch.bfloat16, 2**-6), (torch.float16, 2**-9)])
@pytest.mark.parametrize("size", [(14, 14), (20, 33)])
def test_precision(dtype, off, size):
    exact = inputs(size, d=20)
    low = tuple(t.detach().to(dtype).requires_grad_() for t in exact)
    oracle = values_and_gradients(by_the_equation, tuple(t.detach().to(F64).requires_grad_() for t in low))
    for ours, right in zip(values_and_gradients(attend, low), oracle, strict=True):
        assert ours.dtype == dtype
        assert (ours - right).abs().max() <= off * max(1.0, right.abs().max())


def test_large_logits_do_not_overflow():
    q, *others = inputs((6, 6))
    found = values_and_gradients(attend, tuple(t.detach().half().requires_grad_() for t in (500 * q, *others)))
    assert all(t.isfinite().all() for t in found)


def test_the_form_of_other_devices_has_the_same_values():
    given_ = inputs((5, 7))

    def on_kernels(q, k, v, rows, columns):
        return kernel_attention(q, k, v, (rows, columns), (5, 7))

    pairs = zip(values_and_gradients(on_kernels, given_), values_and_gradients(attend, given_), strict=True)
    for ours, oracle in pairs:
        torch.testing.assert_close(ours, oracle, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # from within opcheck
@pytest.mark.parametrize("positions", [True, False])
def test_it_is_a_proper_operator(positions):
    """Its schema, fake tensors' shapes and strides, and gradients are what torch asks of an operator."""
    q, k, v, rows, columns = inputs((3, 4))
    given_ = (q, k, v, rows, columns) if positions else (q, k, v, None, None)
    results = torch.library.opcheck(module.chunked_attention, given_)
    assert set(results.values()) == {"SUCCESS"}


def test_memory_without_the_matrix():
    """64x64 in training, float64: nothing that is allocated has more than an eighth of one map's n x n logits."""
    given_ = inputs((64, 64), batch=1, heads=1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as made:
        values_and_gradients(attend, given_)
    largest = max(event.self_cpu_memory_usage for event in made.events())
    assert 0 < largest <= 64**4 * 8 / 8
