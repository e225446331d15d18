"""Reinforce: EAN's search. A controller learns by policy gradients which connections are rewarded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from aabench.catalog import SchemeSearch
from aabench.search.baseline import Baseline
from aabench.search.controller import Controller
from aabench.search.curiosity import Curiosity
from aabench.search.losses import online_loss, replay_loss
from aabench.search.method import Learned
from aabench.search.replay import Past, ReplayBuffer
from aabench.search.score import Flags


class Reinforce:
    """REINFORCE with a curiosity bonus, a moving baseline and a replayed step; source: EAN's released code.

    Args:
        blocks: L.
        settings: of the search.
        generator: all its randomness, on the CPU.
    """

    def __init__(self, blocks: int, settings: SchemeSearch, generator: torch.Generator) -> None:
        self.settings, self.generator = settings, generator
        self.total_steps = settings.steps
        self.found_by = settings.final
        with torch.random.fork_rng(devices=[]):
            # Weights have a seed of their own: with the generator's, they would be what the schemes are drawn from.
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            self.controller = Controller(
                blocks, inputs=settings.inputs, hidden=settings.hidden, temperature=settings.temperature
            )
            self.curiosity = Curiosity(
                blocks, weight=settings.curiosity, share=settings.bonus, lr=settings.controller_lr
            )
        self.optimizer = torch.optim.Adam(self.controller.parameters(), lr=settings.controller_lr)
        self.baseline = Baseline(decay=settings.baseline_decay, update=settings.baseline_update)
        self.buffer = ReplayBuffer(settings.replay_capacity)
        self.steps = 0

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.steps == self.total_steps

    def propose(self) -> list[Flags]:
        """As many schemes as a step has, from the controller."""
        return self.controller.sample(self.settings.samples, self.generator)

    def learn(self, schemes: Sequence[Flags], rewards: Sequence[float]) -> Learned:
        """One update of the controller for the step, and one for an older step."""
        choices = torch.tensor(schemes, dtype=torch.float32)
        log_probabilities = self.controller.of_choices(choices)
        self.buffer.add(Past(choices, tuple(rewards), log_probabilities.detach().exp()))
        with_bonus = [sum(pair) for pair in zip(rewards, self.curiosity.bonuses(choices), strict=True)]
        advantages = torch.tensor(self.baseline.advantages(with_bonus))
        loss = online_loss(log_probabilities, advantages)
        self._update(loss - self.settings.entropy_weight * self.controller.entropy())
        if self.steps >= self.settings.replay_from and self.settings.replay_weight > 0:
            self._replay()
        self.steps += 1
        return Learned(
            rewards=tuple(with_bonus),
            baseline=self.baseline.value,
            probabilities=tuple(self.controller.probabilities().tolist()),
            entropy=float(self.controller.entropy().detach()),
        )

    def _replay(self) -> None:
        """Learn from a step of the buffer. Its rewards have no bonus; the baseline they are compared with has one."""
        past, baseline = self.buffer.draw(self.generator), self.baseline.value
        assert baseline is not None  # this step's rewards were taken in
        loss = replay_loss(
            self.controller.of_choices(past.schemes),
            past.probabilities,
            torch.tensor([reward - baseline for reward in past.rewards]),
            clip=self.settings.replay_clip,
        )
        self._update(self.settings.replay_weight * loss)

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()

    def found(self, best: Flags) -> Flags:
        """By the settings: the controller's most probable scheme, or the best."""
        return self.controller.most_probable() if self.found_by == "most-probable" else best

    def state_dict(self) -> dict[str, Any]:
        """Both networks, both optimizers, baseline and buffer; the generator is its owner's."""
        return {
            "controller": self.controller.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curiosity": self.curiosity.state_dict(),
            "baseline": self.baseline.value,
            "buffer": self.buffer.state_dict(),
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.controller.load_state_dict(state["controller"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curiosity.load_state_dict(state["curiosity"])
        self.baseline.value = state["baseline"]
        self.buffer.load_state_dict(state["buffer"])
        self.steps = state["steps"]
