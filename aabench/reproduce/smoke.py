"""Level smoke: a scaled-down network trained for seconds, which has to pass its checks."""

from __future__ import annotations

from aabench.reproduce.allocation import tune_allocator
from aabench.reproduce.job import Found, Run
from aabench.reproduce.values import packed, plan_settings, score_values, speed


def smoke_level(run: Run) -> Found:
    """Train the scaled-down task by its recipe, and check what it shows."""
    from aabench.train import smoke, smoke_plan, smoke_sets

    job, recipe = run.job, run.required_recipe()
    train_set, test_set = smoke_sets(job.data_root if job.reach(run.task).real_smoke else None)
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
        "correct_mask": packed(result.scores),
        "allocator": tuned,
    }
    values = (*score_values(result.scores, "last"), speed(result.images_per_second))
    settings = {**plan_settings(result.plan), "train_set": result.train_source, "test_set": result.test_source}
    failed = [f"{check.name}: {check.detail}" for check in result.checks if not check.passed]
    error = f"{run.task.name} did not pass its smoke run: {'; '.join(failed)}" if failed else None
    return Found(settings, values, detail, error)
