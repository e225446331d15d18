"""GreedyAblation: from all connections, drop the one that is missed least, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from aabench.catalog import SchemeSearch
from aabench.search.method import Learned
from aabench.search.score import Flags, as_bits, as_flags


class GreedyAblation:
    """Each step tries all schemes with one connection less, and goes on from the best one if that is an improvement.

    The first step scores the scheme that connects every block. It ends when no removal improves the reward, or when as
    many schemes were scored as the search scores (the last step then tries the first removals only). Not random.

    Args:
        blocks: L.
        settings: of the search whose budget this has: its steps times its samples.
    """

    found_by: Literal["most-probable", "best-reward"] = "best-reward"

    def __init__(self, blocks: int, settings: SchemeSearch) -> None:
        self.total_steps = blocks + 1
        self.left = settings.steps * settings.samples
        self._best: Flags = (True,) * blocks
        self._reward: float | None = None
        self._improved = True

    @property
    def finished(self) -> bool:
        """Whether no removal improved the reward, nothing is left to remove, or the budget is used up."""
        return not self._improved or not any(self._best) or self.left == 0

    def propose(self) -> list[Flags]:
        """All connected; after that the removals."""
        if self._reward is None:
            return [self._best]
        connected = [block for block, flag in enumerate(self._best) if flag]
        removals = [(*self._best[:block], False, *self._best[block + 1 :]) for block in connected]
        return removals[: self.left]

    def learn(self, schemes: Sequence[Flags], rewards: Sequence[float]) -> Learned:
        """Go on from the best scheme (the first one of equals), if it is better than what it was made from."""
        self.left -= len(schemes)
        best = max(rewards)
        self._improved = self._reward is None or best > self._reward
        if self._improved:
            self._best, self._reward = schemes[rewards.index(best)], best
        return Learned()

    def found(self, best: Flags) -> Flags:
        """The best."""
        return best

    def state_dict(self) -> dict[str, Any]:
        """Where it is."""
        return {
            "left": self.left,
            "best": as_bits(self._best),
            "reward": self._reward,
            "improved": self._improved,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.left = state["left"]
        self._best, self._reward, self._improved = as_flags(state["best"]), state["reward"], state["improved"]
