"""Convolution whose kernel is scaled for each sample, as a sum over its taps: no sample has a kernel of its own.

Where the scaling is the same for all input channels, ``O[n] = sum_ij factor[n, :, i, j] * conv_ij(x[n])``, and each
conv_ij, one tap of the kernel, is a matrix product over all samples together. A tap's result is of the output's size:
this pays where that is small and the kernels are large, in the last stages of a network. Backward computes each tap's
result again.

It is an operator of its own (``aabench::tap_convolution``), so that counters, traces and fake tensors see one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from aabench.layers.chunked_convolution import output_shape


@torch.library.custom_op("aabench::tap_convolution", mutates_args=())
def tap_convolution(
    x: Tensor, kernel: Tensor, factor: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> Tensor:
    """``conv2d(x[n], kernel * factor[n])`` for each sample n.

    Args:
        x: (N, C1, H, W).
        kernel: (C2, C1, h, w).
        factor: (N, C2, 1, h, w). Kernel and factor may be of a wider data type than x.
        stride: as in ``conv2d``, for both axes.
        padding: likewise.
        dilation: likewise.

    Returns:
        (N, C2, H_out, W_out), channels last. Half precision is added up in fp32.
    """
    shape = output_shape(x, kernel, stride, padding, dilation)
    out = torch.zeros(_channels_last(shape), dtype=_wide(x.dtype), device=x.device)
    padded = _padded(x, padding)
    for tap in _taps(kernel, stride, dilation, shape):
        out.addcmul_(_of_tap(padded[tap.window], kernel[tap.at].to(x.dtype)), _scale(factor, tap))
    return out.to(x.dtype).permute(0, 3, 1, 2)


@tap_convolution.register_fake
def _(x: Tensor, kernel: Tensor, factor: Tensor, *where: Any) -> Tensor:
    return x.new_empty(_channels_last(output_shape(x, kernel, *where))).permute(0, 3, 1, 2)


@torch.library.custom_op("aabench::tap_convolution_backward", mutates_args=())
def _backward(
    gradient: Tensor,
    x: Tensor,
    kernel: Tensor,
    factor: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, kernel and factor."""
    padded = _padded(x, padding)
    gradient = gradient.permute(0, 2, 3, 1).contiguous()
    dpadded = torch.zeros_like(padded, dtype=_wide(x.dtype))
    dkernel, dfactor = torch.empty_like(kernel), torch.empty_like(factor)
    for tap in _taps(kernel, stride, dilation, output_shape(x, kernel, stride, padding, dilation)):
        inputs, weight = padded[tap.window], kernel[tap.at].to(x.dtype)
        work = _of_tap(inputs, weight)
        dfactor[:, :, 0, tap.row, tap.column] = work.mul_(gradient).sum((1, 2))
        scaled = torch.mul(gradient, _scale(factor, tap), out=work).flatten(0, 2)
        dkernel[tap.at] = scaled.t() @ inputs.flatten(0, 2)
        dpadded[tap.window] += (scaled @ weight).view(inputs.shape)
    top, left = padding
    dx = dpadded[:, top : top + x.shape[2], left : left + x.shape[3]].to(x.dtype).contiguous()
    return dx.permute(0, 3, 1, 2), dkernel, dfactor


@_backward.register_fake
def _(gradient: Tensor, x: Tensor, kernel: Tensor, factor: Tensor, *where: Any) -> tuple[Tensor, Tensor, Tensor]:
    dx = x.new_empty(_channels_last(x.shape)).permute(0, 3, 1, 2)
    return dx, torch.empty_like(kernel), torch.empty_like(factor)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.where = inputs[3:]


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(gradient, *ctx.saved_tensors, *ctx.where), *(None for _ in ctx.where))


tap_convolution.register_autograd(_gradients, setup_context=_save)
OPERATOR = torch.ops.aabench.tap_convolution
BACKWARD = torch.ops.aabench.tap_convolution_backward
"""Both as a dispatcher sees them."""


class _Tap(NamedTuple):
    row: int
    column: int
    window: tuple[slice, slice, slice]
    """What it meets of the padded input (N, H, W, C1): one pixel for each of the output."""

    @property
    def at(self) -> tuple[slice, slice, int, int]:
        """Its place in the kernel."""
        return slice(None), slice(None), self.row, self.column


def _taps(kernel: Tensor, stride: Sequence[int], dilation: Sequence[int], shape: Sequence[int]) -> Iterator[_Tap]:
    def window(axis: int, index: int) -> slice:
        first = index * dilation[axis]
        return slice(first, first + (shape[2 + axis] - 1) * stride[axis] + 1, stride[axis])

    for row, column in product(range(kernel.shape[2]), range(kernel.shape[3])):
        yield _Tap(row, column, (slice(None), window(0, row), window(1, column)))


def _of_tap(inputs: Tensor, weight: Tensor) -> Tensor:
    """(N, H_out, W_out, C1) and (C2, C1) -> (N, H_out, W_out, C2)."""
    return (inputs.flatten(0, 2) @ weight.t()).view(*inputs.shape[:3], -1)


def _scale(factor: Tensor, tap: _Tap) -> Tensor:
    """A tap's factors (N, 1, 1, C2)."""
    return factor[:, None, None, :, 0, tap.row, tap.column]


def _padded(x: Tensor, padding: Sequence[int]) -> Tensor:
    """(N, C1, H, W) -> (N, H', W', C1), contiguous."""
    rows, columns = padding
    return F.pad(x.permute(0, 2, 3, 1), (0, 0, columns, columns, rows, rows)).contiguous()


def _channels_last(shape: Sequence[int]) -> tuple[int, ...]:
    batch, channels, *sides = shape
    return batch, *sides, channels


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
