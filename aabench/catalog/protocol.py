"""Protocol: networks that are trained with equal seeds, to judge claims about all of them together."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from aabench.catalog.schema import Argument, Claim, Frozen, Name, Setting, Task

Change = Argument | list[int]
"""A list as a recipe's ``milestones`` need it; a list, and no tuple, as it comes back from the log."""

METRICS = ("top1", "train_loss", "seed_spread", "diverged")
"""What a claim on a protocol may be on; see :func:`aabench.verify.protocol.judge_protocol`."""


class Scaled(Frozen):
    """What is changed against the tasks, so that a CPU can carry the protocol out. All of it is ours."""

    name: Name
    """Rows and verdicts carry it."""
    changes: Annotated[dict[str, Change], Field(min_length=1)]
    """Recipe fields, ``input_size`` or model arguments, for every task."""
    changes_where_set: dict[str, Argument] = Field(default_factory=dict)
    """Model arguments that only some of the tasks set, and are changed for these."""

    @property
    def title(self) -> str:
        """How it is named wherever a verdict under it is shown."""
        return f"scaled-down: ours, {self.name}"


class Protocol(Frozen):
    """The tasks that are compared. Each is trained with every seed, by one recipe, with the same data in the same
    order and augmentation.
    """

    name: Name
    paper: str
    baselines: Annotated[tuple[str, ...], Field(min_length=1)]
    """Tasks that the paper compares with."""
    candidates: Annotated[tuple[str, ...], Field(min_length=1)]
    """Tasks of which the best is the paper's: which one that is, is chosen by the runs."""
    scaled: Scaled
    source: str
    """Where the choice of tasks comes from."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        twice = sorted({name for name in self.tasks if self.tasks.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in it twice")
        return self

    @property
    def tasks(self) -> tuple[str, ...]:
        """All of them, baselines first."""
        return (*self.baselines, *self.candidates)

    def changes(self, setting: Setting, task: Task) -> dict[str, Change]:
        """What a setting changes of one of its tasks; nothing in the full one."""
        if setting == "full":
            return {}
        own = {key: value for key, value in self.scaled.changes_where_set.items() if key in task.arguments}
        return {**self.scaled.changes, **own}

    def altered(self, setting: Setting, task: Task) -> dict[str, Change]:
        """What the rows of a setting carry as ``altered``: its changes, and its name."""
        changes = self.changes(setting, task)
        return {"protocol": self.scaled.title, **changes} if changes else {}

    def under_scaled(self, claim: Claim) -> Claim:
        """The claim, to be judged under the scaled-down setting: another one than under the paper's."""
        changes = {
            "id": f"{claim.id}@{self.scaled.name}",
            "table": f"{claim.table} ({self.scaled.title})",
            "setting": "scaled",
        }
        return claim.model_copy(update=changes)
