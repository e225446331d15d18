"""The two operators of weighted convolution: chunks, what torch asks of an operator, memory, counts, precision."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aabench.layers import AWConv2d, chunked_convolution, tap_convolution
from aabench.layers.weighted_convolution import weighted_convolution
from aabench.profile.counters import flop_counter
from aabench.profile.memory import allocated_peak

F64 = torch.float64
OPERATORS = {
    "chunked": (chunked_convolution.chunked_convolution, chunked_convolution.BACKWARD),
    "taps": (tap_convolution.tap_convolution, tap_convolution.BACKWARD),
}


def inputs(
    batch: int = 5, factor: tuple[int, ...] = (3, 1, 3, 3), size: tuple[int, int] = (6, 5), dtype: torch.dtype = F64
) -> tuple[Tensor, Tensor, Tensor]:
    """x with 4 channels, a kernel 3 x 4 x 3 x 3, factors: with gradients."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, 4, *size), (3, 4, 3, 3), (batch, *factor))
    x, kernel, scale = (torch.randn(s, generator=generator, dtype=F64).to(dtype).requires_grad_() for s in shapes)
    return x, kernel, scale


@pytest.mark.parametrize(
    ("kernels", "samples"), [(0.5, [1] * 5), (1, [1] * 5), (2, [2, 2, 1]), (4.9, [4, 1]), (5, [5]), (9, [5])]
)
def test_the_chunks(kernels: float, samples: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Five samples under a bound of so many kernels: the samples of each convolution, forward and backward."""
    x, kernel, factor = inputs()
    monkeypatch.setattr(chunked_convolution, "CHUNK_BYTES", int(kernels * kernel.nbytes))
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, record_shapes=True, acc_events=True) as record:
        torch.autograd.backward(weighted_convolution(x, kernel, factor, form="chunked").sum())
    shapes = {
        name: [e.input_shapes for e in record.events() if e.name == name]
        for name in ("aten::convolution", "aten::convolution_backward")
    }
    for name, channels in (("aten::convolution", 4), ("aten::convolution_backward", 3)):  # of its first argument
        assert [s[0][:2] for s in shapes[name]] == [[1, channels * n] for n in samples], name


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # from within opcheck
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("form", OPERATORS)
def test_they_are_proper_operators(form: str, layout: torch.memory_format) -> None:
    """Schema, fake tensors' shapes and strides, and gradients are what torch asks, with strides, padding, dilation."""
    x, kernel, factor = inputs()
    x = x.detach().contiguous(memory_format=layout).requires_grad_()
    where = ([2, 1], [1, 2], [1, 2])
    groups = [1] if form == "chunked" else []
    operator, backward = OPERATORS[form]
    results = torch.library.opcheck(operator, (x, kernel, factor, *where, *groups))
    assert set(results.values()) == {"SUCCESS"}
    tensors = [t.detach() for t in (x, kernel, factor)]
    gradient = torch.randn_like(operator(*tensors, *where, *groups))
    results = torch.library.opcheck(backward, (gradient, *tensors, *where, *groups))
    assert set(results.values()) == {"SUCCESS"}


@pytest.mark.parametrize("form", OPERATORS)
def test_they_are_not_differentiated_twice(form: str) -> None:
    tensors = inputs()
    [first] = torch.autograd.grad(weighted_convolution(*tensors, form=form).sum(), tensors[:1], create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(first.sum(), tensors[1])


# Multiply-adds: 5 samples, 3 x 3 cells of the output, 3 x 4 x 3 x 3 of the kernel. Backward: two products, of the
# input and of the kernel; taps compute their results again for a third.
@pytest.mark.parametrize(("form", "products"), [("chunked", 2), ("taps", 3)])
def test_the_flops_of_a_training_step(form: str, products: int) -> None:
    tensors = inputs()
    with flop_counter() as forward:
        out = weighted_convolution(*tensors, stride=(2, 2), padding=(1, 1), form=form)
    assert out.shape == (5, 3, 3, 3)
    assert forward.get_total_flops() == 2 * 5 * 3 * 3 * 108
    with flop_counter() as backward:
        torch.autograd.backward(out.sum())
    assert backward.get_total_flops() == products * 2 * 5 * 3 * 3 * 108


def test_the_flops_of_a_training_step_with_groups() -> None:
    x, kernel, factor = inputs(factor=(3, 4, 3, 3))
    x = torch.cat((x, x, x), 1)
    with flop_counter() as counter:
        torch.autograd.backward(weighted_convolution(x, kernel, factor, groups=3, form="chunked").sum())
    assert counter.get_total_flops() == 3 * 2 * 5 * 4 * 3 * 108


def test_the_memory_of_a_training_step() -> None:
    """256 channels, 14 x 14, batch 8: beyond a plain convolution at most half of what all kernels at once take."""
    x = torch.randn(8, 256, 14, 14, requires_grad=True)

    def peak(layer: nn.Module) -> int:
        def step() -> None:
            torch.autograd.backward(layer(x).sum())
            layer.zero_grad()
            x.grad = None

        step()
        found = allocated_peak(step)
        assert found.bytes is not None
        return found.bytes - found.baseline

    plain = peak(nn.Conv2d(256, 256, 3, padding=1, bias=False))
    grouped, chunked, auto = (
        peak(AWConv2d(256, 256, 3, padding=1, bias=False, form=form)) - plain for form in ("grouped", "chunked", "auto")
    )
    # Kernels and their gradients: 8 x 256 x 256 x 3 x 3 of 4 bytes, twice.
    assert grouped >= 2 * 18_874_368
    assert 0 < chunked <= grouped / 2
    assert 0 < auto <= grouped / 2


def by_the_loop(x: Tensor, kernel: Tensor, factor: Tensor) -> Tensor:
    return torch.cat([F.conv2d(image[None], kernel * own) for image, own in zip(x, factor, strict=True)])


# In units of the largest value: rounding grows with what is summed. bf16 keeps 8 bits of inputs, kernels and results.
@pytest.mark.parametrize(("dtype", "off"), [(torch.float32, 1e-5), (torch.bfloat16, 2**-6)])
@pytest.mark.parametrize(
    ("form", "factor"),
    [("grouped", (3, 4, 3, 3)), ("chunked", (3, 4, 3, 3)), ("taps", (3, 1, 3, 3)), ("gate", (3, 1, 1, 1))],
)
def test_precision(form: str, factor: tuple[int, ...], dtype: torch.dtype, off: float) -> None:
    low = inputs(40, factor, (9, 11), dtype)
    exact = tuple(t.detach().double().requires_grad_() for t in low)
    out, right = weighted_convolution(*low, form=form), by_the_loop(*exact)
    weights = torch.linspace(-1, 1, out.numel(), dtype=F64).view(out.shape).to(dtype)
    found = [out, *torch.autograd.grad(out, low, weights)]
    oracle = [right, *torch.autograd.grad(right, exact, weights.double())]
    for ours, expected in zip(found, oracle, strict=True):
        assert ours.dtype == dtype
        assert (ours - expected).abs().max() <= off * expected.abs().max()
