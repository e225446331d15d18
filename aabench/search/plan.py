"""SearchPlan: everything that determines a search."""

from __future__ import annotations

from typing import Any

from pydantic import PositiveInt

from aabench.catalog import SchemeSearch
from aabench.catalog.schema import Frozen
from aabench.search.method import MethodName


class SearchPlan(Frozen):
    """How to search over what. Two searches of one plan differ in nothing (on a CPU)."""

    search: SchemeSearch
    blocks: PositiveInt
    """Of the network, in all its stages."""
    supernet: str
    """Which weights, in words that no other supernet has."""
    held_out: str
    """On which images schemes are scored, and how."""
    method: MethodName = "reinforce"
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """What has to be equal for a search to go on: not where its numbers came from."""
        return {**self.model_dump(mode="json", exclude={"search"}), "search": self.search.settings()}
