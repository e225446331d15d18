"""The smoke run: a short real training that must learn, survive a checkpoint, and resume. All of it is ours."""

from __future__ import annotations

import math
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from scipy.stats import binomtest

from aabench.catalog import Recipe, Task
from aabench.catalog.recipe import Smoke
from aabench.data import CocoFiles, ImageSet, load_cifar, load_coco, synthetic_cifar, write_synthetic_coco
from aabench.data.either import AnyImages
from aabench.errors import AABenchError
from aabench.evaluate import DetectionScores, Scores
from aabench.train.engine import train
from aabench.train.interrupt import Interrupted, StopRequest, stop_on_signals
from aabench.train.objective import AnyScores, objective_of
from aabench.train.plan import Plan
from aabench.train.progress import Progress, Silent
from aabench.train.result import CurvePoint, Result
from aabench.train.resuming import compare_resumed
from aabench.train.state import build_model
from aabench.train.weights import load_weights

TEST_IMAGES = 2000
"""The test set is cut to its first so many images."""


@dataclass(frozen=True)
class Check:
    """One thing that a smoke run has to show.

    Attributes:
        name: ``loss_fell``, ``above_chance`` (of a detector ``precise``), ``round_trip`` or ``resume``.
        passed: whether it did.
        detail: in words, with the numbers.
        numbers: the numbers.
    """

    name: str
    passed: bool
    detail: str
    numbers: dict[str, float]


@dataclass(frozen=True)
class SmokeResult:
    """What a smoke run showed.

    Attributes:
        plan: what was trained.
        checks: all of them, passed or not.
        scores: on the (reduced) test set, after the last step.
        curve: the points of :class:`~aabench.train.Result`.
        losses: (step, mean training loss since the one before).
        train_source: what it was trained on.
        test_source: what it was scored on, and how much of it.
        images_per_second: of training.
    """

    plan: Plan
    checks: tuple[Check, ...]
    scores: AnyScores
    curve: tuple[CurvePoint, ...]
    losses: tuple[tuple[int, float], ...]
    train_source: str
    test_source: str
    images_per_second: float

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def smoke_sets(data_root: Path | None) -> tuple[ImageSet, ImageSet]:
    """CIFAR-100's training and test set, or the synthetic ones of 10,000 and 2,000 images without a data root."""
    if data_root is not None:
        return load_cifar("cifar100", data_root, "train"), load_cifar("cifar100", data_root, "test")
    return synthetic_cifar(split="train", images_per_class=100), synthetic_cifar(split="test", images_per_class=20)


DETECTOR_IMAGES = {"train": 200, "val": 50}
"""Of the stand-in for COCO."""


def smoke_images(task: Task, recipe: Recipe, folder: Path) -> tuple[CocoFiles, CocoFiles]:
    """The synthetic stand-in for COCO, written below a folder: what a detector's smoke run trains and is scored on."""
    assert task.framing is not None  # the task was checked for it
    write_synthetic_coco(folder, **DETECTOR_IMAGES)
    size, framing = recipe.smoke.input_size, task.framing
    train_set = load_coco(folder, "train", size=size, framing=framing)
    test_set = load_coco(folder, "test", size=size, framing=framing)
    return _said_to_be_synthetic(train_set), _said_to_be_synthetic(test_set)


def _said_to_be_synthetic(data: CocoFiles) -> CocoFiles:
    return replace(data, source=f"synthetic, {len(data)} images as {data.source}")


