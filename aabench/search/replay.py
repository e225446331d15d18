"""ReplayBuffer: the newest steps, to learn from once more."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Past:
    """A step as it was.

    Attributes:
        schemes: (N, L), ones and zeros.
        rewards: of each scheme, without any bonus.
        probabilities: that the controller gave each choice at the time (N, L).
    """

    schemes: Tensor
    rewards: tuple[float, ...]
    probabilities: Tensor


class ReplayBuffer:
    """The newest steps: the oldest one makes room."""

    def __init__(self, capacity: int) -> None:
        self._steps: deque[Past] = deque(maxlen=capacity)

    def add(self, step: Past) -> None:
        """Remember a step."""
        self._steps.append(step)

    def draw(self, generator: torch.Generator) -> Past:
        """One of them, each as probable as any other."""
        return self._steps[int(torch.randint(len(self._steps), (), generator=generator))]

    def state_dict(self) -> list[dict[str, Any]]:
        """For a checkpoint."""
        return [vars(step) for step in self._steps]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go on from there."""
        self._steps = deque((Past(**step) for step in state), maxlen=self._steps.maxlen)
