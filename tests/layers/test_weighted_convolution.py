"""Convolution with a kernel for each sample: every form against a loop over samples, and the relations of the sheet."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from aabench.layers import chunked_convolution
from aabench.layers.weighted_convolution import choose
from aabench.layers.weighted_convolution import weighted_convolution as weighted

F64 = torch.float64
EXACT = {"rtol": 1e-12, "atol": 1e-12}

# The axes output channels, input channels, taps along which factors differ -> the forms they allow beside grouped and
# chunked, without groups and with.
KINDS: dict[tuple[bool, bool, bool], tuple[list[str], list[str]]] = {
    (True, True, True): ([], []),
    (True, False, True): (["taps"], []),
    (False, True, True): ([], []),
    (False, False, True): ([], []),
    (True, True, False): ([], []),
    (True, False, False): (["gate"], ["gate"]),
    (False, True, False): (["gate"], []),
    (False, False, False): (["gate"], ["gate"]),
}
Differ = tuple[bool, bool, bool]


class Case(NamedTuple):
    """A convolution's settings: `where` are stride, padding, dilation and groups."""

    batch: int
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    size: tuple[int, int]
    where: tuple[Any, Any, Any, int]

    def tensors(self, differ: Differ = (True, True, True)) -> tuple[Tensor, Tensor, Tensor]:
        """x, kernel, factor in float64, with gradients."""
        generator = torch.Generator().manual_seed(0)
        inputs = self.in_channels // self.where[3]
        outputs, per_input, taps = (
            own if there else tuple(1 for _ in own)
            for own, there in zip(((self.out_channels,), (inputs,), self.kernel), differ, strict=True)
        )
        shapes = (
            (self.batch, self.in_channels, *self.size),
            (self.out_channels, inputs, *self.kernel),
            (self.batch, *outputs, *per_input, *taps),
        )
        x, kernel, factor = (torch.randn(s, generator=generator, dtype=F64).requires_grad_() for s in shapes)
        return x, kernel, factor


CASE = Case(3, 4, 6, (3, 3), (5, 6), ((2, 1), (1, 1), (1, 1), 1))
SIDES = st.tuples(st.integers(1, 2), st.integers(1, 2))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels = [groups * draw(st.integers(1, 3)) for _ in range(2)]
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (2, 3)]))
    stride, dilation = draw(SIDES), draw(SIDES)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    height, width = (
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 4))
        for d, k, p in zip(dilation, kernel, padding, strict=True)
    )
    return Case(draw(st.integers(1, 4)), *channels, kernel, (height, width), (stride, padding, dilation, groups))


def of_each_sample(x: Tensor, kernel: Tensor, factor: Tensor, where: tuple[Any, ...]) -> Tensor:
    """A plain convolution for each sample, with a kernel of its own."""
    stride, padding, dilation, groups = where
    return torch.cat(
        [F.conv2d(x[n : n + 1], kernel * factor[n], None, stride, padding, dilation, groups) for n in range(x.shape[0])]
    )


def plain(x: Tensor, kernel: Tensor, where: tuple[Any, ...]) -> Tensor:
    stride, padding, dilation, groups = where
    return F.conv2d(x, kernel, None, stride, padding, dilation, groups)


def values_and_gradients(out: Tensor, tensors: tuple[Tensor, ...]) -> list[Tensor]:
    weights = torch.linspace(-1, 1, out.numel(), dtype=F64).view(out.shape)
    return [out, *torch.autograd.grad(out, tensors, weights)]


def assert_same(found: list[Tensor], right: list[Tensor]) -> None:
    for ours, oracle in zip(found, right, strict=True):
        torch.testing.assert_close(ours, oracle, **EXACT)


@settings(max_examples=60, deadline=None)
@given(case=cases(), differ=st.sampled_from(list(KINDS)), samples=st.sampled_from([1, 2, 3, 8]))
def test_all_forms_equal_a_loop_over_samples(case: Case, differ: Differ, samples: int) -> None:
    """Outputs, and the gradients of input, kernel and factors; in chunks of 1, 2, 3 and all samples."""
    x, kernel, factor = tensors = case.tensors(differ)
    right = values_and_gradients(of_each_sample(*tensors, case.where), tensors)
    without, with_groups = KINDS[differ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked_convolution, "CHUNK_BYTES", samples * kernel.nbytes)
        for form in ["auto", "grouped", "chunked", *(without if case.where[3] == 1 else with_groups)]:
            assert_same(values_and_gradients(weighted(x, kernel, factor, *case.where, form=form), tensors), right)


