"""Convolution with a kernel for each sample, the same kernel scaled: one interface to four forms with the same values.

- ``grouped`` makes all samples' kernels and runs one convolution with samples as groups, as one would by hand.
- ``chunked`` does so for few samples at a time, see :mod:`aabench.layers.chunked_convolution`.
- ``taps`` makes none: :mod:`aabench.layers.tap_convolution`. The factors are the same for all input channels, and there
  are no groups.
- ``gate`` scales the output of a plain convolution, or its input. The factors are the same for all taps, and for all
  input channels or all output channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aabench.layers.chunked_convolution import as_groups, chunked_convolution, memory_format, output_shape
from aabench.layers.tap_convolution import tap_convolution

Where = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Stride, padding and dilation, each of rows and columns."""
FORMS = ("auto", "grouped", "chunked", "taps", "gate")

KEPT_BYTES = 8 * 2**20
"""Kernels of a whole batch up to which they are made at once, and kept for backward: that is a little faster than to
make them in chunks, and again in backward. ``make bench`` compares on two CPU cores (tests/bench/test_convolution.py).
"""

TAPS_FROM = 4
"""Input channels for each pixel of the output from which the taps are taken, by the same benchmark. Neither was
measured on a GPU yet."""


def weighted_convolution(
    x: Tensor,
    kernel: Tensor,
    factor: Tensor,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    form: str = "auto",
) -> Tensor:
    """``conv2d(x[n], kernel * factor[n])`` for each sample n.

    Args:
        x: (N, C1, H, W).
        kernel: (C2, C1 / groups, h, w).
        factor: (N, C2, C1 / groups, h, w), or 1 in the place of any but N: the same for all along that axis. Kernel and
            factor may be of a wider data type than x, whose own the result has.
        stride: as in ``conv2d``, of rows and columns.
        padding: likewise, with zeros.
        dilation: likewise.
        groups: likewise.
        form: one of FORMS; ``auto`` is what :func:`choose` says.

    Returns:
        (N, C2, H_out, W_out).

    Raises:
        ValueError: an unknown form, or one that these factors or groups do not allow; a kernel larger than the map.
    """
    x = _autocast(x)
    where = (stride, padding, dilation)
    if form == "auto":
        form = choose(kernel, factor, output_shape(x, kernel, *where), groups)
    if form not in FORMS:
        raise ValueError(f"form is one of {', '.join(FORMS)}, not {form!r}")
    _check(form, kernel, factor, groups)
    if form == "grouped":
        return grouped_convolution(x, kernel, factor, where, groups)
    if form == "gate":
        return gated_convolution(x, kernel, factor, where, groups)
    if form == "taps":
        taps: Tensor = tap_convolution(x, kernel, factor, *where)
        return taps
    chunked: Tensor = chunked_convolution(x, kernel, factor, *where, groups)
    return chunked


def choose(kernel: Tensor, factor: Tensor, output: Sequence[int], groups: int) -> str:
    """The form expected to be fastest, with no more than KEPT_BYTES of kernels in memory.

    A fixed rule, not a timing at run time: a resumed training has to take the same form to end bit-identical.

    Args:
        kernel: (C2, C1 / groups, h, w).
        factor: as for :func:`weighted_convolution`.
        output: (N, C2, H_out, W_out).
        groups: of the convolution.
    """
    if _is_gate(factor, groups):
        return "gate"
    if _has_taps(kernel, factor, groups) and kernel.shape[1] >= TAPS_FROM * output[2] * output[3]:
        return "taps"
    return "grouped" if 0 < output[0] * kernel.nbytes <= KEPT_BYTES else "chunked"


def grouped_convolution(x: Tensor, kernel: Tensor, factor: Tensor, where: Where, groups: int) -> Tensor:
    """With the kernels of all samples in memory, and kept for backward."""
    kernels = (kernel * factor).to(x.dtype).flatten(0, 1)
    out = torch.conv2d(as_groups(x), kernels, None, *where, groups * x.shape[0])
    return torch.unflatten(out.squeeze(0), 0, (-1, kernel.shape[0])).contiguous(memory_format=memory_format(x))


def gated_convolution(x: Tensor, kernel: Tensor, factor: Tensor, where: Where, groups: int) -> Tensor:
    """A plain convolution of which the output channels are scaled, or else the input channels."""
    scale, kernel = factor.to(x.dtype).flatten(1)[..., None, None], kernel.to(x.dtype)
    if factor.shape[2] == 1:
        return torch.conv2d(x, kernel, None, *where, groups) * scale
    return torch.conv2d(x * scale, kernel, None, *where, groups)


def _autocast(x: Tensor) -> Tensor:
    """In autocast's data type where that is on, as it would be given to a convolution: of our own operators autocast
    does not know. The kernels follow it once they are scaled.
    """
    device = x.device.type
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return x.to(torch.get_autocast_dtype(device)) if on and x.dtype != torch.float64 else x


def _check(form: str, kernel: Tensor, factor: Tensor, groups: int) -> None:
    if form == "gate" and not _is_gate(factor, groups):
        needs = "one factor an output channel, or without groups an input channel"
    elif form == "taps" and not _has_taps(kernel, factor, groups):
        needs = "factors that are the same for all input channels, and no groups"
    else:
        return
    raise ValueError(f"form {form} takes {needs}; got factors {tuple(factor.shape)} and groups={groups}")


def _is_gate(factor: Tensor, groups: int) -> bool:
    _, outputs, inputs, *taps = factor.shape
    return taps == [1, 1] and (inputs == 1 or (outputs == 1 and groups == 1))


def _has_taps(kernel: Tensor, factor: Tensor, groups: int) -> bool:
    return groups == 1 and factor.shape[1:] == (kernel.shape[0], 1, *kernel.shape[2:])