def smoke_plan(
    task: Task, recipe: Recipe, *, num_classes: int, seed: int = 0, device: Literal["cpu", "cuda"] = "cpu"
) -> Plan:
    """The task's model, with its smoke arguments, and the recipe cut down to ``recipe.smoke``.

    What stays is the optimizer and its momentum and decay, label smoothing, clipping and precision, and the share of
    warm-up. The schedule is always cosine, the augmentation of a classifier always crop and flip, and averaged weights
    look back over a tenth of the steps at most: with thousands they would still be the initial ones.
    """
    smoke = recipe.smoke
    changes = {
        "name": f"{recipe.name}-smoke",
        "batch_size": smoke.batch_size,
        "lr": smoke.lr,
        "lr_batch": smoke.batch_size,
        "schedule": "cosine",
        "milestones": (),
        "decay_epochs": None,
        "gamma": None,
        "augmentation": recipe.augmentation if task.data == "coco" else "crop-flip",
        "accumulate": math.gcd(recipe.accumulate, smoke.batch_size),
        "ema_decay": recipe.ema_decay and min(recipe.ema_decay, max(1 - 10 / smoke.steps, 0.5)),
    }
    return Plan(
        task=task.name,
        model=task.model,
        arguments={**task.arguments, **task.smoke_arguments},
        input_size=smoke.input_size,
        num_classes=num_classes,
        normalisation=task.normalisation,
        recipe=Recipe.model_validate({**recipe.model_dump(), **changes}),
        seed=seed,
        device=device,
        max_steps=smoke.steps,
        eval_every=smoke.steps,  # more epochs than there are: at the end only
    )


def smoke(
    task: Task,
    recipe: Recipe,
    *,
    train_set: AnyImages,
    test_set: AnyImages,
    directory: Path,
    seed: int = 0,
    device: Literal["cpu", "cuda"] = "cpu",
    progress: Progress | None = None,
) -> SmokeResult:
    """Train for ``recipe.smoke.steps`` steps and check four things.

    - ``loss_fell``: the training loss of the last tenth of the steps is below that of the first tenth;
    - ``above_chance``: top-1 exceeds ``times_chance`` times chance, with its whole 95 % Wilson interval; of a
      detector ``precise``: AP is at least ``least_ap``;
    - ``round_trip``: a fresh model with the checkpoint's weights scores the same, image by image (or finds the same
      objects);
    - ``resume``: a training that is interrupted and resumed ends like one that is not (``compare_resumed``).

    Args:
        task: of the catalog.
        recipe: its recipe.
        train_set: CIFAR-100, or its stand-in; of a detector, COCO's stand-in.
        test_set: likewise; the first TEST_IMAGES are used.
        directory: for the checkpoints, in a folder that is removed at the end.
        seed: of weights and batches.
        device: to train on.
        progress: is told about the training.

    Raises:
        Interrupted: by SIGINT or SIGTERM; nothing is kept.
        AABenchError: whatever ``train`` raises.
    """
    plan = smoke_plan(task, recipe, num_classes=train_set.num_classes, seed=seed, device=device)
    test_set = test_set.first(TEST_IMAGES)
    recorder = _Recorder(progress or Silent())
    directory.mkdir(parents=True, exist_ok=True)
    with stop_on_signals() as stop, tempfile.TemporaryDirectory(prefix="smoke-", dir=directory) as scratch:
        folder = Path(scratch)
        try:
            result = train(
                plan, train_set=train_set, test_set=test_set, directory=folder / "run", progress=recorder, stop=stop
            )
            checks = (
                _loss_fell(recorder.losses, result.steps),
                _learnt(result.last, train_set.num_classes, recipe.smoke),
                _round_trip(plan, result, test_set),
                _resume(plan, train_set, test_set, folder, stop),
            )
        except Interrupted as error:
            raise Interrupted(error.signum, error.step, error.total_steps, None) from error
    return SmokeResult(
        plan=plan,
        checks=checks,
        scores=result.last,
        curve=result.curve,
        losses=tuple(recorder.losses),
        train_source=train_set.source,
        test_source=test_set.source,
        images_per_second=result.images_per_second,
    )


class _Recorder:
    """Keeps the losses, and passes everything on."""

    def __init__(self, progress: Progress) -> None:
        self.losses: list[tuple[int, float]] = []
        self._progress = progress
        self.start, self.evaluating = progress.start, progress.evaluating
        self.epoch, self.finish = progress.epoch, progress.finish

    def step(self, step: int, loss: float, accuracy: float | None, images_per_second: float) -> None:
        self.losses.append((step, loss))
        self._progress.step(step, loss, accuracy, images_per_second)


