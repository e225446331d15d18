"""Memory: no scheme is evaluated twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from aabench.errors import AABenchError
from aabench.search.score import Evaluator, Flags, Score, as_bits, as_flags


class Memory:
    """The scores of all schemes that were evaluated."""

    def __init__(self) -> None:
        self._scores: dict[Flags, Score] = {}

    def __len__(self) -> int:
        """Schemes that were evaluated."""
        return len(self._scores)

    @property
    def image_forwards(self) -> float:
        """Of all evaluations."""
        return math.fsum(score.image_forwards for score in self._scores.values())

    def scores(self, schemes: Sequence[Flags], evaluator: Evaluator) -> list[Score]:
        """The scores of schemes; the evaluator gets those that are new, together, each once. What it gives is kept.

        Raises:
            AABenchError: an accuracy is not finite.
        """
        new = [flags for flags in dict.fromkeys(schemes) if flags not in self._scores]
        if new:
            found = evaluator(new)
            for flags, score in found.items():
                if not math.isfinite(score.accuracy):
                    raise AABenchError(
                        f"the accuracy of scheme {as_bits(flags)} is {score.accuracy}: its network gives no numbers; "
                        "search over a supernet whose training did not diverge"
                    )
            self._scores |= found
        return [self._scores[flags] for flags in schemes]

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: plain values."""
        return {as_bits(flags): vars(score) for flags, score in self._scores.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._scores = {as_flags(row): Score(**score) for row, score in state.items()}
