"""The training loop: one optimizer step, and the steps of an epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor, nn

from aabench.catalog import Recipe
from aabench.data.batch import reading
from aabench.data.either import AnyBatch, AnyImages
from aabench.errors import AABenchError
from aabench.models.plugged import PluggedNetwork
from aabench.train.interrupt import StopRequest
from aabench.train.meter import Meter
from aabench.train.objective import MicroBatch
from aabench.train.progress import Progress
from aabench.train.state import TrainingState

REPORT_EVERY = {"cpu": 1, "cuda": 20}
"""Steps between two readings of the loss: each waits for the device, and on a CPU there is nothing to wait for."""


class NonFinite(Exception):
    """The loss of a step (from 1) was not finite."""

    def __init__(self, step: int) -> None:
        self.step = step


def optimizer_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: Sequence[MicroBatch], recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """One step on a batch in micro-batches; batch normalisation sees one of them at a time.

    Args:
        model: in train mode, on the device of the batch.
        optimizer: of its parameters.
        batch: its micro-batches.
        recipe: precision and clipping are taken from it.

    Returns:
        Sum of the losses over the images, and number of images right, on the device.

    Raises:
        AABenchError: the device's memory does not hold a micro-batch; batch normalisation has a single value a channel.
    """
    device, images = next(model.parameters()).device.type, sum(map(len, batch))
    autocast = torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bf16")
    optimizer.zero_grad(set_to_none=True)
    loss_sum, correct = [], []
    for part in batch:
        try:
            with autocast:
                loss, hits = part.loss(model)
            torch.autograd.backward(loss / (images / len(part)))
        except torch.OutOfMemoryError as error:
            raise AABenchError(
                f"the device's memory does not hold a micro-batch of {len(part)} images: split the recipe's batch of "
                f"{recipe.batch_size} into more than {recipe.accumulate} (accumulate)"
            ) from error
        except ValueError as error:  # torch's batch normalisation has no kind of its own
            if not str(error).startswith("Expected more than 1 value per channel"):
                raise
            raise AABenchError(
                f"a micro-batch of {len(part)} image has a map of one cell, which batch normalisation cannot train on: "
                f"take a larger input_size, or more images a micro-batch (batch_size {recipe.batch_size}, accumulate "
                f"{recipe.accumulate})"
            ) from error
        loss_sum.append(loss.detach() * len(part))
        correct.append(hits)
    if recipe.clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    optimizer.step()
    return torch.stack(loss_sum).sum(), torch.stack(correct).sum()


def train_steps(state: TrainingState, train_set: AnyImages, until: int, stop: StopRequest, progress: Progress) -> None:
    """Train from ``state.step`` to step ``until`` of the same epoch, or till a stop is asked for.

    Args:
        state: is changed.
        train_set: on the plan's device.
        until: a step count after ``state.step``.
        stop: looked at after every step.
        progress: is told.

    Raises:
        NonFinite: a loss was not finite. It is looked for every few steps, and before this returns.
        AABenchError: no image of a batch can be read, or a process that decodes them died.
    """
    plan = state.plan
    epoch, done = divmod(state.step, state.steps_per_epoch)
    steps = range(done, done + until - state.step)
    report = _reporter(state.meter, progress)
    state.model.train()
    shown: Generator[AnyBatch] = train_set.epoch(plan.seed, epoch, plan.recipe.batch_size, steps)
    with reading(shown) as batches:
        while state.step < until and stop.signum is None:
            _step(state, next(batches))
            if state.step % REPORT_EVERY[plan.device] == 0:
                report(state.step)
    report(state.step)


def _step(state: TrainingState, batch: AnyBatch) -> None:
    """All that one step changes."""
    parts = state.objective.micro_batches(batch.require_images())
    if isinstance(state.model, PluggedNetwork):
        state.model.reconnect()
    state.unreadable.update((image.name, image.reason) for image in batch.unreadable)
    loss_sum, correct = optimizer_step(state.model, state.optimizer, parts, state.plan.recipe)
    state.schedule.step()
    if state.ema is not None:
        state.ema.update_parameters(state.model)
    state.step += 1
    state.meter.add(state.step, sum(map(len, parts)), loss_sum, correct)


def _reporter(meter: Meter, progress: Progress) -> Callable[[int], None]:
    """Closes an interval, if it holds a step: keeps its time, checks its losses, and tells what came of it."""
    before, start = meter.totals(), time.perf_counter()

    def report(step: int) -> None:
        nonlocal before, start
        if meter.images == before.images:
            return
        bad = meter.first_bad_step()
        now = time.perf_counter()
        meter.seconds += now - start
        if bad is not None:
            raise NonFinite(bad)
        totals = meter.totals()
        interval = totals.since(before)
        assert math.isfinite(interval.loss)  # what the meter's own watch is for
        progress.step(step, interval.loss, totals.top1, interval.images_per_second)
        before, start = totals, now

    return report