def _loss_fell(losses: list[tuple[int, float]], steps: int) -> Check:
    tenth = max(steps // 10, losses[0][0])  # the first reading may come after more than a tenth
    first = statistics.fmean(loss for step, loss in losses if step <= tenth)
    last = statistics.fmean(loss for step, loss in losses if step > steps - tenth)
    detail = f"training loss {first:.3f} in the first tenth of {steps} steps, {last:.3f} in the last"
    return Check("loss_fell", last < first, detail, {"first": first, "last": last})


def _learnt(scores: AnyScores, num_classes: int, smoke: Smoke) -> Check:
    if isinstance(scores, Scores):
        if smoke.times_chance is None:
            raise AABenchError("a classifier's recipe needs times_chance in its smoke run, not least_ap")
        return _above_chance(scores, num_classes, smoke.times_chance)
    if smoke.least_ap is None:
        raise AABenchError("a detector's recipe needs least_ap in its smoke run, not times_chance")
    ap = 100 * scores.ap
    detail = f"AP {ap:.2f} % on {scores.images} images; at least {smoke.least_ap:g} % is asked"
    return Check("precise", ap >= smoke.least_ap, detail, {"AP": ap, "threshold": smoke.least_ap})


def _above_chance(scores: Scores, num_classes: int, times_chance: float) -> Check:
    low = 100 * float(binomtest(scores.correct, scores.images).proportion_ci(0.95, method="wilson").low)
    threshold = 100 * times_chance / num_classes
    detail = (
        f"top-1 {scores.top1_percent:.2f} % of {scores.images} images, at least {low:.2f} % (95 %, Wilson); "
        f"{times_chance:g} times chance is {threshold:.2f} %"
    )
    numbers = {"top1": scores.top1_percent, "low": low, "threshold": threshold, "images": scores.images}
    return Check("above_chance", low > threshold, detail, numbers)


def _round_trip(plan: Plan, result: Result, test_set: AnyImages) -> Check:
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if plan.device == "cuda" else []):
        torch.manual_seed(plan.seed + 1)  # nothing of the trained model may be in the fresh one
        fresh = build_model(plan)
    load_weights(fresh, result.last_checkpoint)
    scores, before = objective_of(fresh, plan).evaluate(fresh, test_set), result.last
    if not isinstance(scores, Scores) or not isinstance(before, Scores):
        return _same_detections(scores, before)
    differing = int((scores.correct_mask != before.correct_mask).sum())
    detail = f"{differing} of {scores.images} images scored differently by the reloaded weights, loss {scores.loss:.6g}"
    numbers = {"differing": differing, "loss": scores.loss, "loss_before": before.loss}
    return Check("round_trip", differing == 0 and scores.loss == before.loss, detail, numbers)


def _same_detections(scores: AnyScores, before: AnyScores) -> Check:
    assert isinstance(scores, DetectionScores)
    assert isinstance(before, DetectionScores)
    same = scores.digest == before.digest
    detail = (
        f"the reloaded weights give {scores.results} detections, {'the same' if same else 'not the same'} as before"
    )
    return Check("round_trip", same, detail, {"detections": scores.results, "detections_before": before.results})


def _resume(plan: Plan, train_set: AnyImages, test_set: AnyImages, folder: Path, stop: StopRequest) -> Check:
    outcome = compare_resumed(plan, train_set, test_set, folder, stop)
    numbers = {
        "steps": outcome.steps,
        "interrupted_after": outcome.interrupted_after,
        "differing": len(outcome.differing),
        "values": outcome.values,
        "greatest_difference": outcome.greatest_difference,
    }
    detail = (
        f"interrupted after step {outcome.interrupted_after} of {outcome.steps} and resumed: "
        f"{len(outcome.differing)} of {outcome.values} values of the state differ"
    )
    if outcome.differing:
        detail += f" ({outcome.differing[0]} first), by {outcome.greatest_difference:.2g} of their size at most"
    return Check("resume", outcome.holds, detail, numbers)
