"""BAM, CBAM and GALA against plain float64 loops over the equations of their papers."""

from math import exp, tanh

import pytest
import torch

from aabench.layers import BAM, CBAM, GALA

GATES = [BAM, CBAM, GALA]
NAMES = ["bam", "cbam", "gala"]
C, HIDDEN, H, W = 4, 2, 5, 6
CELLS = [(i, j) for i in range(H) for j in range(W)]


def sigmoid(t):
    return 1 / (1 + exp(-t))


def made(layer, **options):
    """A layer in float64 in evaluation mode, with nothing at its initial value: weights, biases, statistics."""
    torch.manual_seed(0)
    gate = layer(C, reduction=2, dtype=torch.float64, **options).eval()
    for tensor in (*gate.parameters(), *gate.buffers()):
        if tensor.is_floating_point():
            torch.nn.init.uniform_(tensor, 0.2, 1.2)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.sub_(0.6)  # both signs, so that ReLU cuts
    return gate


def images():
    torch.manual_seed(1)
    return torch.randn(2, C, H, W, dtype=torch.float64)


def dense(conv, values):
    """A 1x1 convolution on one position: list of channels -> list of channels."""
    weight, bias = conv.weight.flatten(1).tolist(), conv.bias.tolist()
    return [sum(w * v for w, v in zip(row, values, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def normalised(norm, values):
    """Batch normalisation with its running statistics, on one position."""
    given = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    return [
        (v - mean) / (var + 1e-5) ** 0.5 * scale + shift
        for v, scale, shift, mean, var in zip(values, *(t.tolist() for t in given), strict=True)
    ]


def relu(values):
    return [max(0.0, v) for v in values]


def conv(layer, grid, dilation=1):
    """A padded convolution over {(i, j): channels}: what lies outside is zero."""
    weight = layer.weight.tolist()
    bias = layer.bias.tolist() if layer.bias is not None else [0.0] * len(weight)
    half = len(weight[0][0]) // 2
    taps = [(di, dj) for di in range(-half, half + 1) for dj in range(-half, half + 1)]
    out = {}
    for i, j in CELLS:
        inside = [(d, grid[i + dilation * d[0], j + dilation * d[1]]) for d in taps
                  if (i + dilation * d[0], j + dilation * d[1]) in grid]  # fmt: skip
        out[i, j] = [
            b + sum(kernel[c][di + half][dj + half] * v for (di, dj), values in inside for c, v in enumerate(values))
            for kernel, b in zip(weight, bias, strict=True)
        ]
    return out


def grid(x):
    """(C, H, W) -> {(i, j): channels}."""
    return {(i, j): x[:, i, j].tolist() for i, j in CELLS}


def means(cells):
    return [sum(values[c] for values in cells.values()) / (H * W) for c in range(C)]


def as_tensor(cells):
    return torch.tensor([[[cells[i, j][c] for j in range(W)] for i in range(H)] for c in range(C)], dtype=torch.float64)


def bam(gate, cells):
    """F + F sigmoid(Mc + Ms), 1807.06514; normalisation after each hidden layer."""
    reduce, norm, _, expand = gate.channel
    by_channel = dense(expand, relu(normalised(norm, dense(reduce, means(cells)))))
    first, norm0, _, second, norm1, _, third, norm2, _, last = gate.spatial
    hidden = {at: relu(normalised(norm0, dense(first, values))) for at, values in cells.items()}
    for layer, norm in ((second, norm1), (third, norm2)):
        hidden = {at: relu(normalised(norm, values)) for at, values in conv(layer, hidden, dilation=4).items()}
    by_cell = {at: dense(last, values)[0] for at, values in hidden.items()}
    return {
        at: [v + v * sigmoid(by_channel[c] + by_cell[at]) for c, v in enumerate(values)] for at, values in cells.items()
    }


def cbam(gate, cells):
    """Channels, then positions, 1807.06521, equations 2 and 3; the 7x7 convolution is normalised."""
    largest = [max(values[c] for values in cells.values()) for c in range(C)]
    of_means, of_largest = (dense(gate.mlp.expand, relu(dense(gate.mlp.reduce, p))) for p in (means(cells), largest))
    scaled = {
        at: [v * sigmoid(m + n) for v, m, n in zip(values, of_means, of_largest, strict=True)]
        for at, values in cells.items()
    }
    maps = {at: [sum(values) / C, max(values)] for at, values in scaled.items()}
    logits = {at: normalised(gate.norm, values)[0] for at, values in conv(gate.spatial, maps).items()}
    return {at: [v * sigmoid(logits[at]) for v in values] for at, values in scaled.items()}


def gala(gate, cells):
    """U tanh(a (G + S) + m G S), 1805.08819."""
    what = dense(gate.mlp.expand, relu(dense(gate.mlp.reduce, means(cells))))
    a, m = gate.additive.tolist(), gate.multiplicative.tolist()
    out = {}
    for at, values in cells.items():
        where = dense(gate.local_collapse, relu(dense(gate.local_reduce, values)))[0]
        out[at] = [v * tanh(a[c] * (what[c] + where) + m[c] * what[c] * where) for c, v in enumerate(values)]
    return out


@pytest.mark.parametrize(("layer", "equation"), [(BAM, bam), (CBAM, cbam), (GALA, gala)], ids=NAMES)
def test_against_a_loop_over_the_equation(layer, equation):
    gate, x = made(layer), images()
    expected = torch.stack([as_tensor(equation(gate, grid(image))) for image in x])
    with torch.no_grad():
        torch.testing.assert_close(gate(x), expected, rtol=1e-12, atol=1e-12)


# C = 64, hidden 4. BAM: 64 x 4 + 4, 8, 4 x 64 + 64; 64 x 4 + 4, 8, twice 4 x 4 x 9 + 4 and 8, 4 + 1.
# CBAM: the MLP with biases, 98, 2. GALA: the MLP with biases, 64 x 4 + 4, 4 + 1, 2 x 64.
@pytest.mark.parametrize(("layer", "parameters"), [(BAM, 1_173), (CBAM, 680), (GALA, 973)], ids=NAMES)
def test_parameters_by_hand(layer, parameters):
    assert sum(p.numel() for p in layer(64).parameters()) == parameters


@pytest.mark.parametrize("layer", GATES, ids=NAMES)
def test_gradients_are_those_of_the_function(layer):
    gate = made(layer)
    x = images()[:1, :, :3, :2].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: gate(x), (x, *gate.parameters()))


@pytest.mark.parametrize("size", [(1, 1), (7, 3)])
@pytest.mark.parametrize("layer", GATES, ids=NAMES)
def test_any_map_keeps_its_shape_on_meta_too(layer, size):
    x = torch.randn(2, 8, *size)
    assert layer(8, 4)(x).shape == x.shape
    assert layer(8, 4, device="meta")(x.to("meta")).shape == x.shape


@pytest.mark.parametrize("layer", GATES, ids=NAMES)
def test_an_image_does_not_see_the_others(layer):
    gate, x = made(layer), images()
    with torch.no_grad():
        torch.testing.assert_close(gate(x)[:1], gate(x[:1]))


def test_what_closed_and_open_gates_leave():
    """All weights zero: BAM amplifies by 1 + 1/2, CBAM halves twice, GALA lets nothing pass."""
    x = images()
    for layer, share in ((BAM, 1.5), (CBAM, 0.25), (GALA, 0.0)):
        gate = made(layer)
        with torch.no_grad():
            for parameter in gate.parameters():
                parameter.zero_()
            torch.testing.assert_close(gate(x), share * x)


def test_gala_starts_open():
    x = images()
    with torch.no_grad():
        torch.testing.assert_close(GALA(C, 2, dtype=torch.float64)(x), 0.7615941559557649 * x)  # tanh(1)


def test_gala_flips_signs():
    gate, x = made(GALA), images()
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.zero_()
        gate.mlp.expand.bias.fill_(-1.0)
        gate.additive.fill_(2.0)
        torch.testing.assert_close(gate(x), -0.9640275800758169 * x)  # tanh(-2)


def test_bam_cannot_train_on_one_image():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BAM(8, 4)(torch.randn(1, 8, 5, 5))


@pytest.mark.parametrize("layer", GATES, ids=NAMES)
def test_reduction_beyond_the_channels_is_refused(layer):
    with pytest.raises(ValueError, match="between 1 and the 8 channels, got 16"):
        layer(8, 16)
