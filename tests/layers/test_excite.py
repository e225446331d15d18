"""Squeeze-and-Excite and parameter-free Gather-Excite, by hand."""

import pytest
import torch

from aabench.layers import GatherExcite, SqueezeExcite


def test_gather_excite_scales_by_the_sigmoid_of_the_mean():
    x = torch.tensor([[[[1.0, 3.0]], [[0.0, 0.0]]]])
    out = GatherExcite()(x)
    assert out[0, 0, 0].tolist() == pytest.approx([0.880797, 2.642391], abs=1e-6)  # sigmoid(2) = 0.880797
    assert out[0, 1].abs().sum() == 0
    assert not list(GatherExcite().parameters())


def test_squeeze_excite_by_hand():
    gate = SqueezeExcite(2, reduction=2, bias=False)
    with torch.no_grad():
        gate.mlp.reduce.weight.copy_(torch.tensor([1.0, -1.0]).view(1, 2, 1, 1))
        gate.mlp.expand.weight.copy_(torch.tensor([2.0, 0.0]).view(2, 1, 1, 1))
    x = torch.tensor([[[[2.0, 4.0]], [[1.0, 1.0]]]])  # means 3 and 1: hidden 2, logits 4 and 0
    out = gate(x)
    assert out[0, 0, 0].tolist() == pytest.approx([2 * 0.982014, 4 * 0.982014], abs=1e-5)
    assert out[0, 1, 0].tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(("bias", "parameters"), [(True, 2 * 64 * 4 + 4 + 64), (False, 2 * 64 * 4)])
def test_squeeze_excite_parameters(bias, parameters):
    assert sum(p.numel() for p in SqueezeExcite(64, 16, bias=bias).parameters()) == parameters


def test_reduction_beyond_the_channels_is_refused():
    with pytest.raises(ValueError, match="between 1 and the 8 channels, got 16"):
        SqueezeExcite(8, 16)
