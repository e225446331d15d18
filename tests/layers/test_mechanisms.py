"""Attention mechanisms against n x n formulas in float64, and in their limits."""

import pytest
import torch
from torch import Tensor

from aabench.layers import AAConv2d, AttentionCore, EfficientAttention, LinearAttention, Linformer, RelativePosition2d
from aabench.profile import count
from aabench.profile.live import LiveBytes

SIZE = (3, 5)
OPTIONS = {"kappa": 0.5, "upsilon": 0.5, "num_heads": 2, "min_key_channels": 0}


def tokens(size=SIZE, d=4, e=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 2, size[0] * size[1], width) for width in (d, d, e)]
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def efficient_map(q: Tensor, k: Tensor) -> Tensor:
    """The implied n x n matrix; q comes scaled by 1/sqrt(4)."""
    return torch.softmax(2 * q, -1) @ torch.softmax(k, -2).mT


def linear_map(q: Tensor, k: Tensor) -> Tensor:
    phi_q, phi_k = (torch.where(t > 0, t + 1, t.exp()) for t in (q, k))
    weights = torch.einsum("bhid,bhjd->bhij", phi_q, phi_k)
    return weights / weights.sum(-1, keepdim=True)


@pytest.mark.parametrize(
    ("core", "matrix"), [(EfficientAttention(SIZE), efficient_map), (LinearAttention(SIZE), linear_map)]
)
def test_forward_and_backward_are_those_of_the_implied_matrix(core, matrix):
    q, k, v = tokens()
    implied = matrix(q, k)
    torch.testing.assert_close(implied.sum(-1), torch.ones_like(implied[..., 0]))
    ours, theirs = core(q, k, v), implied @ v
    torch.testing.assert_close(ours, theirs)
    weight = torch.linspace(-1, 1, ours.numel(), dtype=ours.dtype).view_as(ours)
    for a, b in zip(
        *(torch.autograd.grad((y * weight).sum(), (q, k, v), retain_graph=True) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("relative", [True, False])
def test_linformer_with_identity_projections_is_exact(relative):
    q, k, v = tokens()
    logits = RelativePosition2d(4, SIZE, dtype=torch.float64)(q) if relative else None
    core = Linformer(SIZE, dtype=torch.float64)
    with torch.no_grad():
        core.key_projection.copy_(torch.eye(15))
        core.value_projection.copy_(torch.eye(15))
    ours, exact = core(q, k, v, logits), AttentionCore(SIZE, "explicit")(q, k, v, logits)
    torch.testing.assert_close(ours, exact)
    for a, b in zip(
        *(torch.autograd.grad(y.square().sum(), (q, k, v), retain_graph=True) for y in (ours, exact)), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_linformer_projects_the_full_logits():
    q, k, v = tokens()
    rows, columns = RelativePosition2d(4, SIZE, dtype=torch.float64)(q)
    core = Linformer(SIZE, projected=7, dtype=torch.float64)
    full = q @ k.mT + rows.repeat_interleave(5, -1) + columns.repeat(1, 1, 1, 3)
    expected = (full @ core.key_projection.T).softmax(-1) @ (core.value_projection @ v)
    torch.testing.assert_close(core(q, k, v, (rows, columns)), expected)


@pytest.mark.parametrize("core", [EfficientAttention, LinearAttention, Linformer])
def test_memory_grows_as_the_tokens_and_not_as_their_square(core):
    peaks = []
    for side in (16, 32):
        layer, (q, k, v) = core((side, side)), tokens((side, side), dtype=torch.float32)
        with LiveBytes() as live:
            layer(q, k, v).sum().backward()
        peaks.append(live.peak)
    assert peaks[1] < 4.5 * peaks[0]


@pytest.mark.parametrize("core", [EfficientAttention, LinearAttention])
def test_half_precision_stays_near_double(core):
    q, k, v = tokens((64, 64))
    half = core((64, 64))(q.half(), k.half(), v.half()).double()
    torch.testing.assert_close(half, core((64, 64))(q, k, v), atol=5e-3, rtol=0)


# n = 30, Nh = 2, d = e = 2; Linformer's k = 30.
@pytest.mark.parametrize(
    ("mechanism", "position", "attention"),
    [
        ("efficient", "none", 480),  # 2 heads x 2 x 30 x 2 x 2
        ("linear", "sine2d", 600),  # and 2 heads x 30 x 2
        ("linformer", "none", 14_400),  # 2 heads x 2 x 30 x 30 x (2 + 2)
        ("linformer", "relative", 54_000),  # 2 heads x 2 x 30 x 30 x (2 + 6 + 5 + 2)
    ],
)
def test_three_counters_agree_on_meta(mechanism, position, attention):
    layer = AAConv2d(4, 8, 3, feature_size=(6, 5), mechanism=mechanism, position=position, device="meta", **OPTIONS)
    assert count(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1, device="meta"), layer), (6, 5)).by_kind["attention"] == (
        attention
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mechanism": "nearest"}, "exact, efficient, linear, linformer, not 'nearest'"),
        ({"mechanism": "linear"}, "position is one of none, sine2d, coordconv"),
        ({"mechanism": "linformer", "attention": "fused"}, "form of the exact mechanism"),
    ],
)
def test_wrong_options_say_what_there_is(options, message):
    with pytest.raises(ValueError, match=message):
        AAConv2d(4, 8, 3, feature_size=(6, 5), **OPTIONS, **options)
