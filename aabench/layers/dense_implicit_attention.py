"""Dense-and-Implicit Attention, DIA (Huang et al., https://arxiv.org/abs/1905.10671), as EAN's sheet defines it.

One cell for all blocks of a stage. Against an LSTM: both maps to the gates are bottlenecks, and the output gate scales
the **sigmoid** of the cell state.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from aabench.layers.squeeze_excite import hidden_channels

State = tuple[Tensor, Tensor]
"""Attention vector h and cell c of the block before, each (N, C)."""


class DenseImplicitAttention(nn.Module):
    """Scales each channel by the hidden state of a recurrent cell that reads the pooled map of block after block.

    Gates i, f, g, o = A_x(s) + A_h(h); c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) sigmoid(c).

    Args:
        channels: C.
        reduction: r; the hidden layers of A_x and of A_h have C / r channels.

    Raises:
        ValueError: reduction out of range.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 4,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        linear = partial(nn.Linear, device=device, dtype=dtype)

        def gates() -> nn.Sequential:
            return nn.Sequential(linear(channels, hidden), nn.ReLU(inplace=True), linear(hidden, 4 * channels))

        self.from_map, self.from_hidden = gates(), gates()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Map (N, C, H, W), and the state that the stage's connected block before left -> the same, of this block.

        Without a state (at the first connected block of a stage) h and c are zero.
        """
        pooled = x.mean((2, 3))
        h, c = (torch.zeros_like(pooled), torch.zeros_like(pooled)) if state is None else state
        i, f, g, o = (self.from_map(pooled) + self.from_hidden(h)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.sigmoid()
        return x * h[:, :, None, None], (h, c)
