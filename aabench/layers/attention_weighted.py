"""AW-convolution (An Attention Module for Convolutional Neural Networks): attention in the shape of the weights.

``Conv(I (x) A, K) = Conv(I, A (x) K)``: instead of the map, the kernel is attended, by a map A of its own shape
C2 x C1 x h x w for each sample. Two functions: F1 makes A of the input, F2 joins A and K into the kernel A_K that is
convolved with. The paper's body is not at hand. What the sheet (awconv.md, section 2) does not know is an option here,
and its default is ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aabench.layers.squeeze_excite import hidden_channels
from aabench.layers.weighted_convolution import FORMS, weighted_convolution

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
EXPANSIONS = ("input", "output", "none")
GATES: Mapping[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "none": lambda a: a}


class KernelAttention(nn.Module):
    """F1: average pooling to the kernel's size (A0), pointwise convolution, ReLU, pointwise convolution, gate.

    Args:
        channels: C1, of the input.
        maps: channels of A before it is expanded.
        kernel_size: (h, w).
        reduction: r; C1 / r channels between the two convolutions.
        gate: one of GATES.
        norm: batch normalisation between the first convolution and ReLU.
        bias: of both convolutions.

    Raises:
        ValueError: reduction out of range, an unknown gate.
    """

    def __init__(
        self,
        channels: int,
        maps: int,
        kernel_size: tuple[int, int],
        *,
        reduction: int,
        gate: str,
        norm: bool,
        bias: bool,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if gate not in GATES:
            raise ValueError(f"gate is one of {', '.join(GATES)}, not {gate!r}")
        hidden = hidden_channels(channels, reduction)
        self.kernel_size, self.gate = kernel_size, gate
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=bias, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(hidden, device=device, dtype=dtype) if norm else nn.Identity()
        self.expand = nn.Conv2d(hidden, maps, 1, bias=bias, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C1, H, W) -> (N, maps, h, w)."""
        pooled = F.adaptive_avg_pool2d(x, self.kernel_size)
        return GATES[self.gate](self.expand(self.norm(self.reduce(pooled)).relu()))

    def extra_repr(self) -> str:
        """What cannot be read off the sub-modules."""
        return f"kernel_size={self.kernel_size}, gate={self.gate!r}"


