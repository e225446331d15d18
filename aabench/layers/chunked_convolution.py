"""Convolution whose kernel is scaled for each sample, over chunks of the batch: few samples' kernels exist at once.

All kernels together are N times the layer's weights. Forward makes those of one chunk, convolves its samples as groups
of one convolution, and drops them; backward makes them again, which is one product an element, and adds up what the
kernel and its factors get chunk by chunk. No convolution is computed twice.

It is an operator of its own (``aabench::chunked_convolution``), so that counters, traces and fake tensors see one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

CHUNK_BYTES = 6 * 2**20
"""Kernels made at a time; at least one is. Backward holds as much again for their gradients. ``make bench`` compares
(tests/bench/test_convolution.py)."""


@torch.library.custom_op("aabench::chunked_convolution", mutates_args=())
def chunked_convolution(
    x: Tensor,
    kernel: Tensor,
    factor: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """``conv2d(x[n], kernel * factor[n])`` for each sample n.

    Args:
        x: (N, C1, H, W).
        kernel: (C2, C1 / groups, h, w).
        factor: (N, C2, C1 / groups, h, w), or 1 in the place of any but N: the same for all along that axis. Kernel and
            factor may be of a wider data type than x: their product is rounded, as the kernel would be.
        stride: as in ``conv2d``, for both axes.
        padding: likewise.
        dilation: likewise.
        groups: likewise.

    Returns:
        (N, C2, H_out, W_out), in the memory format of x.
    """
    out = _like(x, output_shape(x, kernel, stride, padding, dilation))
    for samples in _chunks(x, kernel):
        kernels = (kernel * factor[samples]).to(x.dtype)
        result = torch.conv2d(
            as_groups(x[samples]), kernels.flatten(0, 1), None, stride, padding, dilation, groups * len(kernels)
        )
        out[samples] = result.view(out[samples].shape)
    return out


@chunked_convolution.register_fake
def _(x: Tensor, kernel: Tensor, factor: Tensor, *where: Any) -> Tensor:
    return _like(x, output_shape(x, kernel, *where[:3]))


@torch.library.custom_op("aabench::chunked_convolution_backward", mutates_args=())
def _backward(
    gradient: Tensor,
    x: Tensor,
    kernel: Tensor,
    factor: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, kernel and factor."""
    dx, dfactor = _like(x, x.shape), torch.empty_like(factor)
    # Half precision would lose what many samples add up to.
    dkernel = torch.zeros_like(kernel, dtype=torch.promote_types(kernel.dtype, torch.float32))
    for samples in _chunks(x, kernel):
        work = kernel * factor[samples]
        kernels = work.to(x.dtype)
        dinput, dkernels, _ = torch.ops.aten.convolution_backward(
            as_groups(gradient[samples]),
            as_groups(x[samples]),
            kernels.flatten(0, 1),
            None,
            stride,
            padding,
            dilation,
            False,
            [0, 0],
            groups * len(kernels),
            [True, True, False],
        )
        dx[samples] = dinput.view(x[samples].shape)
        dkernels = dkernels.view(kernels.shape)
        for own, scale in zip(dkernels, factor[samples], strict=True):
            dkernel.addcmul_(own, scale)
        torch.mul(dkernels, kernel, out=work)
        dfactor[samples] = work.sum_to_size(factor[samples].shape)
    return dx, dkernel.to(kernel.dtype), dfactor


@_backward.register_fake
def _(gradient: Tensor, x: Tensor, kernel: Tensor, factor: Tensor, *where: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _like(x, x.shape), torch.empty_like(kernel), torch.empty_like(factor)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.where = inputs[3:]


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(gradient, *ctx.saved_tensors, *ctx.where), *(None for _ in ctx.where))


chunked_convolution.register_autograd(_gradients, setup_context=_save)
OPERATOR = torch.ops.aabench.chunked_convolution
BACKWARD = torch.ops.aabench.chunked_convolution_backward
"""Both as a dispatcher sees them."""


def _chunks(x: Tensor, kernel: Tensor) -> Iterator[slice]:
    """As many samples as have kernels of CHUNK_BYTES together, at least one."""
    together = max(1, CHUNK_BYTES // kernel.nbytes)
    for first in range(0, len(x), together):
        yield slice(first, min(first + together, len(x)))


def as_groups(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (1, N C, H, W): samples as groups of one convolution."""
    return x.flatten(0, 1).unsqueeze(0)


def output_shape(
    x: Tensor, kernel: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    """(N, C2, H_out, W_out) of a convolution.

    Raises:
        ValueError: the kernel is larger than the map.
    """
    sides = [
        (x.shape[2 + axis] + 2 * padding[axis] - dilation[axis] * (kernel.shape[2 + axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    ]
    if min(sides) < 1:
        (height, width), (rows, columns) = kernel.shape[2:], x.shape[2:]
        raise ValueError(
            f"a kernel of {height}x{width} with dilation {tuple(dilation)} is larger than a map of {rows}x{columns} "
            f"with padding {tuple(padding)}: take a larger map, or more padding"
        )
    return (x.shape[0], kernel.shape[0], *sides)


def _like(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Empty, with the data type, device and memory format of x."""
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory_format(x))


def memory_format(x: Tensor) -> torch.memory_format:
    """Channels last where x is, else contiguous."""
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format
