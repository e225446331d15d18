"""AWConv2d: F1 and F2 written out, its options one by one, and what a layer has to stand."""

from __future__ import annotations

import copy
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aabench.layers import AWConv2d, SqueezeExcite

F64 = torch.float64
EXACT = {"rtol": 1e-12, "atol": 1e-12}
FORMS = ("auto", "grouped", "chunked", "taps")


def layer(in_channels: int = 6, out_channels: int = 4, kernel: Any = 3, seed: int = 0, **options: Any) -> AWConv2d:
    """In float64, with nothing at its initial value."""
    torch.manual_seed(seed)
    aw = AWConv2d(in_channels, out_channels, kernel, **{"reduction": 2, "dtype": F64, "bias": False} | options)
    with torch.no_grad():
        for parameter in aw.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return aw


def images(channels: int = 6, size: tuple[int, int] = (6, 9), batch: int = 3) -> Tensor:
    return torch.randn(batch, channels, *size, dtype=F64, generator=torch.Generator().manual_seed(1))


def f1(aw: AWConv2d, pooled: Tensor) -> Tensor:
    """Two matrix products over the pooled map (N, C1, h, w), with ReLU between and the gate after."""
    weights = dict(aw.attention.named_parameters())
    hidden = torch.einsum("kc,ncij->nkij", weights["reduce.weight"][:, :, 0, 0], pooled)
    if "reduce.bias" in weights:
        hidden = hidden + weights["reduce.bias"][:, None, None]
    if "norm.weight" in weights:
        mean, variance = hidden.mean((0, 2, 3), keepdim=True), hidden.var((0, 2, 3), correction=0, keepdim=True)
        scale, shift = (weights[f"norm.{name}"][:, None, None] for name in ("weight", "bias"))
        hidden = (hidden - mean) / (variance + 1e-5).sqrt() * scale + shift
    logits = torch.einsum("ok,nkij->noij", weights["expand.weight"][:, :, 0, 0], hidden.clamp(min=0))
    if "expand.bias" in weights:
        logits = logits + weights["expand.bias"][:, None, None]
    e = logits.exp()
    return {"sigmoid": e / (1 + e), "tanh": (e - 1 / e) / (e + 1 / e), "none": logits}[aw.settings["gate"]]


