"""The parts of a row that several levels share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aabench.record import Value

if TYPE_CHECKING:
    from aabench.data.either import AnyImages
    from aabench.evaluate import DetectionScores, Scores
    from aabench.train import Plan
    from aabench.train.objective import AnyScores


SHOWN = 100
"""A row names so many unreadable images, or faults of annotations, at most; it counts all of them."""


def score_values(scores: AnyScores, convention: str | None) -> tuple[Value, ...]:
    """What an evaluation measured; ``convention`` tells the last weights' from the best's."""
    from aabench.evaluate import Scores

    return _hits(scores, convention) if isinstance(scores, Scores) else _precisions(scores, convention)


def _precisions(scores: DetectionScores, convention: str | None) -> tuple[Value, ...]:
    none = "the data set has no object of that size"
    return (
        *(
            Value(metric=name, value=None, unit="%", convention=convention, reason=none)
            if share is None
            else Value(metric=name, value=100 * share, unit="%", convention=convention)
            for name, share in scores.metrics.items()
        ),
        Value(metric="images", value=scores.images, unit="images", convention=convention),
        Value(metric="detections", value=scores.results, unit="detections", convention=convention),
    )


def _hits(scores: Scores, convention: str | None) -> tuple[Value, ...]:
    return (
        Value(metric="top1", value=scores.top1_percent, unit="%", convention=convention),
        Value(metric="top5", value=scores.top5_percent, unit="%", convention=convention),
        Value(metric="correct", value=scores.correct, unit="images", convention=convention),
        Value(metric="correct5", value=scores.correct5, unit="images", convention=convention),
        Value(metric="images", value=scores.images, unit="images", convention=convention),
        Value(metric="loss", value=scores.loss, unit="nats", convention=convention),
    )


def speed(images_per_second: float) -> Value:
    """Training speed."""
    return Value(metric="images_per_second", value=images_per_second, unit="images/s", convention="training")


def predictions(scores: AnyScores) -> dict[str, str | None]:
    """Of a row's detail: which test images were right, for paired tests; of a detector, what tells equal detections."""
    from aabench.evaluate import Scores, pack_mask

    if isinstance(scores, Scores):
        return {"correct_mask": pack_mask(scores.correct_mask)}
    return {"detections": scores.digest}


def unreadable(images: dict[str, str]) -> dict[str, Any]:
    """How many images could not be read, and the first of them with the reasons."""
    return {"count": len(images), "images": dict(sorted(images.items())[:SHOWN])}


def annotation_faults(**sets: AnyImages) -> dict[str, Any]:
    """Of a row's detail: what the annotations of COCO's splits have that no detector can learn, the first faults by
    name.
    """
    faults = {name: getattr(data, "faults", ()) for name, data in sets.items()}
    shown = {name: {"count": len(found), "first": list(found[:SHOWN])} for name, found in faults.items() if found}
    return {"annotations": shown} if shown else {}


def plan_settings(plan: Plan) -> dict[str, Any]:
    """All that determines a training but task and seed, which the row has."""
    settings = plan.model_dump(mode="json", exclude={"task", "seed", "recipe"}, exclude_none=True)
    return {**settings, "recipe": plan.recipe.settings()}