class AWConv2d(nn.Conv2d):
    """A convolution whose kernel is attended, for each sample anew. It is a Conv2d otherwise, for batches.

    Args:
        in_channels: C1.
        out_channels: C2.
        kernel_size: h and w.
        stride: as in Conv2d.
        padding: likewise.
        dilation: likewise.
        groups: likewise; the kernel is C2 x C1 / groups x h x w.
        bias: of the convolution itself; added after the attention.
        padding_mode: as in Conv2d.
        reduction: r of :class:`KernelAttention`.
        expansion: the axis of the kernel over which A is the same. ``input``: A has C2 maps, one an output channel;
            ``output``: C1 maps, one an input channel; ``none``: all C2 C1 / groups.
        gate: ``sigmoid``, ``tanh`` or ``none``.
        residual: F2: A_K = K + A (x) K; else A_K = A (x) K.
        branch_norm: batch normalisation in F1.
        branch_bias: biases in F1.
        form: how it is computed, see :mod:`aabench.layers.weighted_convolution`; the same values.

    Raises:
        ValueError: an unknown option, a reduction larger than C1, expansion over the outputs with groups.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        reduction: int = 16,
        expansion: str = "input",
        gate: str = "sigmoid",
        residual: bool = True,
        branch_norm: bool = False,
        branch_bias: bool = False,
        form: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device=device,
            dtype=dtype,
        )
        if form not in FORMS:
            raise ValueError(f"form is one of {', '.join(FORMS)}, not {form!r}")
        self.form = form
        self.settings: dict[str, Any] = {
            "reduction": reduction,
            "expansion": expansion,
            "gate": gate,
            "residual": residual,
            "branch_norm": branch_norm,
            "branch_bias": branch_bias,
        }
        """What the weights are made for. A state dict holds them too: not all of them show in a weight's shape."""
        height, width = self.kernel_size
        self.attention = KernelAttention(
            in_channels,
            _maps(expansion, in_channels, out_channels, groups),
            (height, width),
            reduction=reduction,
            gate=gate,
            norm=branch_norm,
            bias=branch_bias,
            device=device,
            dtype=dtype,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C1, H, W) -> (N, C2, H_out, W_out), as Conv2d."""
        factor = self.attention_map(x)
        if self.settings["residual"]:
            factor = 1 + factor.to(torch.promote_types(factor.dtype, torch.float32))  # half would round off a small A
        padding = self.padding
        if isinstance(padding, str) or self.padding_mode != "zeros":
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x, padding = F.pad(x, self._reversed_padding_repeated_twice, mode), (0, 0)
        out = weighted_convolution(
            x, self.weight, factor, self.stride, padding, self.dilation, self.groups, form=self.form
        )
        return out if self.bias is None else out + self.bias.to(out.dtype)[:, None, None]

    def attention_map(self, x: Tensor) -> Tensor:
        """A: (N, C1, H, W) -> (N, C2, C1 / groups, h, w), with 1 in the place of the axis that it is the same over."""
        maps: Tensor = self.attention(x)
        outputs = 1 if self.settings["expansion"] == "output" else self.out_channels
        inputs = 1 if self.settings["expansion"] == "input" else self.in_channels // self.groups
        return torch.unflatten(maps, 1, (outputs, inputs))

    def get_extra_state(self) -> Tensor:
        """The settings, as the bytes of a JSON text: a state dict of tensors alone stays one."""
        return torch.tensor(list(json.dumps(self.settings).encode()), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Check that weights were made for these settings. torch calls it when it has copied them already.

        Raises:
            ValueError: they were made for others, it names them; or the state holds no settings.
        """
        if differing := self.differing(state):
            named = ", ".join(f"{name} {theirs} instead of {own}" for name, (theirs, own) in differing.items())
            raise ValueError(f"these weights of an AWConv2d are for other settings: {named}")

    def differing(self, state: Tensor) -> dict[str, tuple[Any, Any]]:
        """The settings in which an extra state differs: name -> (theirs, own).

        Raises:
            ValueError: the state holds no settings.
        """
        theirs = self.settings_in(state)
        return {name: (theirs[name], own) for name, own in self.settings.items() if theirs[name] != own}

    def settings_in(self, state: Tensor) -> dict[str, Any]:
        """The settings that an extra state holds.

        Raises:
            ValueError: it holds none.
        """
        try:
            theirs = json.loads(bytes(state.flatten().tolist()))
        except (TypeError, ValueError, RecursionError) as error:  # no bytes, no text, or no JSON
            raise ValueError("the extra state is no JSON text of an AWConv2d's settings") from error
        if not isinstance(theirs, dict) or _kinds(theirs) != _kinds(self.settings):
            raise ValueError(f"the extra state is not of an AWConv2d's settings ({', '.join(self.settings)})")
        return theirs

    def extra_repr(self) -> str:
        """Conv2d's, and the settings."""
        convolution: Any = super()  # its text has no type
        return ", ".join([convolution.extra_repr(), *(f"{name}={value}" for name, value in self.settings.items())])


def _kinds(settings: Mapping[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in settings.items()}


def _maps(expansion: str, in_channels: int, out_channels: int, groups: int) -> int:
    if expansion not in EXPANSIONS:
        raise ValueError(f"expansion is one of {', '.join(EXPANSIONS)}, not {expansion!r}")
    if expansion == "output" and groups > 1:
        raise ValueError(
            f"expansion output gives one map for each of {in_channels} input channels, and with groups={groups} a "
            f"kernel has {in_channels // groups}: choose expansion input or none"
        )
    return {"input": out_channels, "output": in_channels, "none": out_channels * in_channels // groups}[expansion]
