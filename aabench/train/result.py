"""What a training leaves: its curve, and the scores of its best and of its last epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aabench.catalog.schema import Frozen
from aabench.train.objective import AnyScores


class CurvePoint(Frozen):
    """One epoch of a learning curve (or what there was of the last one)."""

    epoch: int
    """From 1."""
    step: int
    """Steps done at its end, from the start of training."""
    lr: float
    """Learning rate of its last step."""
    train_loss: float
    """Mean over its augmented images, label smoothing included, as they were trained on."""
    train_top1: float | None
    """In percent, likewise; None of a detector."""
    top1: float | None = None
    """On the test set, in percent; None for an epoch that was not evaluated, and of a detector."""
    top5: float | None = None
    test_loss: float | None = None
    AP: float | None = None
    """On the test set, in percent; None for an epoch that was not evaluated, and of a classifier."""
    AP50: float | None = None
    seconds: float
    """Of training, without evaluation and checkpoints."""
    images_per_second: float


@dataclass(frozen=True)
class Result:
    """A finished training.

    Attributes:
        curve: one point an epoch.
        best: scores of the evaluated epoch with the most images right, or the greatest AP (the first one of equals).
        best_epoch: which one it was, from 1.
        last: scores of the last epoch.
        steps: optimizer steps, over all runs.
        unreadable: why a training image could not be read, by its name.
        images_per_second: trained images by training time, over all runs.
        seconds: training time, over all runs.
        best_checkpoint: the state after the best epoch.
        last_checkpoint: the state at the end.
    """

    curve: tuple[CurvePoint, ...]
    best: AnyScores
    best_epoch: int
    last: AnyScores
    steps: int
    unreadable: dict[str, str]
    images_per_second: float
    seconds: float
    best_checkpoint: Path
    last_checkpoint: Path
