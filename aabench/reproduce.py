"""Measure a task at a level: one row for the log. Draws nothing itself; a :class:`Reporter` is told what goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from aabench.alter import alter
from aabench.catalog import Catalog, Recipe, Task
from aabench.errors import AABenchError, DidNotHold
from aabench.levels import PIPELINES, Level, Reach, Split, image_folder, reachable
from aabench.record import DIVERGED, Measurement, Value, new, status_of

if TYPE_CHECKING:
    from aabench.data import Images
    from aabench.evaluate import Scores
    from aabench.train import Plan, Progress


UNREADABLE_SHOWN = 100
"""A row names so many unreadable images at most; it counts all of them."""


class Reporter(Protocol):
    """Is told what goes on."""

    def training(self, plan: Plan, train_set: Images) -> None:
        """A training by the paper's recipe is about to start, on this set."""

    def progress(self) -> Progress:
        """Who is told how a training goes."""


@dataclass(frozen=True)
class Job:
    """How to measure, whatever the task.

    Attributes:
        catalog: where tasks are defined.
        data_root: the data sets; None without any.
        checkpoint: weights to evaluate; None for the task's own published ones.
        seed: of weights, order and augmentation.
        changes: ``KEY=VALUE``, see :mod:`aabench.alter`.
        resume: go on with a training that was stopped: ``always`` (there has to be one), or ``where-begun``.
        channels_last: memory format of trainings.
        device: ``cpu`` or ``cuda``.
        directory: where trainings keep their checkpoints, a folder each.
        reporter: is told what goes on.
    """

    catalog: Catalog
    data_root: Path | None
    checkpoint: Path | None
    seed: int
    changes: tuple[str, ...]
    resume: Literal["never", "always", "where-begun"]
    channels_last: bool
    device: Literal["cpu", "cuda"]
    directory: Path
    reporter: Reporter


class Outcome(NamedTuple):
    """The row of a measurement, and the error if it did not end well."""

    row: Measurement
    error: AABenchError | KeyboardInterrupt | None


def fetch(task: Task, data_root: Path | None) -> None:
    """Download what is missing of a task's data set and of its weights into the data root: CIFAR, and torchvision's.

    Raises:
        AABenchError: no data root to put it in, nothing of the task that can be downloaded, or the download failed.
    """
    from aabench.data import load_cifar
    from aabench.train import fetch_weights

    if data_root is None:
        raise AABenchError("--download needs a folder to put the data in: give --data DIR")
    if task.torchvision_weights is not None and task.checkpoint is not None:
        fetch_weights(task.torchvision_weights, data_root / task.checkpoint)
    elif task.data not in ("cifar10", "cifar100"):
        raise AABenchError(f"{task.name}: {task.data} cannot be downloaded by aabench; give --data DIR that holds it")
    if task.data in ("cifar10", "cifar100"):
        for split in ("train", "test"):
            load_cifar(task.data, data_root, split, download=True)


def attempt(job: Job, name: str, level: Level) -> Outcome:
    """Measure a task at a level. A run that fails, is blocked or interrupted gives a row too."""
    task, recipe, altered = alter(*_defined(job, name), job.changes)
    run = _Run(job, task, recipe)
    common: dict[str, Any] = {
        "task": name,
        "level": level,
        "seed": job.seed if level in ("smoke", "train") else None,
        "altered": altered,
    }
    try:
        reach_of(job, task).require(level)
        found = _MEASURES[level](run)
    except (AABenchError, KeyboardInterrupt) as error:
        message = str(error) or "interrupted from the keyboard"
        common |= {"settings": run.settings, "detail": _divergence(error), "error": message}
        return Outcome(new(**common, status=status_of(error)), error)
    common["altered"] = {**altered, **found.altered}
    if found.error is not None:
        return Outcome(new(**common, status="failed", **found.row(), error=found.error), DidNotHold(found.error))
    return Outcome(new(**common, **found.row()), None)


def _divergence(error: BaseException) -> dict[str, Any]:
    """What the row of a training that diverged tells of it: a result of its own, not a failure to measure."""
    from aabench.train import Diverged

    return {DIVERGED: error.step} if isinstance(error, Diverged) else {}


def reach_of(job: Job, task: Task) -> Reach:
    """Which levels are within reach for a task."""
    return reachable(task, data_root=job.data_root, device=job.device, checkpoint=job.checkpoint)


def _defined(job: Job, name: str) -> tuple[Task, Recipe | None]:
    task = job.catalog.task(name)
    return task, job.catalog.recipe_of(task)


class _Found(NamedTuple):
    """What a level adds to its row."""

    settings: dict[str, Any]
    values: tuple[Value, ...]
    detail: dict[str, Any]
    error: str | None = None
    """What the run had to show and did not."""
    altered: dict[str, str] = {}  # noqa: RUF012 (never changed)
    """What of the data set, or of the weights, is not as the task defines it."""

    def row(self) -> dict[str, Any]:
        """The fields of the row."""
        return {"settings": self.settings, "values": self.values, "detail": self.detail}


