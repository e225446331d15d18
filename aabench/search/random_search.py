"""RandomSearch: schemes at random, the best of them is found. What a search has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from aabench.catalog import SchemeSearch
from aabench.search.method import Learned
from aabench.search.score import Flags


class RandomSearch:
    """As many schemes a step as the controller draws, every scheme as probable as any other.

    Args:
        blocks: L.
        settings: of the search whose budget this has.
        generator: all its randomness, on the CPU.
    """

    found_by: Literal["most-probable", "best-reward"] = "best-reward"

    def __init__(self, blocks: int, settings: SchemeSearch, generator: torch.Generator) -> None:
        self.blocks, self.samples, self.generator = blocks, settings.samples, generator
        self.total_steps = settings.steps
        self.steps = 0

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.steps == self.total_steps

    def propose(self) -> list[Flags]:
        """Uniform schemes."""
        drawn = torch.randint(2, (self.samples, self.blocks), generator=self.generator)
        return [tuple(bool(flag) for flag in row) for row in drawn.tolist()]

    def learn(self, schemes: Sequence[Flags], rewards: Sequence[float]) -> Learned:
        """Nothing."""
        self.steps += 1
        return Learned()

    def found(self, best: Flags) -> Flags:
        """The best."""
        return best

    def state_dict(self) -> dict[str, Any]:
        """How far it is; the generator is its owner's."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps = state["steps"]
