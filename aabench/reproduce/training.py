"""Level train: the recipe on the real training set."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aabench.catalog import Recipe, Task
from aabench.errors import AABenchError, listing
from aabench.record import Value
from aabench.reproduce.allocation import tune_allocator
from aabench.reproduce.job import Found, Job, Run
from aabench.reproduce.sets import load, partial
from aabench.reproduce.values import annotation_faults, plan_settings, predictions, score_values, speed, unreadable

if TYPE_CHECKING:
    from aabench.train import Plan
    from aabench.train.plan import BackboneWeights


def train_level(run: Run) -> Found:
    """Train by the recipe, or go on with a training; checkpoints stay in the job's directory."""
    from aabench.train import train

    job, task = run.job, run.task
    if job.data_root is None:
        raise AABenchError(f"{task.name}: no {task.data} to train on")
    plan = make_plan(job, task, run.required_recipe())
    train_set, test_set = load(task, job.data_root, "train"), load(task, job.data_root, "test")
    plan.check(train_set, test_set)
    # Before the training: the backbone's file need not be there after it.
    altered = {**partial(task, train=train_set, test=test_set), **_other_backbone(job, task)}
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
        *score_values(result.last, "last"),
        *score_values(result.best, "best"),
        Value(metric="train_loss", value=result.curve[-1].train_loss, unit="nats", convention="last"),
        speed(result.images_per_second),
        Value(metric="steps", value=result.steps, unit="steps"),
        Value(metric="train_seconds", value=result.seconds, unit="s"),
    )
    detail = {
        "curve": [point.model_dump() for point in result.curve],
        "best_epoch": result.best_epoch,
        "allocator": tuned,
        **predictions(result.last),
        "unreadable": {"train": unreadable(result.unreadable), "test": unreadable(result.last.unreadable)},
        **annotation_faults(train=train_set, test=test_set),
    }
    settings = {**plan_settings(plan), "train_set": train_set.source, "test_set": test_set.source}
    return Found(settings, values, detail, altered=altered)


def training_plan(job: Job, name: str) -> Plan:
    """What a training of a task by its recipe is, altered as asked."""
    run = job.run(name)
    return make_plan(job, run.task, run.required_recipe())


def make_plan(job: Job, task: Task, recipe: Recipe) -> Plan:
    """What a training of a task, as it is, by a recipe is."""
    from aabench.train import Plan

    return Plan(
        task=task.name,
        model=task.model,
        arguments=task.arguments,
        input_size=task.input_size,
        num_classes=task.num_classes,
        normalisation=task.normalisation,
        recipe=recipe,
        backbone=_backbone(job),
        seed=job.seed,
        device=job.device,
        channels_last=job.channels_last,
        eval_every=job.eval_every,
        checkpoint_every_steps=500,
    )


def _backbone(job: Job) -> BackboneWeights | None:
    """The file that ``--backbone`` names, and its digest.

    Raises:
        AABenchError: it cannot be read.
    """
    from aabench.train.plan import BackboneWeights

    if not isinstance(job.backbone, Path):
        return None
    try:
        with job.backbone.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AABenchError(
            f"cannot read the backbone's weights {job.backbone} ({error.strerror}); give a classifier's checkpoint"
        ) from error
    return BackboneWeights(file=str(job.backbone), sha256=digest)


def _other_backbone(job: Job, task: Task) -> dict[str, str]:
    """Where the backbone does not start as the task says: from its own task's classifier, trained as the catalog has
    it, on the whole data set, to the end.
    """
    from aabench.train.checkpoint import read_tensors

    if not isinstance(job.backbone, Path):
        return {} if task.backbone is None else {"backbone": f"started anew, not from {task.backbone}"}
    content = read_tensors(job.backbone)
    settings = content.get("settings", {}) if isinstance(content, dict) else {}
    trained: str | None = settings.get("task")
    if trained is None or trained != task.backbone:
        return {"backbone": f"weights of {trained or 'unknown origin'}, not {task.backbone or 'started anew'}"}
    differing = _other_training(job, task.backbone, content)
    return {"backbone": f"weights of {trained}, trained otherwise ({listing(differing)})"} if differing else {}


def _other_training(job: Job, name: str, content: dict[str, Any]) -> list[str]:
    """How a checkpoint of a task was trained otherwise than the catalog has it, to the end."""
    from aabench.data.imagenet import IMAGES
    from aabench.train.plan import differences

    classifier = job.catalog.task(name)
    recipe = job.catalog.recipe_of(classifier)
    assert recipe is not None  # a backbone's classifier is trained
    plan = make_plan(replace(job, backbone=None), classifier, recipe)
    names = ("model", "arguments", "input_size", "num_classes", "normalisation", "recipe", "max_steps")
    theirs, wanted = ({key: of.get(key) for key in names} for of in (content["settings"], plan.settings()))
    found = differences(theirs, wanted)
    images = IMAGES["train"]
    if classifier.data != "imagenet" or not content["settings"]["train_set"].endswith(f"({images} images)"):
        found.append(f"on {content['settings']['train_set']}")
    elif content["step"] != plan.total_steps(images):
        found.append(f"{content['step']:,} of {plan.total_steps(images):,} steps")
    return found


def _resumes(job: Job, folder: Path) -> bool:
    from aabench.train import LAST

    return job.resume == "always" or (job.resume == "where-begun" and (folder / LAST).exists())


def content_of(plan: Plan) -> dict[str, Any]:
    """What tells the folder of a plan from that of another one: all but the device, and what a classifier has not."""
    return plan.model_dump(mode="json", exclude={"device"} if plan.backbone else {"device", "backbone"})


def training_folder(job: Job, plan: Plan) -> Path:
    """A folder for each task and seed; another one for each way in which task or backbone are altered."""
    folder = f"{plan.task}-seed{plan.seed}"
    if job.changes or job.backbone is not None:
        content = json.dumps(content_of(plan), sort_keys=True)
        folder += f"-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    return job.directory / folder
