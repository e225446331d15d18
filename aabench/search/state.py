"""SearchState: all that changes while a search goes on, and its way into a checkpoint and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from aabench.errors import AABenchError
from aabench.search.greedy import GreedyAblation
from aabench.search.memory import Memory
from aabench.search.method import Method
from aabench.search.plan import SearchPlan
from aabench.search.random_search import RandomSearch
from aabench.search.reinforce import Reinforce
from aabench.search.result import Scored, Step
from aabench.search.reward import reward, sparsity
from aabench.search.score import Evaluator, Flags, Score, as_bits, as_flags
from aabench.train.plan import differences


class SearchState:
    """Everything at its start, seeded by the plan.

    Attributes:
        method: what proposes schemes and learns.
        memory: the score of each scheme that was evaluated.
        history: the steps that are over.
        best: the scheme of the greatest reward so far (the first one of equals); None before the first step.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.method = _make_method(plan, self.generator)
        self.memory = Memory()
        self.history: list[Step] = []
        self.best: Scored | None = None

    def advance(self, evaluator: Evaluator) -> Step:
        """Take one step.

        Raises:
            AABenchError: an accuracy is not finite.
        """
        schemes = self.method.propose()
        scored = self.score(schemes, evaluator)
        for one in scored:
            if self.best is None or one.reward > self.best.reward:
                self.best = one
        assert self.best is not None  # a step has schemes
        rewards = tuple(one.reward for one in scored)
        learned = self.method.learn(schemes, rewards)
        step = Step(
            step=len(self.history) + 1,
            schemes=tuple(as_bits(flags) for flags in schemes),
            accuracies=tuple(one.score.accuracy for one in scored),
            sparsities=tuple(sparsity(flags) for flags in schemes),
            rewards=rewards,
            rewards_with_bonus=learned.rewards,
            baseline=learned.baseline,
            probabilities=learned.probabilities,
            entropy=learned.entropy,
            best=self.best.reward,
            evaluated=len(self.memory),
        )
        self.history.append(step)
        return step

    def score(self, schemes: list[Flags], evaluator: Evaluator) -> list[Scored]:
        """Schemes with scores and rewards; those that are not in the memory are evaluated."""
        scores = self.memory.scores(schemes, evaluator)
        return [Scored(flags, score, self._reward(flags, score)) for flags, score in zip(schemes, scores, strict=True)]

    def _reward(self, flags: Flags, score: Score) -> float:
        settings = self.plan.search
        return reward(score.accuracy, flags, sparsity_weight=settings.sparsity_weight, offset=settings.offset)

    def capture(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {
            "settings": self.plan.settings(),
            "generator": self.generator.get_state(),
            "method": self.method.state_dict(),
            "memory": self.memory.state_dict(),
            "history": [step.model_dump() for step in self.history],
            "best": None if self.best is None else as_bits(self.best.flags),
        }

    def restore(self, content: dict[str, Any], origin: Path) -> None:
        """Go on from what :meth:`capture` gave.

        Raises:
            AABenchError: it belongs to another plan; says what differs.
        """
        differing = differences(content["settings"], self.plan.settings())
        if differing:
            raise AABenchError(
                f"{origin} was made with other settings ({'; '.join(differing)}): "
                "resume it with those, or start in another folder"
            )
        self.generator.set_state(content["generator"])
        self.method.load_state_dict(content["method"])
        self.memory.load_state_dict(content["memory"])
        self.history = [Step.model_validate(step) for step in content["history"]]
        if content["best"] is not None:
            (self.best,) = self.score([as_flags(content["best"])], _nothing_new)


def _make_method(plan: SearchPlan, generator: torch.Generator) -> Method:
    if plan.method == "greedy":
        return GreedyAblation(plan.blocks, plan.search)
    method = Reinforce if plan.method == "reinforce" else RandomSearch
    return method(plan.blocks, plan.search, generator)


def _nothing_new(schemes: object) -> dict[Flags, Score]:
    raise AssertionError(f"{schemes} should be in the memory")
