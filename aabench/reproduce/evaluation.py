"""Level eval: given weights, or the task's published ones, on the test set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aabench.errors import AABenchError
from aabench.record import Value
from aabench.reproduce.job import Found, Run
from aabench.reproduce.sets import load, partial
from aabench.reproduce.values import annotation_faults, predictions, score_values, unreadable

if TYPE_CHECKING:
    from torch import nn

    from aabench.evaluate import DetectionScores, Scores
    from aabench.models.detector import Detector
    from aabench.train.objective import AnyScores


def eval_level(run: Run) -> Found:
    """Score the weights on every test image; of a detector, keep what was found and count what that took."""
    from aabench.models import create_model
    from aabench.models.detector import Detector
    from aabench.train import check_published, load_weights

    job, task = run.job, run.task
    if job.data_root is None:
        raise AABenchError(f"{task.name}: no test set of {task.data} to evaluate on")
    weights = job.checkpoint or job.data_root / (task.checkpoint or "")
    test_set = load(task, job.data_root, "test")
    arguments: dict[str, Any] = dict(task.arguments)
    model = create_model(task.model, input_size=task.input_size, num_classes=task.num_classes, **arguments)
    if job.checkpoint is None and task.torchvision_weights is not None:
        check_published(task.torchvision_weights, weights)
    entry = load_weights(model, weights)
    model = model.to(job.device)
    scores: AnyScores
    costs: tuple[Value, ...] = ()
    if isinstance(model, Detector):
        scores, costs = _detect(run, model, test_set)
    else:
        scores = _classify(run, model, test_set)
    origin = str(job.checkpoint) if job.checkpoint else task.checkpoint
    settings = {**run.settings, "checkpoint": origin, "weights": entry, "test_set": test_set.source}
    detail = {
        **predictions(scores),
        "unreadable": {"test": unreadable(scores.unreadable)},
        **annotation_faults(test=test_set),
    }
    altered = {**partial(task, test=test_set), **_foreign(weights)}
    return Found(settings, (*score_values(scores, None), *costs), detail, altered=altered)


def _classify(run: Run, model: nn.Module, test_set: Any) -> Scores:
    from aabench.data import Transform
    from aabench.evaluate import evaluate

    task = run.task
    transform = Transform(task.normalisation, (task.input_size, task.input_size))
    return evaluate(model, test_set, transform=transform, device=run.job.device)


def _detect(run: Run, model: Detector, test_set: Any) -> tuple[DetectionScores, tuple[Value, ...]]:
    """The scores, and the FLOPs of an image over the test set."""
    from aabench.data import CanvasTransform
    from aabench.evaluate import detect_all, score_detections
    from aabench.profile.detections import CountedDetector

    job = run.job
    if job.detections is not None:
        _save([], job.detections)  # what cannot be written shows before hours of work
    counted = CountedDetector(model)
    progress = job.reporter.progress()
    progress.start(len(test_set), 0)
    try:
        found = detect_all(
            model,
            test_set,
            transform=CanvasTransform(run.task.normalisation),
            device=job.device,
            detect=counted,
            on_batch=lambda images: progress.evaluating(images, len(test_set)),
        )
    finally:
        progress.finish()
    if job.detections is not None:
        _save(found.results, job.detections)
    return score_detections(found, test_set), counted.values()


def _save(results: list[dict[str, Any]], file: Path) -> None:
    """As a COCO results file.

    Raises:
        AABenchError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results), encoding="utf-8")
    except OSError as error:
        raise AABenchError(f"cannot write the detections to {file} ({error.strerror}); choose another file") from error


def _foreign(weights: Path) -> dict[str, str]:
    """What torchvision trained is no run of the task's recipe, whatever the file is called."""
    from aabench.train import published_name

    name = published_name(weights)
    return {} if name is None else {"weights": f"torchvision's {name}"}
