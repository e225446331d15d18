"""Running sums of an epoch, kept on the device: reading them waits for it, adding does not."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Totals(NamedTuple):
    """What an epoch amounts to so far."""

    images: int
    loss_sum: float
    correct: float | None
    """None of a detector."""
    seconds: float

    def since(self, before: Totals) -> Totals:
        """What came after ``before``."""
        return Totals(
            self.images - before.images,
            self.loss_sum - before.loss_sum,
            None if self.correct is None or before.correct is None else self.correct - before.correct,
            self.seconds - before.seconds,
        )

    @property
    def loss(self) -> float:
        """Mean over the images."""
        return self.loss_sum / self.images

    @property
    def top1(self) -> float | None:
        """In percent; None of a detector."""
        return None if self.correct is None else 100 * self.correct / self.images

    @property
    def images_per_second(self) -> float:
        """Of training."""
        return self.images / self.seconds


class Meter:
    """Adds up losses and hits over an epoch, and remembers the first step whose loss was not finite.

    Args:
        device: where the sums are kept.
        hits: whether there are hits to add up: a detector has none.
    """

    def __init__(self, device: torch.device | str, *, hits: bool = True) -> None:
        self.hits = hits
        self.images = 0
        self.seconds = 0.0
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._first_bad = torch.full((), -1, dtype=torch.int64, device=device)

    def add(self, step: int, images: int, loss_sum: Tensor, correct: Tensor) -> None:
        """Add a step (its number, from 1): the sum of its losses, and how many it got right."""
        self.images += images
        bad = ~loss_sum.isfinite() & (self._first_bad < 0)
        self._first_bad.masked_fill_(bad, step)
        self._sums += torch.stack([loss_sum.double(), correct.double()])

    def first_bad_step(self) -> int | None:
        """The first step whose loss was not finite. Waits for the device."""
        step = int(self._first_bad)
        return None if step < 0 else step

    def totals(self) -> Totals:
        """The sums so far. Waits for the device."""
        loss_sum, correct = self._sums.tolist()
        return Totals(self.images, loss_sum, correct if self.hits else None, self.seconds)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: plain numbers."""
        return self.totals()._asdict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.images, self.seconds = state["images"], state["seconds"]
        self._sums.copy_(torch.tensor([state["loss_sum"], state["correct"] or 0.0], dtype=torch.float64))

    def reset(self) -> None:
        """Start another epoch."""
        self.images, self.seconds = 0, 0.0
        self._sums.zero_()
