"""The reward of a scheme: its accuracy, and its sparsity."""

from __future__ import annotations

from collections.abc import Sequence


def sparsity(flags: Sequence[bool]) -> float:
    """Share of blocks that are not connected."""
    return 1 - sum(flags) / len(flags)


def reward(accuracy: float, flags: Sequence[bool], *, sparsity_weight: float, offset: float) -> float:
    """Accuracy in percent, plus the weighted sparsity, less the offset (EAN's released code).

    Args:
        accuracy: in percent.
        flags: the scheme.
        sparsity_weight: in percent, for a scheme without connections.
        offset: in percent.
    """
    return accuracy + sparsity_weight * sparsity(flags) - offset
