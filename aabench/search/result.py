"""What a search leaves: its steps, the best scheme, and the one it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aabench.catalog.schema import Frozen
from aabench.search.score import Flags, Score


class Step(Frozen):
    """One step. Lists have one entry a scheme, in the order they were proposed in."""

    step: int
    """From 1."""
    schemes: tuple[str, ...]
    """As bits without spaces."""
    accuracies: tuple[float, ...]
    """What is rewarded, in percent."""
    sparsities: tuple[float, ...]
    """Shares of blocks that are not connected."""
    rewards: tuple[float, ...]
    """Without the curiosity bonus."""
    rewards_with_bonus: tuple[float, ...] | None
    """What the controller learnt from; None for the other methods, as what follows."""
    baseline: float | None
    """After the step."""
    probabilities: tuple[float, ...] | None
    """That each block is connected, after the step."""
    entropy: float | None
    """Of the controller after the step, in nats, summed over the blocks."""
    best: float
    """The greatest reward so far."""
    evaluated: int
    """Schemes that had been scored by its end; less than what the steps asked for, where schemes came again."""


@dataclass(frozen=True)
class Scored:
    """A scheme with its score and its reward (without bonus)."""

    flags: Flags
    score: Score
    reward: float


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
        final: the scheme it found.
        found_by: ``most-probable`` of the controller, or ``best-reward``.
        best: the scheme of a step with the greatest reward (the first one of equals).
        history: one entry a step.
        requested: schemes that the steps asked for, repeats counted: what the search costs as it was published.
        evaluated: schemes that were scored, each once, the final one among them.
        image_forwards: that the scores took, in whole networks times images.
        checkpoint: the state at the end.
    """

    final: Scored
    found_by: Literal["most-probable", "best-reward"]
    best: Scored
    history: tuple[Step, ...]
    requested: int
    evaluated: int
    image_forwards: float
    checkpoint: Path
