"""Curiosity: schemes are worth more while they are new (random network distillation)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

_UNITS, _OUTPUTS_PER_BLOCK = 32, 4  # EAN's released code


class Curiosity:
    """A predictor that learns what a fixed random network says of schemes: where it errs, a scheme is new.

    Source: EAN's released code. Target: Linear(L, 32), ReLU, Linear(32, 32), ReLU, Linear(32, 4 L); predictor:
    Linear(L, 32), ReLU, Linear(32, 4 L). Their weights are drawn from torch's global generator.

    Args:
        blocks: L.
        weight: of the bonus.
        share: ``summed``: each scheme of a step gets the bonus of all; ``own``: its own.
        lr: of the predictor's Adam.
    """

    def __init__(self, blocks: int, *, weight: float, share: Literal["summed", "own"], lr: float) -> None:
        outputs = _OUTPUTS_PER_BLOCK * blocks
        self.weight, self.share = weight, share
        self.target = nn.Sequential(
            *(nn.Linear(blocks, _UNITS), nn.ReLU()),
            *(nn.Linear(_UNITS, _UNITS), nn.ReLU()),
            nn.Linear(_UNITS, outputs),
        ).requires_grad_(False)
        self.predictor = nn.Sequential(nn.Linear(blocks, _UNITS), nn.ReLU(), nn.Linear(_UNITS, outputs))
        self.optimizer = torch.optim.Adam(self.predictor.parameters(), lr=lr)

    def bonuses(self, schemes: Tensor) -> list[float]:
        """The bonus of each scheme of a step (N, L), after which the predictor learns them."""
        errors = (self.target(schemes) - self.predictor(schemes)).square().sum(dim=1)
        self.optimizer.zero_grad()
        torch.autograd.backward(errors.sum())
        self.optimizer.step()
        found: list[float] = shared(errors.detach(), self.share).mul(self.weight).tolist()
        return found

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "target": self.target.state_dict(),
            "predictor": self.predictor.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.target.load_state_dict(state["target"])
        self.predictor.load_state_dict(state["predictor"])
        self.optimizer.load_state_dict(state["optimizer"])


def shared(errors: Tensor, share: Literal["summed", "own"]) -> Tensor:
    """What each scheme of a step gets of the predictor's errors (N,): their sum, or its own."""
    return errors.sum().expand(len(errors)) if share == "summed" else errors
