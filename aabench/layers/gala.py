"""Global-and-local attention, GALA (Linsley et al., https://arxiv.org/abs/1805.08819), in AA's Table 2.

AA's sheet does not define it. The equation is GALA's own; biases in all four 1x1 convolutions and the initial values
(:meth:`GALA.start`) are ours. GALA's training on human attention maps is no part of the layer, nor of AA's table.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aabench.layers.squeeze_excite import ChannelMLP, hidden_channels


class GALA(nn.Module):
    """Scales each element by ``tanh(a (G + S) + m G S)``, which may also flip its sign.

    G, one value a channel, is Squeeze-and-Excite's before its sigmoid; S, one value a position, comes from two 1x1
    convolutions. ``additive`` is a and ``multiplicative`` is m, one of each a channel.

    Args:
        channels: C.
        reduction: r; the hidden layers of both paths have C / r channels.

    Raises:
        ValueError: reduction out of range.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        self.mlp = ChannelMLP(channels, reduction, device=device, dtype=dtype)
        self.local_reduce = nn.Conv2d(channels, hidden, 1, device=device, dtype=dtype)
        self.local_collapse = nn.Conv2d(hidden, 1, 1, device=device, dtype=dtype)
        self.additive = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        self.multiplicative = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        self.start()

    def start(self) -> None:
        """Start with G = 1 and S = 0 for every image, so that with a = m = 1 the gate is tanh(1), 0.76 (ours).

        From random weights the gate has random signs, and the narrow ResNet-50 misses the bar of its smoke test.
        """
        for conv, bias in ((self.mlp.expand, 1.0), (self.local_collapse, 0.0)):
            nn.init.zeros_(conv.weight)
            assert conv.bias is not None  # made with one
            nn.init.constant_(conv.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        what: Tensor = self.mlp(x.mean((2, 3), keepdim=True))
        where: Tensor = self.local_collapse(self.local_reduce(x).relu())
        a, m = self.additive.view(-1, 1, 1), self.multiplicative.view(-1, 1, 1)
        # a (G + S) + m G S, with what belongs to the channel alone put together first: three passes over the map.
        return x * ((a + m * what) * where + a * what).tanh()