def bins(x: Tensor, kernel: tuple[int, int]) -> Tensor:
    """Means over h x w equal bins, for a map whose sides are multiples of them."""
    batch, channels, height, width = x.shape
    return x.view(batch, channels, kernel[0], height // kernel[0], kernel[1], width // kernel[1]).mean((3, 5))


def over_the_kernel(aw: AWConv2d, maps: Tensor) -> Tensor:
    """A of a kernel's full shape, (N, C2, C1 / groups, h, w), one number at a time."""
    inputs = aw.in_channels // aw.groups
    out = torch.empty(len(maps), aw.out_channels, inputs, *aw.kernel_size, dtype=F64)
    for output in range(aw.out_channels):
        for channel in range(inputs):
            at = {"input": output, "output": channel, "none": output * inputs + channel}[aw.settings["expansion"]]
            out[:, output, channel] = maps[:, at]
    return out


def f2(aw: AWConv2d, a: Tensor, x: Tensor, **where: Any) -> Tensor:
    """A_K = K + A (x) K, or A (x) K, and a convolution for each sample."""
    kernels = [aw.weight + own * aw.weight if aw.settings["residual"] else own * aw.weight for own in a]
    return torch.cat([F.conv2d(x[n : n + 1], kernel, **where) for n, kernel in enumerate(kernels)])


@pytest.mark.parametrize("gate", ["sigmoid", "tanh", "none"])
@pytest.mark.parametrize(("expansion", "groups"), [("input", 1), ("input", 2), ("output", 1), ("none", 1), ("none", 2)])
@pytest.mark.parametrize("branch", [{}, {"branch_norm": True}, {"branch_bias": True}], ids=["", "norm", "bias"])
@pytest.mark.parametrize("residual", [True, False])
def test_equals_f1_and_f2(residual: bool, branch: dict[str, bool], expansion: str, groups: int, gate: str) -> None:
    aw = layer(kernel=(2, 3), gate=gate, expansion=expansion, groups=groups, residual=residual, **branch)
    x = images()
    a = over_the_kernel(aw, f1(aw, bins(x, (2, 3))))
    torch.testing.assert_close(aw.attention_map(x).expand_as(a), a, **EXACT)
    torch.testing.assert_close(aw(x), f2(aw, a, x, groups=groups), **EXACT)


@pytest.mark.parametrize(
    ("kernel", "where"),
    [
        (3, {"stride": 2, "padding": 1}),
        (3, {"stride": (1, 2), "padding": (0, 2), "dilation": 2}),
        ((1, 3), {"padding": (0, 1), "dilation": (1, 2), "groups": 2}),
        (1, {"stride": 2}),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["auto", "grouped", "chunked"])
def test_strides_padding_dilation_and_groups(kernel: Any, where: dict[str, Any], form: str) -> None:
    aw, x = layer(kernel=kernel, form=form, **where), images()
    a = over_the_kernel(aw, f1(aw, bins(x, aw.kernel_size)))
    torch.testing.assert_close(aw(x), f2(aw, a, x, **where), **EXACT)


@pytest.mark.parametrize(
    ("kernel", "padding", "dilation", "mode", "pads"),
    [
        # (left, right, top, bottom). Of an odd sum, `same` puts the larger part behind.
        (3, "same", 1, "zeros", (1, 1, 1, 1)),
        ((2, 3), "same", (1, 2), "zeros", (2, 2, 0, 1)),
        (3, "valid", 1, "zeros", (0, 0, 0, 0)),
        (3, (1, 2), 1, "reflect", (2, 2, 1, 1)),
        ((2, 3), "same", 1, "replicate", (1, 1, 0, 1)),
        (3, 1, 1, "circular", (1, 1, 1, 1)),
    ],
)
def test_other_padding(kernel: Any, padding: Any, dilation: Any, mode: str, pads: tuple[int, ...]) -> None:
    """The convolution sees the padded map, F1 the map itself."""
    aw = layer(kernel=kernel, padding=padding, dilation=dilation, padding_mode=mode)
    x = images()
    a = over_the_kernel(aw, f1(aw, bins(x, aw.kernel_size)))
    padded = F.pad(x, pads, "constant" if mode == "zeros" else mode)
    torch.testing.assert_close(aw(x), f2(aw, a, padded, dilation=dilation), **EXACT)


@pytest.mark.parametrize("form", FORMS)
def test_the_bias_is_added_after_attention(form: str) -> None:
    with_bias, without = layer(bias=True, form=form), layer(form=form)
    without.load_state_dict(with_bias.state_dict(), strict=False)
    found = with_bias(images()) - without(images())
    torch.testing.assert_close(found, with_bias.bias[:, None, None].expand_as(found), **EXACT)


def test_a_kernel_larger_than_the_map() -> None:
    """2 x 2 pooled to 3 x 3: the rows are the first, the mean of both, the second."""
    aw = layer(padding=1)
    x = images(size=(2, 2))
    rows = torch.stack((x[:, :, 0], x.mean(2), x[:, :, 1]), 2)
    pooled = torch.stack((rows[..., 0], rows.mean(3), rows[..., 1]), 3)
    a = over_the_kernel(aw, f1(aw, pooled))
    torch.testing.assert_close(aw(x), f2(aw, a, x, padding=1), **EXACT)


def test_a_1x1_kernel_attended_over_its_inputs_is_squeeze_and_excite_before_a_convolution() -> None:
    aw = layer(kernel=1, expansion="output", residual=False)
    gate = SqueezeExcite(6, reduction=2, bias=False, dtype=F64)
    gate.load_state_dict({f"mlp.{name}": weight for name, weight in aw.attention.state_dict().items()})
    torch.testing.assert_close(aw(images()), F.conv2d(gate(images()), aw.weight), **EXACT)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gate", ["tanh", "none"])
def test_closed_gates_with_the_residual_leave_the_plain_convolution(gate: str, form: str) -> None:
    aw, x = layer(gate=gate, form=form, padding=1), images()
    nn.init.zeros_(aw.attention.expand.weight)
    torch.testing.assert_close(aw(x), F.conv2d(x, aw.weight, padding=1), **EXACT)
    without = layer(gate=gate, form=form, padding=1, residual=False)
    nn.init.zeros_(without.attention.expand.weight)
    assert not without(x).any()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (3, 4, 1, 3, 3)),
        ({"expansion": "output"}, (3, 1, 6, 3, 3)),
        ({"expansion": "none"}, (3, 4, 6, 3, 3)),
        ({"expansion": "none", "groups": 2}, (3, 4, 3, 3, 3)),
        ({"kernel": (1, 5)}, (3, 4, 1, 1, 5)),
        ({"kernel": 1, "expansion": "output"}, (3, 1, 6, 1, 1)),
    ],
    ids=str,
)
def test_the_shape_of_the_map(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert layer(**options).attention_map(images()).shape == shape


# C1 = 64, C2 = 128: hidden 64 / r = 4 by default.
@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 64 * 4 + 4 * 128),
        ({"kernel_size": 1}, 64 * 4 + 4 * 128),
        ({"groups": 2}, 64 * 4 + 4 * 128),
        ({"reduction": 7}, 64 * 9 + 9 * 128),
        ({"reduction": 64}, 64 + 128),
        ({"branch_bias": True}, 64 * 4 + 4 * 128 + 4 + 128),
        ({"branch_norm": True}, 64 * 4 + 4 * 128 + 2 * 4),
        ({"gate": "none", "residual": False}, 64 * 4 + 4 * 128),
        ({"expansion": "output"}, 64 * 4 + 4 * 64),
        ({"expansion": "none"}, 64 * 4 + 4 * 128 * 64),
        ({"expansion": "none", "groups": 2}, 64 * 4 + 4 * 128 * 32),
    ],
    ids=str,
)
def test_the_parameters_of_the_branch(options: dict[str, Any], parameters: int) -> None:
    aw = AWConv2d(64, 128, **{"kernel_size": 3} | options)
    plain = 128 * 64 * aw.kernel_size[0] ** 2 // aw.groups + 128
    assert sum(p.numel() for p in aw.parameters()) - plain == parameters


