"""Live tensor bytes against allocations known by hand."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from aabench.layers import AAConv2d
from aabench.profile import LiveBytes


def test_storages_count_while_a_tensor_is_on_them() -> None:
    before = torch.ones(5000)
    with LiveBytes() as live:
        a = torch.ones(1000)
        view = a[10:].view(-1, 10)
        a += 1
        b = a + before[:1000]
        assert (live.current, live.peak) == (8000, 8000)
        del a
        assert live.current == 8000  # the view holds it
        del view
        assert live.current == 4000
        del b
    assert (live.current, live.peak) == (0, 8000)


def test_freed_after_the_count_has_ended() -> None:
    with LiveBytes() as live:
        a = torch.ones(10, dtype=torch.float64)
    assert live.current == 80
    del a
    assert live.current == 0


def test_what_autograd_saves_is_live_until_backward_has_used_it() -> None:
    x = torch.ones(1000, requires_grad=True)
    with LiveBytes() as live:
        y = x.exp().exp().sum()  # saves both results
        assert live.current == 2 * 4000 + 4
        torch.autograd.backward(y)
        del y
        assert live.current == 4000  # x.grad
    assert live.peak >= 3 * 4000


def training_step_peak(side: int, attention: str) -> int:
    """Live bytes at the peak of a step: batch 2, Nh 8, dk = dv = 128, fp32."""
    layer = AAConv2d(
        64, 256, 3, feature_size=(side, side), kappa=0.5, upsilon=0.5, num_heads=8, min_key_channels=0,
        attention=attention,
    )  # fmt: skip
    assert (layer.key_channels, layer.value_channels) == (128, 128)
    x = torch.randn(2, 64, side, side)
    with LiveBytes() as live:
        torch.autograd.backward(layer(x).sum())
    return live.peak


@pytest.mark.parametrize("attention", ["explicit", "fused"])
def test_fake_tensors_count_what_real_ones_do(attention: str) -> None:
    with FakeTensorMode():
        predicted = training_step_peak(16, attention)
    assert predicted == training_step_peak(16, attention)


def test_fused_training_step_at_64_takes_a_sixth_of_the_explicit_one() -> None:
    with FakeTensorMode():
        explicit, fused = (training_step_peak(64, attention) for attention in ("explicit", "fused"))
    one_map = 2 * 8 * 4096**2 * 4
    assert explicit >= 2 * one_map  # softmax's result and its gradient
    assert fused < one_map
    assert fused <= explicit / 6
