"""Catalog: what all task files say together, looked up by name."""

from __future__ import annotations

import difflib

from pydantic import Field

from aabench.catalog.protocol import Protocol
from aabench.catalog.recipe import Recipe
from aabench.catalog.schema import Claim, Frozen, Paper, Task
from aabench.catalog.search import SchemeSearch
from aabench.catalog.sweep import Sweep
from aabench.errors import AABenchError


class Catalog(Frozen):
    """All papers, recipes, tasks, searches, sweeps and protocols (by name) and claims."""

    papers: dict[str, Paper]
    recipes: dict[str, Recipe]
    tasks: dict[str, Task]
    searches: dict[str, SchemeSearch] = Field(default_factory=dict)
    sweeps: dict[str, Sweep] = Field(default_factory=dict)
    claims: tuple[Claim, ...]
    protocols: dict[str, Protocol] = Field(default_factory=dict)

    def task(self, name: str) -> Task:
        """The task of that name.

        Raises:
            AABenchError: there is none; names the nearest ones.
        """
        if name in self.tasks:
            return self.tasks[name]
        if name in self.protocols:
            raise AABenchError(f"{name} is a protocol, no task; its tasks: {', '.join(self.protocols[name].tasks)}")
        near = difflib.get_close_matches(name, [*self.tasks, *self.protocols], n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "`aabench list` shows all tasks"
        raise AABenchError(f"unknown task {name!r}; {hint}")

    def checked_name(self, name: str) -> str:
        """The name itself, which is a task's or a protocol's.

        Raises:
            AABenchError: it is neither; names the nearest ones.
        """
        return name if name in self.protocols else self.task(name).name

    def recipe_of(self, task: Task) -> Recipe | None:
        """The task's recipe, or None if it is only evaluated."""
        return None if task.recipe is None else self.recipes[task.recipe]

    def search_of(self, task: Task) -> SchemeSearch:
        """How the task's scheme is searched for.

        Raises:
            AABenchError: it is no task with a scheme to search for.
        """
        if task.search is None:
            known = ", ".join(other.name for other in self.tasks.values() if other.search is not None)
            raise AABenchError(f"{task.name} has no scheme to search for; these tasks have: {known or 'none'}")
        return self.searches[task.search]

    def claims_of(self, name: str) -> tuple[Claim, ...]:
        """The claims on a task or a protocol."""
        return tuple(claim for claim in self.claims if claim.task == name)

    def sweeps_of(self, name: str) -> tuple[Sweep, ...]:
        """The sweeps that judge claims on a task, each once."""
        names = dict.fromkeys(claim.sweep for claim in self.claims_of(name) if claim.sweep is not None)
        return tuple(self.sweeps[sweep] for sweep in names)