def test_statistics_of_the_branch_are_those_of_the_batch_in_training_only() -> None:
    aw, x = layer(branch_norm=True), images()
    with torch.no_grad():
        assert not torch.allclose(aw(x)[:1], aw(x[:1]))
        aw.eval()
        torch.testing.assert_close(aw(x)[:1], aw(x[:1]), **EXACT)
        before = aw.attention.norm.running_mean.clone()
        aw(x)
        assert torch.equal(aw.attention.norm.running_mean, before)


@pytest.mark.parametrize("form", FORMS)
def test_samples_do_not_mix(form: str) -> None:
    aw, x = layer(form=form, padding=1), images()
    torch.testing.assert_close(torch.cat([aw(x[n : n + 1]) for n in range(3)]), aw(x), **EXACT)


OPTIONS: list[dict[str, Any]] = [
    *({"form": form} for form in FORMS),
    {"kernel": 1, "expansion": "input", "form": "gate"},
    {"kernel": 1, "expansion": "output", "form": "gate"},
    {"expansion": "none", "groups": 2, "gate": "tanh", "residual": False},
    {"branch_norm": True, "branch_bias": True, "gate": "none", "bias": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_parameter_gets_a_gradient(options: dict[str, Any]) -> None:
    aw = layer(**options)
    aw(images()).square().sum().backward()
    assert [name for name, p in aw.named_parameters() if p.grad is None or not p.grad.any()] == []


def step(aw: AWConv2d, x: Tensor) -> list[Tensor]:
    """A training step: the output, and the gradients of input and parameters."""
    x = x.detach().clone().requires_grad_()
    out = aw(x)
    weights = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype)
    return [out, *torch.autograd.grad(out, (x, *aw.parameters()), weights)]


@pytest.mark.parametrize("cast", ["weights", "autocast"])
@pytest.mark.parametrize("options", OPTIONS[:6], ids=str)
def test_bf16_stays_near_fp32(options: dict[str, Any], cast: str) -> None:
    aw, x = layer(16, 8, bias=True, **options).float(), images(16, (9, 12)).float()
    expected = step(aw, x)
    if cast == "weights":
        found = step(aw.bfloat16(), x.bfloat16())
        assert {t.dtype for t in found} == {torch.bfloat16}
    else:
        with torch.autocast("cpu", torch.bfloat16):
            found = step(aw, x)
        assert found[0].dtype == torch.bfloat16
        assert {t.dtype for t in found[1:]} == {torch.float32}
    for ours, right in zip(found, expected, strict=True):
        # bf16 rounds by 1/256; a handful of products follow each other.
        assert (ours.float() - right).abs().max() < 0.04 * right.abs().max()


@pytest.mark.parametrize("form", ["auto", "chunked", "taps"])
def test_compiles_without_a_break(form: str) -> None:
    """Traced forward and backward, run without a compiler."""
    torch._dynamo.reset()
    aw, x = layer(form=form, padding=1), images()
    compiled = torch.compile(aw, fullgraph=True, backend="aot_eager")
    for found, right in zip(step(compiled, x), step(aw, x), strict=True):
        torch.testing.assert_close(found, right, **EXACT)


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor compiles with g++, and there is none")
def test_compiled_code_computes_the_same() -> None:
    """Both operators in one, and forward only: to compile takes seconds."""
    torch._dynamo.reset()
    both, x = nn.Sequential(layer(form="chunked"), layer(4, kernel=1, form="taps")), images()
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(both, fullgraph=True)(x), both(x), **EXACT)


