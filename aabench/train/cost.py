"""What a training will need, measured on a few of its steps before it starts."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Generator
from dataclasses import dataclass

import torch

from aabench.data.batch import reading
from aabench.data.either import AnyBatch, AnyImages
from aabench.train.loop import optimizer_step
from aabench.train.objective import objective_of
from aabench.train.optimizer import make_optimizer
from aabench.train.plan import Plan
from aabench.train.schedule import peak_rate
from aabench.train.state import build_model

CPU_IMAGES = 16
"""Images a measured step on a CPU, where that takes QUICK: more do not make it faster, and 1,024 take minutes."""
QUICK = 0.25
"""Seconds. Below, calling the kernels is a part of it, and more images a step are tried, up to the batch."""
SECONDS = 10.0
"""No further step is measured after so long, once there are LEAST_STEPS."""
LEAST_STEPS, MOST_STEPS = 2, 10


@dataclass(frozen=True)
class Cost:
    """What a training will need.

    Attributes:
        steps: optimizer steps.
        images_per_second: median over the measured steps.
        hours: of the steps; evaluation and checkpoints come on top.
        measured_steps: how many were measured, after one that does not count.
        measured_batch: images in each.
    """

    steps: int
    images_per_second: float
    hours: float
    measured_steps: int
    measured_batch: int


def estimate(plan: Plan, train_set: AnyImages) -> Cost:
    """Measure some steps of a plan on a model of its own, and multiply. torch's generators are left as they were.

    On CUDA the steps hold a micro-batch of the recipe; on a CPU, as many of its images as take QUICK, or CPU_IMAGES.

    Raises:
        AABenchError: the device's memory does not hold a micro-batch.
    """
    micro_batch = min(plan.recipe.batch_size // plan.recipe.accumulate, len(train_set))
    batch = min(micro_batch, CPU_IMAGES) if plan.device == "cpu" else micro_batch
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if plan.device == "cuda" else []):
        while batch < micro_batch and _step_seconds(plan, train_set.first(2 * batch), batch, 1)[0] < QUICK:
            batch = min(4 * batch, micro_batch)
        seconds = _step_seconds(plan, train_set.first(batch * (1 + MOST_STEPS)), batch, MOST_STEPS)
    images_per_second = batch / statistics.median(seconds)
    steps = plan.total_steps(len(train_set))
    return Cost(
        steps=steps,
        images_per_second=images_per_second,
        hours=steps * plan.recipe.batch_size / images_per_second / 3600,
        measured_steps=len(seconds),
        measured_batch=batch,
    )


def _step_seconds(plan: Plan, few: AnyImages, batch_size: int, most: int) -> list[float]:
    """Times of at most so many steps, one after the other, waiting for images included. The first does not count."""
    recipe = plan.recipe.model_copy(update={"accumulate": 1})
    plan = plan.model_copy(update={"recipe": recipe})
    model = build_model(plan)
    objective = objective_of(model, plan)
    optimizer = make_optimizer(model, recipe, peak_rate(recipe))
    seconds: list[float] = []
    with reading(_batches(plan, few.to(plan.device), batch_size)) as batches:
        end = start = math.inf
        while len(seconds) < min(LEAST_STEPS, most) or (len(seconds) < most and start < end):
            parts = objective.micro_batches(next(batches).require_images())
            loss_sum, _ = optimizer_step(model, optimizer, parts, recipe)
            loss_sum.item()  # waits for the device
            now = time.perf_counter()
            if start == math.inf:
                end = now + SECONDS
            else:
                seconds.append(now - start)
            start = now
    return seconds


def _batches(plan: Plan, few: AnyImages, batch_size: int) -> Generator[AnyBatch]:
    """Batches without end, epoch after epoch."""
    for epoch in itertools.count():
        yield from few.epoch(plan.seed, epoch, batch_size, range(len(few) // batch_size))
