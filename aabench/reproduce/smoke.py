"""Level smoke: a scaled-down network trained for seconds, which has to pass its checks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aabench.reproduce.allocation import tune_allocator
from aabench.reproduce.job import Found, Run
from aabench.reproduce.values import plan_settings, predictions, score_values, speed

if TYPE_CHECKING:
    from aabench.data.either import AnyImages


def smoke_level(run: Run) -> Found:
    """Train the scaled-down task by its recipe, and check what it shows."""
    from aabench.train import smoke_images, smoke_sets

    job, task = run.job, run.task
    if task.data != "coco":
        return _smoke(run, *smoke_sets(job.data_root if job.reach(task).real_smoke else None))
    job.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="smoke-images-", dir=job.directory) as folder:
        return _smoke(run, *smoke_images(task, run.required_recipe(), Path(folder)))


def _smoke(run: Run, train_set: AnyImages, test_set: AnyImages) -> Found:
    from aabench.train import smoke, smoke_plan

    job, recipe = run.job, run.required_recipe()
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
        **predictions(result.scores),
        "allocator": tuned,
    }
    values = (*score_values(result.scores, "last"), speed(result.images_per_second))
    settings = {**plan_settings(result.plan), "train_set": result.train_source, "test_set": result.test_source}
    failed = [f"{check.name}: {check.detail}" for check in result.checks if not check.passed]
    error = f"{run.task.name} did not pass its smoke run: {'; '.join(failed)}" if failed else None
    return Found(settings, values, detail, error)