class _Run(NamedTuple):
    """A task, altered as asked, to be measured."""

    job: Job
    task: Task
    recipe: Recipe | None

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the task's model."""
        return {
            "model": self.task.model,
            "arguments": dict(self.task.arguments),
            "input_size": self.task.input_size,
            "num_classes": self.task.num_classes,
        }

    def required_recipe(self) -> Recipe:
        if self.recipe is None:
            raise AABenchError(f"{self.task.name} has no recipe: it is only evaluated")
        return self.recipe


def _structure(run: _Run) -> _Found:
    from aabench.profile import measure_structure

    row = measure_structure(run.task)
    return _Found(row.settings, row.values, row.detail)


def _smoke(run: _Run) -> _Found:
    from aabench.train import smoke, smoke_plan, smoke_sets

    job, recipe = run.job, run.required_recipe()
    train_set, test_set = smoke_sets(job.data_root if reach_of(job, run.task).real_smoke else None)
    tuned = tune_allocator(smoke_plan(run.task, recipe, num_classes=train_set.num_classes, device=job.device))
    result = smoke(
        run.task,
        recipe,
        train_set=train_set,
        test_set=test_set,
        directory=job.directory,
        seed=job.seed,
        device=job.device,
        progress=job.reporter.progress(),
    )
    detail = {
        "checks": {check.name: {"ok": check.passed, "text": check.detail} for check in result.checks},
        "losses": [list(point) for point in result.losses],
        "correct_mask": _packed(result.scores),
        "allocator": tuned,
    }
    values = (*_score_values(result.scores, "last"), _speed(result.images_per_second))
    settings = {**_plan_settings(result.plan), "train_set": result.train_source, "test_set": result.test_source}
    failed = [f"{check.name}: {check.detail}" for check in result.checks if not check.passed]
    error = f"{run.task.name} did not pass its smoke run: {'; '.join(failed)}" if failed else None
    return _Found(settings, values, detail, error)


def _eval(run: _Run) -> _Found:
    from aabench.data import Transform
    from aabench.evaluate import evaluate
    from aabench.models import create_model
    from aabench.train import check_published, load_weights

    job, task = run.job, run.task
    if job.data_root is None:
        raise AABenchError(f"{task.name}: no test set of {task.data} to evaluate on")
    weights = job.checkpoint or job.data_root / (task.checkpoint or "")
    test_set = _load(task, job.data_root, "test")
    size = (task.input_size, task.input_size)
    arguments: dict[str, Any] = dict(task.arguments)
    model = create_model(task.model, input_size=size, num_classes=task.num_classes, **arguments)
    if job.checkpoint is None and task.torchvision_weights is not None:
        check_published(task.torchvision_weights, weights)
    entry = load_weights(model, weights)
    scores = evaluate(
        model.to(job.device),
        test_set,
        transform=Transform(task.normalisation, size),
        device=job.device,
    )
    origin = str(job.checkpoint) if job.checkpoint else task.checkpoint
    settings = {**run.settings, "checkpoint": origin, "weights": entry, "test_set": test_set.source}
    detail = {"correct_mask": _packed(scores), "unreadable": {"test": _unreadable(scores.unreadable)}}
    altered = {**_partial(task, test=test_set), **_foreign(weights)}
    return _Found(settings, _score_values(scores, None), detail, altered=altered)


def _foreign(weights: Path) -> dict[str, str]:
    """What torchvision trained is no run of the task's recipe, whatever the file is called."""
    from aabench.train import published_name

    name = published_name(weights)
    return {} if name is None else {"weights": f"torchvision's {name}"}


def _load(task: Task, data_root: Path, split: Split) -> Images:
    from aabench.data import load_cifar, load_imagenet

    if task.data in ("cifar10", "cifar100"):
        return load_cifar(task.data, data_root, split)
    if task.data not in PIPELINES:
        raise AABenchError(f"{task.name}: there is no {task.data} pipeline in this version")
    folder = image_folder(task.data, split, data_root)
    name: Literal["train", "val"] = "train" if split == "train" else "val"
    return load_imagenet(folder, name, size=task.input_size, shorter_side=task.shorter_side)


def _partial(task: Task, **sets: Images) -> dict[str, str]:
    """ImageNet's splits with another number of images than they have: what is measured on them is not judged."""
    from aabench.data.imagenet import IMAGES

    if task.data != "imagenet":
        return {}
    whole = {"train": IMAGES["train"], "test": IMAGES["val"]}
    return {
        f"{name}_set": f"{len(data):,} of {whole[name]:,} images"
        for name, data in sets.items()
        if len(data) != whole[name]
    }


def _unreadable(images: dict[str, str]) -> dict[str, Any]:
    """How many images could not be read, and the first of them with the reasons."""
    return {"count": len(images), "images": dict(sorted(images.items())[:UNREADABLE_SHOWN])}


