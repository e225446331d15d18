"""What a training tells while it runs: a protocol, so that nothing here draws on a terminal."""

from __future__ import annotations

from typing import Protocol

from aabench.train.result import CurvePoint


class Progress(Protocol):
    """Is told how a training goes."""

    def start(self, total_steps: int, done: int) -> None:
        """Training starts, with ``done`` steps behind it if it is resumed."""

    def step(self, step: int, loss: float, accuracy: float | None, images_per_second: float) -> None:
        """So many steps are done.

        Args:
            step: steps done.
            loss: mean over the images since the last call.
            accuracy: top-1 in percent on the (augmented) training images of the epoch so far; None of a
                detector.
            images_per_second: of training, since the last call.
        """

    def evaluating(self, images: int, total: int) -> None:
        """So many images of the test set are done."""

    def epoch(self, point: CurvePoint) -> None:
        """An epoch, or what there was of the last one, is over."""

    def finish(self) -> None:
        """Training ends, whether well or not."""


class Silent:
    """Tells nobody."""

    def start(self, total_steps: int, done: int) -> None:
        """Nothing."""

    def step(self, step: int, loss: float, accuracy: float | None, images_per_second: float) -> None:
        """Nothing."""

    def evaluating(self, images: int, total: int) -> None:
        """Nothing."""

    def epoch(self, point: CurvePoint) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""
