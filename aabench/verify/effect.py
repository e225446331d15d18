"""The effect that a claim is about, and how many seeds it takes to see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aabench.catalog import Catalog, Claim, Task
from aabench.catalog.schema import AVERAGE_PRECISIONS
from aabench.record import Measurement
from aabench.verify.evidence import accuracy_runs, evidence
from aabench.verify.statistics import binomial_deviation, seeds_needed

TEST_IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "imagenet": 50_000, "imagenet1000": 1_000, "coco": 5_000}
"""Size of each data set's test (or validation) split."""


@dataclass(frozen=True)
class Effect:
    """A claimed difference in accuracy, in points, of a task over another one."""

    points: float
    baseline: str


@dataclass(frozen=True)
class SeedPlan:
    """How many seeds of each of the two tasks decide an effect (two-sided Welch test, alpha .05, power .8)."""

    effect: Effect
    deviation: float
    """Between seeds, in points."""
    source: str
    """Where the deviation comes from."""
    seeds: int

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds of each task decide {self.effect.points:.1f} points over {self.effect.baseline} "
            f"(Welch, alpha .05, power .8; deviation {self.deviation:.2f} points, {self.source})"
        )


def plain_task(task: Task, catalog: Catalog) -> Task | None:
    """The task that this one augments: same paper and data, the model without its prefix, no argument of its own.

    ``aa_resnet50`` augments ``resnet50``, ``se_wide_resnet`` augments ``wide_resnet`` of equal depth and width. A model
    that takes its attention as an argument augments itself with ``none``, of equal depth.
    """
    found = [
        other
        for other in catalog.tasks.values()
        if (other.paper, other.data, other.input_size) == (task.paper, task.data, task.input_size)
        and (_without_prefix(other, task) or _without_attention(other, task))
    ]
    return max(found, key=lambda other: len(other.arguments), default=None)


def _without_prefix(plain: Task, task: Task) -> bool:
    return task.model.endswith(f"_{plain.model}") and plain.arguments.items() <= task.arguments.items()


def _without_attention(plain: Task, task: Task) -> bool:
    same = (plain.model, plain.arguments.get("depth")) == (task.model, task.arguments.get("depth"))
    return same and plain.arguments.get("attention") == "none" != task.arguments.get("attention")


def claimed_effect(claim: Claim, catalog: Catalog) -> Effect | None:
    """The difference that a claim on accuracy is about; None if the paper gives none (or gives 0).

    A delta is its own effect. An absolute value's effect is its difference to what the paper prints for the plain
    network. An ordinal claim has the effect of the two absolute values that the paper prints, where it does.
    """
    if claim.kind == "delta" and claim.value is not None and claim.baseline is not None:
        return _effect(claim.value.value, claim.baseline)
    plain = plain_task(catalog.tasks[claim.task], catalog)
    baseline = claim.baseline or (plain.name if plain else None)
    ours = claim.value.value if claim.value else _printed(claim.task, claim.metric, catalog)
    theirs = _printed(baseline, claim.metric, catalog) if baseline else None
    if ours is None or theirs is None or baseline is None:
        return None
    return _effect(ours - theirs, baseline)


def _effect(points: float, baseline: str) -> Effect | None:
    size = round(abs(points), 6)  # 81.6 - 80.3 is not quite 1.3
    return Effect(size, baseline) if size else None


def _printed(task: str, metric: str, catalog: Catalog) -> float | None:
    claims = (claim for claim in catalog.claims_of(task) if claim.metric == metric and claim.kind == "absolute")
    return next((claim.value.value for claim in claims if claim.value is not None), None)


def plan_seeds(claim: Claim, catalog: Catalog, rows: Iterable[Measurement] = ()) -> SeedPlan | None:
    """How many seeds decide the claim's effect; None if it has none, or of an AP that no seeds were trained for.

    The deviation between seeds is that of the trained seeds in the log (of the claim's task, else of the baseline);
    with less than two of either, the binomial deviation over the test set stands in for it (ours); where the paper's
    accuracy is not known, at its greatest.
    """
    effect = claimed_effect(claim, catalog)
    if effect is None:
        return None
    rows = tuple(rows)
    for name in (claim.task, effect.baseline):
        percents = [run.percent for run in accuracy_runs(claim, evidence(name, ("train",), rows))]
        if len(set(percents)) >= 2:
            deviation = float(np.std(percents, ddof=1))
            source = f"that of the {len(percents)} seeds of {name} in the log"
            return SeedPlan(effect, deviation, source, seeds_needed(effect.points, deviation))
    if claim.metric in AVERAGE_PRECISIONS:  # no share of images
        return None
    printed = _printed(claim.task, claim.metric, catalog)
    images = TEST_IMAGES[catalog.tasks[claim.task].data]
    deviation = binomial_deviation(0.5 if printed is None else printed / 100, images)
    most = "" if printed is not None else ", where half of them are right, as no accuracy is printed"
    source = f"assumed: the binomial one of {images} test images{most} (ours)"
    return SeedPlan(effect, deviation, source, seeds_needed(effect.points, deviation))
