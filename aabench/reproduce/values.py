"""The parts of a row that several levels share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aabench.record import Value

if TYPE_CHECKING:
    from aabench.evaluate import Scores
    from aabench.train import Plan


UNREADABLE_SHOWN = 100
"""A row names so many unreadable images at most; it counts all of them."""


def score_values(scores: Scores, convention: str | None) -> tuple[Value, ...]:
    """What an evaluation measured; ``convention`` tells the last weights' from the best's."""
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


def packed(scores: Scores) -> str:
    """Which test images were right, for paired tests."""
    from aabench.evaluate import pack_mask

    return pack_mask(scores.correct_mask)


def unreadable(images: dict[str, str]) -> dict[str, Any]:
    """How many images could not be read, and the first of them with the reasons."""
    return {"count": len(images), "images": dict(sorted(images.items())[:UNREADABLE_SHOWN])}


def plan_settings(plan: Plan) -> dict[str, Any]:
    """All that determines a training but task and seed, which the row has."""
    settings = plan.model_dump(mode="json", exclude={"task", "seed", "recipe"}, exclude_none=True)
    return {**settings, "recipe": plan.recipe.settings()}
