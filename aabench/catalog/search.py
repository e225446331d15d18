"""SchemeSearch: how the blocks that a shared attention module is plugged into are searched for (EAN)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aabench.catalog.schema import Frozen, Name

OPTIONS = ("accuracy", "entropy_weight", "baseline_update", "bonus", "final")
"""Fields whose defaults are the published search; another value is ours, and a choice of its own."""
Positive = Annotated[int, Field(gt=0)]


class SchemeSearch(Frozen):
    """A search by reinforcement learning over a supernet. Every field has a source: a tag and a place, or ``ours``.

    The defaults of :data:`OPTIONS` are the search as it was published; their other values are what the field would do
    better, and are ours.
    """

    name: Name
    supernet: Name
    """The recipe that the supernet is trained by."""
    held_out: Positive
    """Training images of each class, the first ones, that schemes are scored on; the supernet trains on the rest."""
    steps: Positive
    """Of the controller."""
    samples: Positive
    """Schemes drawn a step."""
    offset: float
    """Taken off the accuracy in percent, so that rewards are of order 1."""
    sparsity_weight: float
    """Reward in percent for a scheme without any connection; less in proportion to its connections."""
    curiosity: Annotated[float, Field(ge=0)]
    """Weight of the bonus for schemes that are new to the predictor (random network distillation)."""
    baseline_decay: Annotated[float, Field(ge=0, lt=1)]
    """Of the moving average of mean rewards."""
    controller_lr: Annotated[float, Field(gt=0)]
    """Learning rate of Adam, for controller and predictor."""
    inputs: Positive
    """Of the controller: zeros."""
    hidden: Positive
    """Units of the controller's hidden layer."""
    temperature: Annotated[float, Field(gt=0)]
    """The controller's logits are divided by it."""
    replay_from: Annotated[int, Field(ge=0)]
    """The first step (from 0) with an update from the replay buffer."""
    replay_capacity: Positive
    """Steps that the buffer remembers."""
    replay_clip: Annotated[float, Field(gt=0, lt=1)]
    """Ratios of probabilities are clipped to 1 +- it."""
    replay_weight: Annotated[float, Field(ge=0)]
    """Of the loss of a replayed step; 0: nothing is replayed."""
    accuracy: Literal["top1", "expected"] = "top1"
    """What of a scheme is rewarded. ``top1``: the share of images that are right. ``expected``: the mean probability of
    the right class, after the batch statistics were taken anew for the scheme."""
    entropy_weight: Annotated[float, Field(ge=0)] = 0.0
    """Of the controller's entropy, in nats summed over the blocks, which is maximised besides."""
    baseline_update: Literal["before", "after"] = "before"
    """Whether the baseline takes in a step's rewards before or after they are compared with it."""
    bonus: Literal["summed", "own"] = "summed"
    """Whether each scheme of a step gets the sum of all their curiosity bonuses, or its own."""
    final: Literal["most-probable", "best-reward"] = "most-probable"
    """The scheme found: the controller's most probable one, or the sampled one of the greatest reward. Which the paper
    took is unspecified."""
    source: dict[str, str]

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        unsourced = self.settings().keys() - self.source.keys() - set(OPTIONS)
        if unsourced:
            raise ValueError(f"no source for {', '.join(sorted(unsourced))}")
        return self

    def settings(self) -> dict[str, Any]:
        """How to search, by name."""
        return self.model_dump(exclude={"name", "source"})
