"""What the controller minimises: after a step, and when an older one is replayed."""

from __future__ import annotations

import torch
from torch import Tensor


def online_loss(log_probabilities: Tensor, advantages: Tensor) -> Tensor:
    """REINFORCE: the sum over blocks of the mean over schemes of -log p times advantage.

    Args:
        log_probabilities: of the choices (N, L).
        advantages: of the schemes (N,).
    """
    return -(log_probabilities * advantages.unsqueeze(1)).mean(dim=0).sum()


def replay_loss(log_probabilities: Tensor, probabilities_then: Tensor, advantages: Tensor, *, clip: float) -> Tensor:
    """The negative of the smaller of two surrogates, with the ratio of probabilities as it is, and clipped.

    As in EAN's released code: the ratio is a constant that weighs log p, and the smaller one is taken of the two sums
    over blocks of means over schemes, not choice by choice.

    Args:
        log_probabilities: of the choices, now (N, L).
        probabilities_then: of the choices, when they were made (N, L).
        advantages: of the schemes, now (N,).
        clip: the ratio is kept within 1 +- it.
    """
    ratio = log_probabilities.detach().exp() / probabilities_then

    def surrogate(weights: Tensor) -> Tensor:
        return (weights * log_probabilities * advantages.unsqueeze(1)).sum() / len(advantages)

    return -torch.minimum(surrogate(ratio), surrogate(ratio.clamp(1 - clip, 1 + clip)))
