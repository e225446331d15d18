"""Level eval: given weights, or the task's published ones, on the test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aabench.errors import AABenchError
from aabench.reproduce.job import Found, Run
from aabench.reproduce.sets import load, partial
from aabench.reproduce.values import packed, score_values, unreadable


def eval_level(run: Run) -> Found:
    """Score the weights on every test image."""
    from aabench.data import Transform
    from aabench.evaluate import evaluate
    from aabench.models import create_model
    from aabench.train import check_published, load_weights

    job, task = run.job, run.task
    if job.data_root is None:
        raise AABenchError(f"{task.name}: no test set of {task.data} to evaluate on")
    weights = job.checkpoint or job.data_root / (task.checkpoint or "")
    test_set = load(task, job.data_root, "test")
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
    detail = {"correct_mask": packed(scores), "unreadable": {"test": unreadable(scores.unreadable)}}
    altered = {**partial(task, test=test_set), **_foreign(weights)}
    return Found(settings, score_values(scores, None), detail, altered=altered)


def _foreign(weights: Path) -> dict[str, str]:
    """What torchvision trained is no run of the task's recipe, whatever the file is called."""
    from aabench.train import published_name

    name = published_name(weights)
    return {} if name is None else {"weights": f"torchvision's {name}"}
