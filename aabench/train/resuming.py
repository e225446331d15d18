"""Does a training that is interrupted and resumed end like one that is not? Tried on a few steps of a plan."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aabench.data.either import AnyImages
from aabench.train.checkpoint import LAST, read_checkpoint
from aabench.train.engine import train
from aabench.train.interrupt import Interrupted, StopRequest
from aabench.train.plan import Plan
from aabench.train.progress import Silent

STEPS = 6
CUDA_TOLERANCE = 1e-3
"""There, sums have no fixed order: so large a difference counts as equal, relative to the greatest value."""
_COMPARED = ("model", "ema", "ema_updates", "optimizer", "schedule", "rng", "step", "epoch", "last")


@dataclass(frozen=True)
class ResumeOutcome:
    """How the two trainings ended.

    Attributes:
        holds: equal to the last bit on a CPU; within CUDA_TOLERANCE on CUDA.
        steps: of each training.
        interrupted_after: steps before the interruption.
        values: tensors and numbers that were compared.
        differing: the names of those that are not equal to the last bit.
        greatest_difference: among them, relative to the greatest value; inf for what is no number.
    """

    holds: bool
    steps: int
    interrupted_after: int
    values: int
    differing: tuple[str, ...]
    greatest_difference: float


class _StopAfter(Silent):
    """Asks for a stop as a signal would."""

    def __init__(self, step: int) -> None:
        self.step_to_stop = step
        self.request = StopRequest()

    def step(self, step: int, loss: float, accuracy: float | None, images_per_second: float) -> None:
        if step == self.step_to_stop:
            self.request.signum = signal.SIGTERM


def compare_resumed(
    plan: Plan, train_set: AnyImages, test_set: AnyImages, directory: Path, stop: StopRequest
) -> ResumeOutcome:
    """Train STEPS steps of the plan at once, and again in two halves; compare all of the state.

    Args:
        plan: its schedule is squeezed into these steps.
        train_set: of the plan.
        test_set: a batch of it is evaluated at the end of each.
        directory: for the checkpoints.
        stop: of the caller.

    Raises:
        Interrupted: the caller's stop was asked for.
    """
    few = test_set.first(plan.recipe.batch_size)
    # Saved after every step, so that the stop is seen after the step it is asked for on CUDA too.
    plan = plan.model_copy(update={"max_steps": STEPS, "checkpoint_every_steps": 1})
    whole, halves = directory / "whole", directory / "halves"
    train(plan, train_set=train_set, test_set=few, directory=whole, stop=stop)
    half = _StopAfter(STEPS // 2)
    try:
        train(plan, train_set=train_set, test_set=few, directory=halves, progress=half, stop=half.request)
    except Interrupted as interrupted:
        done = interrupted.step
    train(plan, train_set=train_set, test_set=few, directory=halves, resume=True, stop=stop)
    return _compare(read_checkpoint(whole / LAST), read_checkpoint(halves / LAST), done, plan.device)


def _compare(whole: dict[str, Any], halves: dict[str, Any], interrupted_after: int, device: str) -> ResumeOutcome:
    first, second = ({k: v for key in _COMPARED for k, v in _leaves(end[key], key)} for end in (whole, halves))
    names = first.keys() | second.keys()
    differences = {name: _difference(first.get(name), second.get(name)) for name in sorted(names)}
    differing = tuple(name for name, difference in differences.items() if difference is not None)
    greatest = max((value for value in differences.values() if value is not None), default=0.0)
    return ResumeOutcome(
        holds=not differing or (device == "cuda" and greatest <= CUDA_TOLERANCE),
        steps=STEPS,
        interrupted_after=interrupted_after,
        values=len(names),
        differing=differing,
        greatest_difference=greatest,
    )


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The tensors and plain values of nested dicts and lists, by their path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{name}.{index}")
    else:
        yield name, value


def _difference(first: Any, second: Any) -> float | None:
    """None for equal values (to the last bit), else their greatest relative difference."""
    if isinstance(first, Tensor) and isinstance(second, Tensor) and first.shape == second.shape:
        if torch.equal(first, second):
            return None
        distance = (first.double() - second.double()).abs().max()
        return float(distance / first.double().abs().max().clamp(min=1e-30))
    if isinstance(first, Tensor) or isinstance(second, Tensor):
        return math.inf
    if first == second:
        return None
    if isinstance(first, float) and isinstance(second, float):
        return abs(first - second) / max(abs(first), 1e-30)
    return math.inf
