"""What every attention mechanism of :class:`~aabench.layers.AAConv2d` is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

Logits = tuple[Tensor, Tensor]
"""Relative logits by key row (B, Nh, n, H) and by key column (B, Nh, n, W)."""


class Mechanism(nn.Module, ABC):
    """Attended values from queries, keys, values and relative logits, on a map of one size.

    Args:
        feature_size: (H, W) of the attention map, n = H W.
        key_channels: d, channels of one head's queries and keys.
        relative: whether relative logits will come with them.
        size: the mechanism's own setting, named in its docstring; its ``default_size`` if not given.

    Raises:
        ValueError: relative positions or a size for a mechanism that takes none, or a size below 1.
    """

    takes_relative: ClassVar[bool] = True
    default_size: ClassVar[int] = 0
    """0 where the mechanism has no setting of its own."""

    def __init__(
        self,
        feature_size: tuple[int, int],
        key_channels: int,
        relative: bool = False,
        size: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if relative and not self.takes_relative:
            raise ValueError(f"{name} takes no relative positions")
        if size is not None and not self.default_size:
            raise ValueError(f"{name} has no size of its own, and {size} was given")
        if size is not None and size < 1:
            raise ValueError(f"the size of {name} is at least 1, not {size}")
        self.feature_size = feature_size
        self.size = self.default_size if size is None else size
        self.build(key_channels, relative, device=device, dtype=dtype)

    def build(self, key_channels: int, relative: bool, **factory: Any) -> None:
        """Make the mechanism's own parameters and buffers, with the factory's device and dtype; none by default."""
        return

    @property
    def scope(self) -> tuple[int, int]:
        """(rows, columns) of the keys that one query meets, which the relative tables span."""
        return self.feature_size

    @abstractmethod
    def forward(self, q: Tensor, k: Tensor, v: Tensor, relative: Logits | None = None) -> Tensor:
        """q scaled by d^-1/2, k (B, Nh, n, d), v (B, Nh, n, e) and relative logits -> (B, Nh, n, e).

        The logits are by key row (B, Nh, n, rows) and by key column (B, Nh, n, columns) of the scope.
        """

    def extra_repr(self) -> str:
        """The map size and the mechanism's own."""
        return f"feature_size={self.feature_size}" + (f", size={self.size}" if self.size else "")
