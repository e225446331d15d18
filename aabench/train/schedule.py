"""The learning rate: a pure function of how far training is, in epochs."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import LambdaLR

from aabench.catalog import Recipe


def peak_rate(recipe: Recipe) -> float:
    """The greatest learning rate: the recipe's, scaled linearly from ``lr_batch`` to its batch size."""
    return recipe.lr * recipe.batch_size / recipe.lr_batch


def share_of_peak(recipe: Recipe, epoch: float) -> float:
    """The learning rate as a share of the peak, after ``epoch`` (a fraction) of the recipe's epochs.

    Warm-up rises linearly from 0. Then ``constant`` stays, ``cosine`` falls from the peak to 0 over the epochs that are
    left, and ``step`` has multiplied by gamma at each milestone that is passed, ``exponential`` each time that
    ``decay_epochs`` are over (in steps, not gradually: ours), both counted from the start of training.
    """
    if epoch < recipe.warmup_epochs:
        return epoch / recipe.warmup_epochs
    if recipe.schedule == "constant":
        return 1.0
    if recipe.schedule == "step":
        assert recipe.gamma is not None  # the recipe was checked for it
        passed = sum(milestone <= epoch for milestone in recipe.milestones)
        return float(recipe.gamma**passed)
    if recipe.schedule == "exponential":
        assert recipe.gamma is not None  # likewise
        assert recipe.decay_epochs is not None
        # 7.2 / 2.4 may come out a little below 3.
        return float(recipe.gamma ** math.floor(epoch / recipe.decay_epochs + 1e-9))
    left = recipe.epochs - recipe.warmup_epochs
    return 0.5 * (1 + math.cos(math.pi * (epoch - recipe.warmup_epochs) / left)) if left > 0 else 1.0


def learning_rate(recipe: Recipe, step: int, total_steps: int) -> float:
    """The learning rate of a step (from 0). The recipe's epochs are spread over ``total_steps``, however few."""
    return peak_rate(recipe) * share_of_peak(recipe, step * recipe.epochs / total_steps)


def make_schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, total_steps: int) -> LambdaLR:
    """torch's schedule over an optimizer that was made at the peak rate: call its ``step`` after each step."""
    # A product of integers divided once is exact at milestones; step / total_steps * epochs would miss some.
    return LambdaLR(optimizer, lambda step: share_of_peak(recipe, step * recipe.epochs / total_steps))
