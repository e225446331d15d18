"""Attention augmented convolution (Bello et al., Attention Augmented Convolutional Networks, 1904.09925, section 3).

``AAConv(X) = Concat[Conv(X), MHA(X)]``: convolution channels first, attention channels last.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aabench.layers.attention_core import AttentionCore, known_form
from aabench.layers.axial import AxialAttention
from aabench.layers.efficient_attention import EfficientAttention
from aabench.layers.linear_attention import LinearAttention
from aabench.layers.linformer import Linformer
from aabench.layers.mechanism import Mechanism
from aabench.layers.nystromformer import Nystromformer
from aabench.layers.performer import Performer
from aabench.layers.position import CoordConv2d, RelativePosition2d, SinePosition2d
from aabench.layers.window import WindowAttention

POSITIONS = ("relative", "none", "sine2d", "coordconv")
MECHANISMS: Mapping[str, type[Mechanism]] = {
    "exact": AttentionCore,
    "efficient": EfficientAttention,
    "linear": LinearAttention,
    "performer": Performer,
    "linformer": Linformer,
    "nystrom": Nystromformer,
    "axial": AxialAttention,
    "window": WindowAttention,
}
"""Name -> class. A new one is a :class:`Mechanism` in a file of its own, and an entry here."""


class AAConv2d(nn.Module):
    """A convolution some of whose output channels come from self-attention over the whole map.

    Args:
        in_channels: F_in.
        out_channels: F_out, of which dv = floor(upsilon F_out / Nh) Nh are attentional.
        kernel_size: odd; the convolution branch pads to keep the size. With dv = F_out there is no such branch.
        feature_size: (H, W) of the input map; the layer is bound to it, since the relative tables are.
        stride: of both branches; attention works at the output resolution. How its input gets there is
            unspecified: 3x3 average pooling, as for ``pooled``, is ours.
        kappa: dk / F_out.
        upsilon: dv / F_out (the paper's v).
        num_heads: Nh.
        min_key_channels: the least d_k^h, channels a head for queries and keys; 0 for none.
        position: ``relative`` (the paper's default), ``none``, ``sine2d`` or ``coordconv``.
        pooled: attend on a map halved by 3x3 average pooling, stride 2, and upsample bilinearly.
        mechanism: ``exact``, or another one of MECHANISMS. Efficient and linear attention take no relative positions:
            with ``none`` the convolution branch alone tells them.
        mechanism_size: the setting that the mechanism has of its own: Performer's random features, Linformer's k,
            Nystroemformer's landmarks, a window's side. Each class has its default.
        attention: form of the exact mechanism, ``explicit``, ``fused`` or ``auto``; the same values, see
            :mod:`aabench.layers.attention_core`.

    Raises:
        ValueError: an unknown option, an even kernel, ratios that leave no attention channel, ``relative`` positions
            or a size for a mechanism that takes none, or a form for one that is not the exact one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        feature_size: tuple[int, int],
        stride: int = 1,
        kappa: float,
        upsilon: float,
        num_heads: int,
        min_key_channels: int = 20,
        position: str = "relative",
        pooled: bool = False,
        mechanism: str = "exact",
        mechanism_size: int | None = None,
        attention: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if position not in POSITIONS:
            raise ValueError(f"position is one of {', '.join(POSITIONS)}, not {position!r}")
        _check_mechanism(mechanism, position)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd to keep the map's size, got {kernel_size}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.feature_size, self.stride, self.num_heads, self.pooled = feature_size, stride, num_heads, pooled
        self.key_channels, self.value_channels = attention_channels(
            out_channels, kappa, upsilon, num_heads, min_key_channels
        )
        self.out_size = _strided(feature_size, stride)
        self.attention_size = _strided(self.out_size, 2) if pooled else self.out_size

        conv_channels = out_channels - self.value_channels
        self.conv = (
            nn.Conv2d(
                in_channels,
                conv_channels,
                kernel_size,
                stride,
                kernel_size // 2,
                bias=False,
                device=device,
                dtype=dtype,
            )
            if conv_channels
            else None
        )
        self.absolute = _absolute_position(position, in_channels, self.attention_size, device)
        self.qkv = nn.Conv2d(
            in_channels + (3 if position == "coordconv" else 0),
            2 * self.key_channels + self.value_channels,
            kernel_size=1,
            bias=False,
            device=device,
            dtype=dtype,
        )
        head_channels, relative = self.key_channels // num_heads, position == "relative"
        self.core = MECHANISMS[mechanism](
            self.attention_size, head_channels, relative, mechanism_size, device=device, dtype=dtype
        )
        if isinstance(self.core, AttentionCore):
            self.core.attention = known_form(attention)
        elif known_form(attention) != "auto":
            raise ValueError(f"attention={attention!r} is a form of the exact mechanism; leave it out with {mechanism}")
        self.position = (
            RelativePosition2d(head_channels, self.attention_size, device, dtype, window=self.core.scope)
            if relative
            else None
        )
        self.out = nn.Conv2d(self.value_channels, self.value_channels, 1, bias=False, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F_in, H, W) -> (N, F_out, ceil(H / stride), ceil(W / stride))."""
        if tuple(x.shape[-2:]) != tuple(self.feature_size):
            raise ValueError(
                f"this AAConv2d was built for a {_by(self.feature_size)} map and got {_by(x.shape[-2:])}: "
                "its relative position tables belong to one size; build the model for the size that it is used at"
            )
        attended = self.attend(x)
        return attended if self.conv is None else torch.cat([self.conv(x), attended], dim=1)

    def attend(self, x: Tensor) -> Tensor:
        """The attention branch, MHA(X): (N, F_in, H, W) -> (N, dv, H_out, W_out)."""
        for step in (self.stride, 2 if self.pooled else 1):
            if step > 1:
                # Padding does not enter the mean, as in the authors' framework (TensorFlow, "SAME").
                x = F.avg_pool2d(x, 3, step, 1, count_include_pad=False)
        if self.absolute is not None:
            x = self.absolute(x)
        q, k, v = self.qkv(x).split([self.key_channels, self.key_channels, self.value_channels], dim=1)
        batch = x.shape[0]
        q, k, v = (self._split_heads(t, batch) for t in (q, k, v))
        q = q * (self.key_channels // self.num_heads) ** -0.5
        relative = None if self.position is None else self.position(q)
        heads = self.core(q, k, v, relative)
        attended: Tensor = self.out(heads.transpose(2, 3).reshape(batch, self.value_channels, *self.attention_size))
        if self.pooled:
            attended = F.interpolate(attended, self.out_size, mode="bilinear", align_corners=False)
        return attended

    def _split_heads(self, t: Tensor, batch: int) -> Tensor:
        """(N, Nh * d, H, W) -> (N, Nh, H * W, d), head-major."""
        return t.reshape(batch, self.num_heads, -1, prod(self.attention_size)).transpose(2, 3)

    def extra_repr(self) -> str:
        """What cannot be read off the sub-modules."""
        return (
            f"{self.in_channels}, {self.out_channels}, feature_size={self.feature_size}, stride={self.stride}, "
            f"dk={self.key_channels}, dv={self.value_channels}, num_heads={self.num_heads}, pooled={self.pooled}"
        )


def attention_channels(
    out_channels: int, kappa: float, upsilon: float, num_heads: int, min_key_channels: int
) -> tuple[int, int]:
    """(dk, dv) by the rounding that gives every ResNet parameter count of Tables 3 and 6 (sheet, Rounding: derived).

    dk = max(floor(kappa F_out / Nh), min_key_channels) Nh; dv as in :func:`value_channels`.
    """
    values = value_channels(out_channels, upsilon, num_heads)
    key_channels = max(_floor(kappa * out_channels / num_heads), min_key_channels) * num_heads
    if not 0 < values <= out_channels or key_channels <= 0:
        raise ValueError(
            f"kappa={kappa}, upsilon={upsilon} of {out_channels} channels in {num_heads} heads give dk={key_channels}, "
            f"dv={values}: each must be at least {num_heads}, and dv at most {out_channels}"
        )
    return key_channels, values


def value_channels(out_channels: int, upsilon: float, num_heads: int) -> int:
    """dv = floor(upsilon F_out / Nh) Nh, which may be 0.

    Raises:
        ValueError: no head.
    """
    if num_heads < 1:
        raise ValueError(f"num_heads is at least 1, not {num_heads}")
    return _floor(upsilon * out_channels / num_heads) * num_heads


def _floor(x: float) -> int:
    """Floor that takes 2.9999999999 for 3: 0.1 * 480 / 16 must not lose a channel to rounding."""
    return int(x + 1e-9)


def _strided(size: tuple[int, int], stride: int) -> tuple[int, int]:
    return -(-size[0] // stride), -(-size[1] // stride)


def _by(size: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in size)


def _check_mechanism(mechanism: str, position: str) -> None:
    if mechanism not in MECHANISMS:
        raise ValueError(f"mechanism is one of {', '.join(MECHANISMS)}, not {mechanism!r}")
    if position == "relative" and not MECHANISMS[mechanism].takes_relative:
        works = ", ".join(name for name in POSITIONS if name != "relative")
        raise ValueError(f"{mechanism} attention takes no relative positions; position is one of {works}")


def _absolute_position(
    position: str, channels: int, size: tuple[int, int], device: torch.device | str | None
) -> nn.Module | None:
    if position == "sine2d":
        return SinePosition2d(channels, size, device)
    if position == "coordconv":
        return CoordConv2d(size, device)
    return None
