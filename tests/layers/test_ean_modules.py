"""SGE and DIA against plain float64 loops over the equations of EAN's sheet."""

from math import exp, sqrt, tanh

import pytest
import torch

from aabench.layers import DenseImplicitAttention, SpatialGroupEnhance


def sigmoid(t):
    return 1 / (1 + exp(-t))


def images(channels, height=3, width=4):
    torch.manual_seed(1)
    return torch.randn(2, channels, height, width, dtype=torch.float64)


def sge_by_hand(x, groups, weight, bias):
    """One image (C, H, W) as nested lists."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    cells = [(i, j) for i in range(height) for j in range(width)]
    out = [[[0.0] * width for _ in range(height)] for _ in range(channels)]
    for group in range(groups):
        mine = range(group * channels // groups, (group + 1) * channels // groups)
        pooled = {c: sum(x[c][i][j] for i, j in cells) / len(cells) for c in mine}
        t = {(i, j): sum(x[c][i][j] * pooled[c] for c in mine) for i, j in cells}
        mean = sum(t.values()) / len(cells)
        deviation = sqrt(sum((value - mean) ** 2 for value in t.values()) / (len(cells) - 1))
        for i, j in cells:
            gate = sigmoid((t[i, j] - mean) / (deviation + 1e-5) * weight[group] + bias[group])
            for c in mine:
                out[c][i][j] = x[c][i][j] * gate
    return out


def test_sge_computes_the_sheets_definition():
    layer = SpatialGroupEnhance(6, groups=3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.7], [-1.2], [0.1]]))
        layer.bias.copy_(torch.tensor([[0.3], [0.9], [-0.4]]))
    x = images(6)
    expected = [sge_by_hand(image.tolist(), 3, [0.7, -1.2, 0.1], [0.3, 0.9, -0.4]) for image in x]
    torch.testing.assert_close(layer(x), torch.tensor(expected, dtype=torch.float64))


def test_sge_starts_as_one_gate_for_all():
    x = images(128).float()
    torch.testing.assert_close(SpatialGroupEnhance(128)(x), x * 0.7310586)  # sigmoid(1)


def test_sge_has_two_numbers_a_group():
    assert sum(p.numel() for p in SpatialGroupEnhance(2048).parameters()) == 128


@pytest.mark.parametrize("x", [torch.randn(2, 4, 1, 1), torch.zeros(2, 4, 3, 3)])
def test_sge_of_a_map_without_any_deviation_is_finite_with_its_gradients(x):
    layer = SpatialGroupEnhance(4, groups=2)
    x.requires_grad_()
    out = layer(x)
    out.sum().backward()
    torch.testing.assert_close(out, x * 0.7310586)
    assert all(t.grad.isfinite().all() for t in (x, layer.weight, layer.bias))


def test_sge_refuses_groups_that_do_not_divide():
    with pytest.raises(ValueError, match="96 channels cannot be split into 64 groups"):
        SpatialGroupEnhance(96)


def linear(layer, values):
    rows, bias = layer.weight.tolist(), layer.bias.tolist()
    return [sum(w * v for w, v in zip(row, values, strict=True)) + b for row, b in zip(rows, bias, strict=True)]


def gates_by_hand(layers, values):
    return linear(layers[2], [max(0.0, v) for v in linear(layers[0], values)])


def test_dia_computes_the_sheets_definition_from_block_to_block():
    torch.manual_seed(0)
    channels = 4
    layer = DenseImplicitAttention(channels, reduction=2, dtype=torch.float64)
    maps = [images(channels), images(channels) + 1, images(channels) * 2]
    state = None
    h = [[0.0] * channels for _ in range(2)]
    c = [[0.0] * channels for _ in range(2)]
    for x in maps:
        out, state = layer(x, state)
        for n in range(2):
            pooled = [sum(sum(row) for row in plane) / 12 for plane in x[n].tolist()]
            both = zip(gates_by_hand(layer.from_map, pooled), gates_by_hand(layer.from_hidden, h[n]), strict=True)
            gates = [a + b for a, b in both]
            i, f, g, o = (gates[k * channels : (k + 1) * channels] for k in range(4))
            c[n] = [sigmoid(f[k]) * c[n][k] + sigmoid(i[k]) * tanh(g[k]) for k in range(channels)]
            h[n] = [sigmoid(o[k]) * sigmoid(c[n][k]) for k in range(channels)]
        expected = x * torch.tensor(h, dtype=torch.float64)[:, :, None, None]
        torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(
    ("channels", "reduction", "expected"),
    # 2 (C m + m + 4 C m + 4 C) with m = 16, 64, 12 and 102.
    [(64, 4, 10_784), (256, 4, 166_016), (256, 20, 32_792), (2048, 20, 2_105_548)],
)
def test_dia_has_the_sheets_parameters(channels, reduction, expected):
    assert sum(p.numel() for p in DenseImplicitAttention(channels, reduction).parameters()) == expected


@pytest.mark.parametrize("layer", [SpatialGroupEnhance, DenseImplicitAttention])
def test_gradients_are_those_of_finite_differences(layer):
    torch.manual_seed(0)
    option = {"groups": 2} if layer is SpatialGroupEnhance else {"reduction": 2}
    module = layer(4, dtype=torch.float64, **option)
    with torch.no_grad():
        for parameter in module.parameters():
            torch.nn.init.uniform_(parameter, -0.8, 0.9)
    x = images(4).requires_grad_()
    if layer is SpatialGroupEnhance:
        assert torch.autograd.gradcheck(module, (x,))
    else:
        state = tuple(torch.rand(2, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
        assert torch.autograd.gradcheck(lambda x, h, c: module(x, (h, c))[0], (x, *state))