@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_attending_the_patches_is_attending_the_kernel(case: Case) -> None:
    """Conv(I (x) A, K) = Conv(I, A (x) K): the input is attended here, patch by patch, for each output channel."""
    x, kernel, a = case.tensors()
    stride, padding, dilation, groups = case.where
    cells = plain(x, kernel, case.where).shape[2:]
    patches = F.unfold(x, case.kernel, dilation, padding, stride).view(case.batch, groups, -1, cells.numel())
    of_output = patches.repeat_interleave(case.out_channels // groups, 1)  # (N, C2, C1 / groups h w, cells)
    attended = of_output * a.flatten(2)[..., None]
    expected = (attended * kernel.flatten(1)[None, :, :, None]).sum(2).unflatten(2, cells)
    torch.testing.assert_close(weighted(x, kernel, a, *case.where), expected, **EXACT)


@settings(max_examples=20, deadline=None)
@given(case=cases(), form=st.sampled_from(["auto", "grouped", "chunked"]))
def test_of_the_input_channel_only_it_is_a_gate_on_the_input(case: Case, form: str) -> None:
    x, kernel, _ = case.tensors()
    groups = case.where[3]
    gate = torch.rand(case.batch, case.in_channels // groups, dtype=F64)
    gated = x * gate.repeat(1, groups)[:, :, None, None]
    found = weighted(x, kernel, gate[:, None, :, None, None], *case.where, form=form)
    torch.testing.assert_close(found, plain(gated, kernel, case.where), **EXACT)


@settings(max_examples=20, deadline=None)
@given(case=cases(), form=st.sampled_from(["auto", "grouped", "chunked", "gate"]))
def test_of_the_output_channel_only_it_is_a_gate_on_the_output(case: Case, form: str) -> None:
    x, kernel, _ = case.tensors()
    gate = torch.rand(case.batch, case.out_channels, dtype=F64)
    found = weighted(x, kernel, gate[:, :, None, None, None], *case.where, form=form)
    torch.testing.assert_close(found, gate[:, :, None, None] * plain(x, kernel, case.where), **EXACT)


@pytest.mark.parametrize("form", ["auto", "grouped", "chunked", "gate"])
def test_the_gate_on_the_output_stands_before_normalisation(form: str) -> None:
    x, kernel, factor = CASE.tensors((True, False, False))
    norm = nn.BatchNorm2d(CASE.out_channels, dtype=F64)
    convolved, gate = plain(x, kernel, CASE.where), factor[:, :, :, 0, 0]
    found = norm(weighted(x, kernel, factor, *CASE.where, form=form))
    torch.testing.assert_close(found, norm(convolved * gate[..., None]), **EXACT)
    assert (found - norm(convolved) * gate[..., None]).abs().max() > 0.1


@settings(max_examples=20, deadline=None)
@given(case=cases(), form=st.sampled_from(["auto", "grouped", "chunked", "taps"]))
def test_the_same_for_all_input_channels_it_is_a_sum_over_taps(case: Case, form: str) -> None:
    """O = sum_ij (1 + A[n, c2, i, j]) Conv_tap_ij."""
    x, kernel, a = case.tensors((True, False, True))
    if case.where[3] > 1 and form == "taps":
        form = "auto"
    expected = torch.zeros((), dtype=F64)
    for i in range(case.kernel[0]):
        for j in range(case.kernel[1]):
            tap = torch.zeros_like(kernel)
            tap[:, :, i, j] = kernel[:, :, i, j]
            expected = expected + (1 + a[:, :, 0, i, j])[:, :, None, None] * plain(x, tap, case.where)
    torch.testing.assert_close(weighted(x, kernel, 1 + a, *case.where, form=form), expected, **EXACT)


@settings(max_examples=20, deadline=None)
@given(case=cases(), differ=st.sampled_from(list(KINDS)))
def test_without_attention_the_residual_leaves_the_plain_convolution(case: Case, differ: Differ) -> None:
    x, kernel, a = case.tensors(differ)
    without, with_groups = KINDS[differ]
    for form in ["auto", "grouped", "chunked", *(without if case.where[3] == 1 else with_groups)]:
        found = weighted(x, kernel, 1 + 0 * a, *case.where, form=form)
        torch.testing.assert_close(found, plain(x, kernel, case.where), **EXACT)


FORMS = [
    ("grouped", (True, True, True)),
    ("chunked", (True, True, True)),
    ("taps", (True, False, True)),
    ("gate", (True, False, False)),
    ("gate", (False, True, False)),
]
EACH_FORM = pytest.mark.parametrize(("form", "differ"), FORMS, ids=["grouped", "chunked", "taps", "gate", "input gate"])


@EACH_FORM
def test_gradients_are_those_of_the_function(form: str, differ: Differ, monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel, factor = CASE._replace(in_channels=2, out_channels=2, size=(3, 4)).tensors(differ)
    monkeypatch.setattr(chunked_convolution, "CHUNK_BYTES", 2 * kernel.nbytes)

    def convolve(*tensors: Tensor) -> Tensor:
        return weighted(*tensors, (2, 1), (1, 1), form=form)

    assert torch.autograd.gradcheck(convolve, (x, kernel, factor))


@EACH_FORM
def test_any_layout_of_the_input(form: str, differ: Differ) -> None:
    """Channels last, a transposed map, every second sample, kernel and factors that are views; the same values."""
    tensors = CASE.tensors(differ)
    right = values_and_gradients(weighted(*tensors, *CASE.where, form=form), tensors)
    x, kernel, factor = tensors
    layouts = {
        "channels last": x.detach().contiguous(memory_format=torch.channels_last),
        "transposed": x.detach().mT.contiguous().mT,
        "every second": x.detach().repeat_interleave(2, 0)[::2],
    }
    for name, other in layouts.items():
        assert not other.is_contiguous(), name
        views = (other, kernel.detach().mT.contiguous().mT, factor.detach().repeat_interleave(2, 0)[::2])
        given_ = tuple(t.requires_grad_() for t in views)
        assert_same(values_and_gradients(weighted(*given_, *CASE.where, form=form), given_), right)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("form", ["chunked", "taps"])
def test_memory_format(form: str, batch: int) -> None:
    """The chunks keep the input's; taps give channels last."""
    x, kernel, factor = CASE._replace(batch=batch).tensors((True, False, True))
    last = torch.channels_last
    out = weighted(x.detach().contiguous(memory_format=last).requires_grad_(), kernel, factor, form=form)
    assert out.is_contiguous(memory_format=last)
    assert weighted(x, kernel, factor, form=form).is_contiguous(
        memory_format=last if form == "taps" else torch.contiguous_format
    )


@pytest.mark.parametrize(
    ("shape", "factor", "batch", "size", "groups", "form"),
    [
        # In fp32, with at most 8 MiB of kernels kept.
        ((64, 64, 3, 3), (64, 1, 1, 1), 8, 56, 1, "gate"),
        ((64, 32, 3, 3), (64, 1, 1, 1), 8, 56, 2, "gate"),
        ((64, 64, 1, 1), (64, 1, 1, 1), 8, 56, 1, "gate"),
        ((64, 64, 3, 3), (1, 64, 1, 1), 8, 56, 1, "gate"),
        ((64, 32, 3, 3), (1, 32, 1, 1), 8, 56, 2, "grouped"),  # an input channel's factor differs from group to group
        ((512, 512, 3, 3), (512, 1, 3, 3), 8, 7, 1, "taps"),
        ((512, 256, 3, 3), (512, 1, 3, 3), 8, 7, 2, "chunked"),  # 4.5 MiB a sample
        ((512, 512, 3, 3), (512, 512, 3, 3), 8, 7, 1, "chunked"),
        ((512, 512, 3, 3), (1, 512, 3, 3), 8, 7, 1, "chunked"),
        ((64, 64, 3, 3), (64, 1, 3, 3), 8, 56, 1, "grouped"),  # 144 KiB a sample
        ((64, 64, 3, 3), (64, 1, 3, 3), 56, 56, 1, "grouped"),
        ((64, 64, 3, 3), (64, 1, 3, 3), 57, 56, 1, "chunked"),  # 8,208 KiB
    ],
)
def test_the_choice(shape: Any, factor: Any, batch: int, size: int, groups: int, form: str) -> None:
    kernel, factors = torch.empty(shape, device="meta"), torch.empty(batch, *factor, device="meta")
    assert choose(kernel, factors, (batch, shape[0], size, size), groups) == form


def test_taps_are_chosen_from_four_input_channels_a_pixel_of_the_output() -> None:
    kernel, factor = torch.empty(8, 100, 3, 3, device="meta"), torch.empty(2, 8, 1, 3, 3, device="meta")
    assert [choose(kernel, factor, (2, 8, 5, width), 1) for width in (4, 5, 6)] == ["taps", "taps", "grouped"]


@pytest.mark.parametrize(
    ("form", "differ", "groups", "message"),
    [
        (
            "taps",
            (True, True, True),
            1,
            "form taps takes factors that are the same for all input channels, and no groups; "
            "got factors (3, 6, 4, 3, 3) and groups=1",
        ),
        (
            "taps",
            (True, False, True),
            2,
            "form taps takes factors that are the same for all input channels, and no groups; "
            "got factors (3, 6, 1, 3, 3) and groups=2",
        ),
        (
            "gate",
            (True, False, True),
            1,
            "form gate takes one factor an output channel, or without groups an input channel; "
            "got factors (3, 6, 1, 3, 3) and groups=1",
        ),
        (
            "gate",
            (False, True, False),
            2,
            "form gate takes one factor an output channel, or without groups an input channel; "
            "got factors (3, 1, 2, 1, 1) and groups=2",
        ),
        ("fast", (True, True, True), 1, "form is one of auto, grouped, chunked, taps, gate, not 'fast'"),
    ],
)
def test_a_form_that_does_not_apply(form: str, differ: Differ, groups: int, message: str) -> None:
    case = CASE._replace(where=((1, 1), (1, 1), (1, 1), groups))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        weighted(*case.tensors(differ), *case.where, form=form)


@pytest.mark.parametrize("form", ["auto", "chunked", "taps"])  # grouped gets torch's own message
def test_a_kernel_larger_than_the_map(form: str) -> None:
    x, kernel, factor = CASE._replace(size=(4, 9)).tensors((True, False, True))
    with pytest.raises(ValueError, match=r"^a kernel of 3x3 with dilation \(3, 1\) is larger than a map of 4x9 with "):
        weighted(x, kernel, factor, (1, 1), (1, 0), (3, 1), form=form)
    assert weighted(x, kernel, factor, (1, 1), (2, 0), (3, 1), form=form).shape == (3, 6, 2, 7)
