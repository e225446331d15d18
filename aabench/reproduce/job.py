"""How to measure, what is measured, and what a level found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from aabench.alter import alter
from aabench.catalog import Catalog, Recipe, Task
from aabench.errors import AABenchError
from aabench.levels import Reach, reachable
from aabench.record import Value

if TYPE_CHECKING:
    from aabench.data.either import AnyImages
    from aabench.search import SearchProgress
    from aabench.train import Plan, Progress


class Reporter(Protocol):
    """Is told what goes on: the measurements draw nothing themselves."""

    def training(self, plan: Plan, train_set: AnyImages) -> None:
        """A training by the paper's recipe is about to start, on this set."""

    def progress(self) -> Progress:
        """Who is told how a training goes."""

    def searching(self) -> SearchProgress:
        """Who is told how a search goes."""


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
        backbone: what the backbone of a detector starts from: a classifier's checkpoint, or ``none`` to start anew;
            None as the task says.
        detections: where an evaluation of a detector saves what it found, as a COCO results file; None for nowhere.
        eval_every: epochs from one evaluation of a training to the next; the last epoch is always evaluated.
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
    backbone: Path | Literal["none"] | None = None
    detections: Path | None = None
    eval_every: int = 1

    def reach(self, task: Task) -> Reach:
        """Which levels are within reach for a task."""
        return reachable(
            task, data_root=self.data_root, device=self.device, checkpoint=self.checkpoint, backbone=self.backbone
        )

    def run(self, name: str) -> Run:
        """A task of the catalog, altered as asked.

        Raises:
            AABenchError: there is no such task, or a change does not fit it.
        """
        task = self.catalog.task(name)
        return Run(self, *alter(task, self.catalog.recipe_of(task), self.changes))


class Run(NamedTuple):
    """A task, altered as asked, to be measured."""

    job: Job
    task: Task
    recipe: Recipe | None
    altered: dict[str, Any]
    """What is not as the catalog has it."""

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
        """The recipe.

        Raises:
            AABenchError: the task has none.
        """
        if self.recipe is None:
            raise AABenchError(f"{self.task.name} has no recipe: it is only evaluated")
        return self.recipe


@dataclass(frozen=True)
class Found:
    """What a level adds to its row.

    Attributes:
        settings: what determines the values.
        values: what was measured.
        detail: what else is worth keeping.
        error: what the run had to show and did not.
        altered: what of the data set, or of the weights, is not as the task defines it.
    """

    settings: dict[str, Any]
    values: tuple[Value, ...]
    detail: dict[str, Any]
    error: str | None = None
    altered: dict[str, str] = field(default_factory=dict)
