"""Method: a way to choose which schemes to evaluate. All are given as many evaluations, and one interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aabench.search.score import Flags

MethodName = Literal["reinforce", "random", "greedy"]


@dataclass(frozen=True)
class Learned:
    """What a method made of a step's rewards; None where it has no such thing.

    Attributes:
        rewards: of each scheme, with the bonus.
        baseline: after the step.
        probabilities: that each block is connected, after the step.
        entropy: of a scheme that is drawn by them, in nats.
    """

    rewards: tuple[float, ...] | None = None
    baseline: float | None = None
    probabilities: tuple[float, ...] | None = None
    entropy: float | None = None


class Method(Protocol):
    """Proposes schemes, step by step, and learns of their rewards."""

    total_steps: int
    """At most."""
    found_by: Literal["most-probable", "best-reward"]
    """Which scheme it finds in the end."""

    @property
    def finished(self) -> bool:
        """Whether there is no further step."""

    def propose(self) -> list[Flags]:
        """The schemes of the next step."""

    def learn(self, schemes: Sequence[Flags], rewards: Sequence[float]) -> Learned:
        """Take in a step: what was proposed, and the reward of each, without any bonus."""

    def found(self, best: Flags) -> Flags:
        """The scheme it finds in the end, where ``best`` is the one of the greatest reward so far."""

    def state_dict(self) -> dict[str, Any]:
        """All that changes, for a checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
