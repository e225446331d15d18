"""AAConv2d against the equation, against timm, and in its limits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers.bottleneck_attn import BottleneckAttn
from torch import Tensor

from aabench.layers import AAConv2d
from aabench.layers.attention_augmented import attention_channels

F64 = torch.float64
SIZES = [(5, 5), (3, 7), (6, 2), (1, 4)]


def layer(feature_size, in_channels=6, out_channels=12, **options):
    torch.manual_seed(0)
    defaults = {"kappa": 0.5, "upsilon": 1 / 3, "num_heads": 2, "min_key_channels": 0}
    return AAConv2d(in_channels, out_channels, 3, feature_size=feature_size, dtype=F64, **defaults | options)


def images(feature_size, channels=6, batch=2):
    return torch.randn(batch, channels, *feature_size, dtype=F64, generator=torch.Generator().manual_seed(1))


def by_the_equation(aa: AAConv2d, x: Tensor) -> Tensor:
    """MHA(X), one query, one head, one image at a time: softmax((q.k + q.rH[dy] + q.rW[dx]) / sqrt(d)) v, then W_O."""
    height, width = aa.feature_size
    heads, dk, dv = aa.num_heads, aa.key_channels // aa.num_heads, aa.value_channels // aa.num_heads
    weight = aa.qkv.weight[:, :, 0, 0]
    out = torch.zeros(x.shape[0], aa.value_channels, height, width, dtype=F64)
    cells = [(y, x_) for y in range(height) for x_ in range(width)]
    for image in range(x.shape[0]):
        for head in range(heads):
            wq = weight[head * dk : (head + 1) * dk]
            wk = weight[aa.key_channels + head * dk : aa.key_channels + (head + 1) * dk]
            wv = weight[2 * aa.key_channels + head * dv : 2 * aa.key_channels + (head + 1) * dv]
            for yi, xi in cells:
                q = wq @ x[image, :, yi, xi]
                logits = []
                for yj, xj in cells:
                    logit = q @ (wk @ x[image, :, yj, xj])
                    if aa.position is not None:
                        logit = logit + q @ aa.position.row_table[yj - yi + height - 1]
                        logit = logit + q @ aa.position.column_table[xj - xi + width - 1]
                    logits.append(logit / dk**0.5)
                share = torch.stack(logits).softmax(0)
                values = torch.stack([wv @ x[image, :, yj, xj] for yj, xj in cells])
                out[image, head * dv : (head + 1) * dv, yi, xi] = share @ values
    return torch.einsum("oc,nchw->nohw", aa.out.weight[:, :, 0, 0], out)


@pytest.mark.parametrize("feature_size", SIZES)
@pytest.mark.parametrize("position", ["relative", "none"])
@pytest.mark.parametrize("attention", ["explicit", "fused"])
def test_equals_the_equation(feature_size, position, attention):
    aa = layer(feature_size, position=position, attention=attention)
    x = images(feature_size)
    with torch.no_grad():
        out = aa(x)
        torch.testing.assert_close(out[:, 8:], by_the_equation(aa, x), rtol=0, atol=1e-12)
        torch.testing.assert_close(out[:, :8], aa.conv(x), rtol=0, atol=0)


@pytest.mark.parametrize("feature_size", SIZES)
@pytest.mark.parametrize("attention", ["explicit", "fused"])
def test_equals_timm_before_the_output_projection(feature_size, attention):
    aa = layer(feature_size, attention=attention, out_channels=8, upsilon=1.0, kappa=1.0)
    oracle = BottleneckAttn(6, 8, feat_size=feature_size, num_heads=2, dim_head=4, scale_pos_embed=True, dtype=F64)
    with torch.no_grad():
        oracle.qkv.weight.copy_(aa.qkv.weight)
        oracle.pos_embed.height_rel.copy_(aa.position.row_table)
        oracle.pos_embed.width_rel.copy_(aa.position.column_table)
        aa.out.weight.copy_(torch.eye(8, dtype=F64)[:, :, None, None])
        x = images(feature_size)
        torch.testing.assert_close(aa(x), oracle(x), rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    heads=st.sampled_from([1, 2, 4]),
    stride=st.sampled_from([1, 2]),
    pooled=st.booleans(),
    position=st.sampled_from(["relative", "none", "coordconv"]),
)
def test_fused_equals_explicit_with_gradients(height, width, heads, stride, pooled, position):
    aa = layer(
        (height, width), out_channels=16, num_heads=heads, upsilon=0.25, stride=stride, pooled=pooled, position=position
    )
    results = []
    for form in ("explicit", "fused"):
        aa.core.attention = form
        aa.zero_grad()
        x = images((height, width)).requires_grad_()
        out = aa(x)
        assert out.shape == (2, 16, -(-height // stride), -(-width // stride))
        (out * torch.linspace(-1, 1, out.numel(), dtype=F64).view_as(out)).sum().backward()
        results.append([out.detach(), x.grad, *(p.grad for p in aa.parameters())])
    for explicit, fused in zip(*results, strict=True):
        torch.testing.assert_close(fused, explicit, rtol=0, atol=1e-10)


@pytest.mark.parametrize("attention", ["explicit", "fused"])
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"pooled": True}, {"position": "none"}])
def test_gradcheck(attention, options):
    aa = layer((4, 3), in_channels=2, out_channels=4, upsilon=0.5, attention=attention, **options)
    assert torch.autograd.gradcheck(aa, images((4, 3), channels=2, batch=1).requires_grad_(), atol=1e-6)


@pytest.mark.parametrize("position", ["relative", "none", "sine2d", "coordconv"])
def test_every_parameter_gets_a_gradient(position):
    aa = layer((4, 6), in_channels=8, position=position)
    aa(images((4, 6), channels=8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in aa.parameters())


def test_relative_logits_by_hand():
    # One head, d = 1: the logit of a key is q times the table's entry for (key - query); a 1x3 map.
    aa = layer((1, 3), in_channels=1, out_channels=1, kappa=1.0, upsilon=1.0, num_heads=1)
    with torch.no_grad():
        aa.position.row_table.zero_()
        aa.position.column_table.copy_(torch.tensor([[10.0], [20.0], [30.0], [40.0], [50.0]]))
        _, columns = aa.position(torch.tensor([1.0, 2.0, 3.0], dtype=F64).view(1, 1, 3, 1))
    assert columns[0, 0].tolist() == [[30, 40, 50], [40, 60, 80], [30, 60, 90]]


def test_coordinates_are_x_y_r():
    aa = layer((3, 2), position="coordconv")
    x, y, r = aa.absolute.coordinates
    assert x.tolist() == [[-1, 1]] * 3
    assert y.tolist() == [[-1, -1], [0, 0], [1, 1]]
    torch.testing.assert_close(r[0], torch.tensor([2.0**0.5] * 2))
    assert aa.qkv.in_channels == 9


def test_sine_starts_with_sin_of_the_row():
    aa = layer((5, 3), in_channels=8, position="sine2d")
    expected = torch.arange(5.0).sin()[:, None].expand(5, 3)
    torch.testing.assert_close(aa.absolute.encoding[0], expected)
    torch.testing.assert_close(aa.absolute.encoding[4], torch.arange(3.0).sin()[None].expand(5, 3))


@pytest.mark.parametrize(
    ("out_channels", "kappa", "upsilon", "heads", "least", "expected"),
    [
        (128, 0.2, 0.1, 8, 20, (160, 8)),  # AA-ResNet-50, stage 2
        (512, 0.2, 0.1, 8, 20, (160, 48)),  # stage 4
        (512, 0.25, 0.25, 8, 20, (160, 128)),
        (512, 0.5, 0.5, 8, 20, (256, 256)),
        (160, 0.1, 0.05, 4, 20, (80, 8)),  # Wide-ResNet, the counted setting
        (480, 0.1, 0.1, 16, 0, (48, 48)),  # 0.1 * 480 / 16 is 2.9999... in floating point
    ],
)
def test_rounding_of_channels(out_channels, kappa, upsilon, heads, least, expected):
    assert attention_channels(out_channels, kappa, upsilon, heads, least) == expected


@pytest.mark.parametrize(("kernel", "kappa", "upsilon"), [(3, 0.5, 0.25), (5, 0.25, 0.5), (1, 0.5, 0.5)])
def test_parameter_change_is_the_papers(kernel, kappa, upsilon):
    # Section 3: F_in F_out (2 kappa + (1 - k^2) v + (F_out / F_in) v^2), the relative tables aside.
    f_in, f_out = 32, 64
    aa = AAConv2d(
        f_in, f_out, kernel, feature_size=(7, 5), kappa=kappa, upsilon=upsilon, num_heads=4, min_key_channels=0
    )
    tables = sum(p.numel() for p in aa.position.parameters())
    assert tables == (2 * (7 + 5) - 2) * aa.key_channels // 4
    change = sum(p.numel() for p in aa.parameters()) - tables - f_in * f_out * kernel**2
    assert change == f_in * f_out * (2 * kappa + (1 - kernel**2) * upsilon + (f_out / f_in) * upsilon**2)


def test_fully_attentional_has_no_convolution():
    aa = layer((4, 4), upsilon=1.0, kappa=1.0)
    assert aa.conv is None
    assert aa(images((4, 4))).shape == (2, 12, 4, 4)


def test_pooled_attention_works_on_a_halved_map():
    aa = layer((7, 5), stride=2, pooled=True)
    assert aa.attention_size == (2, 2)
    assert aa.position.row_table.shape[0] == 3
    assert aa(images((7, 5))).shape == (2, 12, 4, 3)


def test_tables_start_with_the_published_deviation():
    torch.manual_seed(0)
    aa = AAConv2d(8, 64, 3, feature_size=(64, 64), kappa=1.0, upsilon=0.5, num_heads=4, min_key_channels=0)
    assert aa.position.row_table.std().item() == pytest.approx(16**-0.5, rel=0.05)
    assert aa.position.column_table.mean().item() == pytest.approx(0, abs=0.02)


def test_another_map_size_is_an_error_that_names_both():
    with pytest.raises(ValueError, match=r"built for a 4x6 map and got 6x4"):
        layer((4, 6))(images((6, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"position": "absolute"}, "relative, none, sine2d, coordconv, not 'absolute'"),
        ({"attention": "flash"}, "auto, explicit, fused, not 'flash'"),
        ({"upsilon": 0.01}, "dv=0"),
        ({"upsilon": 1.5}, "dv=18"),
        ({"kappa": 0.0}, "dk=0"),
        ({"position": "sine2d"}, "multiples of 4, got 6"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        layer((4, 4), **options)


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        AAConv2d(4, 8, 2, feature_size=(4, 4), kappa=0.5, upsilon=0.5, num_heads=2)


@pytest.mark.parametrize("form", ["explicit", "fused"])
def test_bf16_autocast(form):
    aa = layer((8, 8), attention=form, position="relative").float()
    x = images((8, 8)).float()
    with torch.no_grad():
        expected = aa(x)
        with torch.autocast("cpu", torch.bfloat16):
            out = aa(x)
    assert (out.float() - expected).abs().max() < 0.05 * expected.abs().max()