def _train(run: _Run) -> _Found:
    from aabench.train import train

    job, task = run.job, run.task
    if job.data_root is None:
        raise AABenchError(f"{task.name}: no {task.data} to train on")
    plan = _plan(run)
    train_set, test_set = _load(task, job.data_root, "train"), _load(task, job.data_root, "test")
    plan.check(train_set, test_set)
    tuned = tune_allocator(plan)
    job.reporter.training(plan, train_set)
    result = train(
        plan,
        train_set=train_set,
        test_set=test_set,
        directory=training_folder(job, plan),
        resume=_resumes(job, training_folder(job, plan)),
        progress=job.reporter.progress(),
    )
    values = (
        *_score_values(result.last, "last"),
        *_score_values(result.best, "best"),
        Value(metric="train_loss", value=result.curve[-1].train_loss, unit="nats", convention="last"),
        _speed(result.images_per_second),
        Value(metric="steps", value=result.steps, unit="steps"),
        Value(metric="train_seconds", value=result.seconds, unit="s"),
    )
    detail = {
        "curve": [point.model_dump() for point in result.curve],
        "best_epoch": result.best_epoch,
        "allocator": tuned,
        "correct_mask": _packed(result.last),
        "unreadable": {"train": _unreadable(result.unreadable), "test": _unreadable(result.last.unreadable)},
    }
    settings = {**_plan_settings(plan), "train_set": train_set.source, "test_set": test_set.source}
    return _Found(settings, values, detail, altered=_partial(task, train=train_set, test=test_set))


def training_plan(job: Job, name: str) -> Plan:
    """What a training of a task by its recipe is, altered as asked."""
    task, recipe, _ = alter(*_defined(job, name), job.changes)
    return _plan(_Run(job, task, recipe))


def _plan(run: _Run) -> Plan:
    from aabench.train import Plan

    job, task = run.job, run.task
    return Plan(
        task=task.name,
        model=task.model,
        arguments=task.arguments,
        input_size=task.input_size,
        num_classes=task.num_classes,
        normalisation=task.normalisation,
        recipe=run.required_recipe(),
        seed=job.seed,
        device=job.device,
        channels_last=job.channels_last,
        checkpoint_every_steps=500,
    )


def _resumes(job: Job, folder: Path) -> bool:
    from aabench.train import LAST

    return job.resume == "always" or (job.resume == "where-begun" and (folder / LAST).exists())


_MEASURES: dict[Level, Callable[[_Run], _Found]] = {
    "structure": _structure,
    "smoke": _smoke,
    "eval": _eval,
    "train": _train,
}


def tune_allocator(plan: Plan) -> str:
    """On a CPU, keep freed memory for the rest of the process where that is safe: large temporaries are not paged in
    anew each step. What was done, for the row.
    """
    from aabench import allocator
    from aabench.models import create_model
    from aabench.profile import Way
    from aabench.profile.predict import predict

    if plan.device != "cpu":
        return "torch's CUDA allocator"
    arguments: dict[str, Any] = dict(plan.arguments)
    model = create_model(
        plan.model, input_size=plan.input_size, num_classes=plan.num_classes, device="meta", **arguments
    )
    recipe = plan.recipe
    way = Way("train", recipe.batch_size // recipe.accumulate, recipe.precision, channels_last=plan.channels_last)
    if allocator.warm_is_safe(predict(model, plan.input_size, plan.num_classes, way).peak):
        return allocator.warm()
    return "as the environment has it"


def training_folder(job: Job, plan: Plan) -> Path:
    """A folder for each task and seed; another one for each way in which the task was altered."""
    folder = f"{plan.task}-seed{plan.seed}"
    if job.changes:
        content = json.dumps(plan.model_dump(mode="json", exclude={"device"}), sort_keys=True)
        folder += f"-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    return job.directory / folder


def _plan_settings(plan: Plan) -> dict[str, Any]:
    settings = plan.model_dump(mode="json", exclude={"task", "seed", "recipe"}, exclude_none=True)
    return {**settings, "recipe": plan.recipe.settings()}


def _score_values(scores: Scores, convention: str | None) -> tuple[Value, ...]:
    return (
        Value(metric="top1", value=scores.top1_percent, unit="%", convention=convention),
        Value(metric="top5", value=scores.top5_percent, unit="%", convention=convention),
        Value(metric="correct", value=scores.correct, unit="images", convention=convention),
        Value(metric="correct5", value=scores.correct5, unit="images", convention=convention),
        Value(metric="images", value=scores.images, unit="images", convention=convention),
        Value(metric="loss", value=scores.loss, unit="nats", convention=convention),
    )


def _speed(images_per_second: float) -> Value:
    return Value(metric="images_per_second", value=images_per_second, unit="images/s", convention="training")


def _packed(scores: Scores) -> str:
    from aabench.evaluate import pack_mask

    return pack_mask(scores.correct_mask)