def test_a_copy_computes_the_same_and_is_another_layer() -> None:
    aw, x = layer(branch_norm=True), images()
    copied = copy.deepcopy(aw)
    assert torch.equal(copied(x), aw(x))
    nn.init.zeros_(copied.attention.expand.weight)
    assert not torch.equal(copied(x), aw(x))


@pytest.mark.parametrize("way", ["pickle", "file"])
def test_a_checkpoint_reproduces_the_layer(way: str, tmp_path: Path) -> None:
    options = {"branch_norm": True, "expansion": "none", "gate": "tanh", "bias": True}
    saved, other, x = layer(**options), layer(**options, seed=1), images()
    assert not torch.equal(other(x), saved(x))
    if way == "file":
        torch.save(saved.state_dict(), tmp_path / "weights.pt")
        state = torch.load(tmp_path / "weights.pt", weights_only=True)
    else:
        state = pickle.loads(pickle.dumps(saved.state_dict()))
    assert all(type(value) is Tensor for value in state.values())
    other.load_state_dict(state)
    assert torch.equal(other(x), saved(x))


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        ({"gate": "tanh"}, "gate tanh instead of sigmoid"),
        ({"residual": False}, "residual False instead of True"),
        ({"reduction": 3}, "reduction 3 instead of 2"),
        ({"expansion": "none"}, "expansion none instead of input"),
        ({"branch_norm": True}, "branch_norm True instead of False"),
        ({"branch_bias": True}, "branch_bias True instead of False"),
        (
            {"gate": "none", "residual": False, "expansion": "output"},
            "expansion output instead of input, gate none instead of sigmoid, residual False instead of True",
        ),
    ],
)
def test_weights_of_another_setting_are_refused(options: dict[str, Any], differing: str) -> None:
    own = layer()
    state = {f"0.{name}": value for name, value in layer(**options, seed=1).state_dict().items()}
    with pytest.raises(
        ValueError, match=f"^{re.escape(f'these weights of an AWConv2d are for other settings: {differing}')}$"
    ):
        nn.Sequential(own).load_state_dict(state)


def test_the_form_is_no_setting_of_the_weights() -> None:
    chunked, taps = layer(form="chunked"), layer(form="taps", seed=1)
    taps.load_state_dict(chunked.state_dict())
    torch.testing.assert_close(taps(images()), chunked(images()), **EXACT)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_builds_and_runs_on_meta(options: dict[str, Any]) -> None:
    kernel = options.get("kernel", 3)
    given = {name: value for name, value in options.items() if name != "kernel"}
    aw = AWConv2d(6, 4, kernel, 2, 1, reduction=2, device="meta", **given)
    assert all(tensor.is_meta for tensor in (*aw.parameters(), *aw.buffers()))
    out = aw(torch.empty(3, 6, 7, 9, device="meta"))
    assert out.is_meta
    assert out.shape == ((3, 4, 4, 5) if kernel == 3 else (3, 4, 5, 6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": 7}, "reduction is between 1 and the 6 channels, got 7"),
        ({"reduction": 0}, "reduction is between 1 and the 6 channels, got 0"),
        ({"gate": "relu"}, "gate is one of sigmoid, tanh, none, not 'relu'"),
        ({"expansion": "both"}, "expansion is one of input, output, none, not 'both'"),
        ({"form": "fast"}, "form is one of auto, grouped, chunked, taps, gate, not 'fast'"),
        (
            {"expansion": "output", "groups": 2},
            "expansion output gives one map for each of 6 input channels, and with groups=2 a kernel has 3: "
            "choose expansion input or none",
        ),
    ],
)
def test_what_cannot_be_built_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        layer(**options)


@pytest.mark.parametrize(
    ("options", "form"), [({"expansion": "output"}, "taps"), ({"groups": 2}, "taps"), ({}, "gate")]
)
def test_a_form_that_the_options_do_not_allow_says_so_when_it_is_called(options: dict[str, Any], form: str) -> None:
    aw = layer(form=form, **options)
    with pytest.raises(ValueError, match=f"^form {form} takes .*; got factors .* and groups={aw.groups}$"):
        aw(images())


def test_it_shows_what_it_is() -> None:
    shown = repr(AWConv2d(16, 4, 3, stride=2, gate="tanh"))
    assert "16, 4, kernel_size=(3, 3), stride=(2, 2), reduction=16, expansion=input, gate=tanh, residual=True" in shown
