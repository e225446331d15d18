"""Controller: draws schemes. Two linear layers on zeros, so that it is a table of probabilities in disguise (EAN)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from aabench.search.score import Flags


class Controller(nn.Module):
    """L blocks, each one connected with a probability of its own; source: EAN's released code.

    Linear(inputs -> hidden), ReLU, Linear(hidden -> 2 L) on zeros, divided by the temperature; a two-way softmax a
    block, whose second output is "connected".

    Args:
        blocks: L.
        inputs: zeros it is given.
        hidden: units of the hidden layer.
        temperature: what the logits are divided by.
    """

    zeros: Tensor

    def __init__(self, blocks: int, *, inputs: int, hidden: int, temperature: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * blocks))
        self.temperature = temperature
        self.register_buffer("zeros", torch.zeros(inputs), persistent=False)

    def forward(self) -> Tensor:
        """Log-probabilities (L, 2): not connected, connected."""
        logits: Tensor = self.layers(self.zeros)
        return (logits / self.temperature).view(-1, 2).log_softmax(dim=1)

    def of_choices(self, schemes: Tensor) -> Tensor:
        """Log-probabilities (N, L) of the choices of schemes (N, L)."""
        choices = schemes.long().unsqueeze(2)
        log_probabilities: Tensor = self()
        return log_probabilities.expand(len(schemes), -1, -1).gather(2, choices).squeeze(2)

    def entropy(self) -> Tensor:
        """Of a scheme, in nats: the sum over the blocks."""
        log_probabilities: Tensor = self()
        return -(log_probabilities.exp() * log_probabilities).sum()

    @torch.no_grad()
    def probabilities(self) -> Tensor:
        """That each block is connected (L,)."""
        log_probabilities: Tensor = self()
        return log_probabilities[:, 1].exp()

    def sample(self, number: int, generator: torch.Generator) -> list[Flags]:
        """Schemes, drawn independently."""
        drawn = torch.bernoulli(self.probabilities().expand(number, -1), generator=generator)
        return [_flags(row) for row in drawn.tolist()]

    @torch.no_grad()
    def most_probable(self) -> Flags:
        """The scheme of the greatest probability; a block that could be either is not connected."""
        log_probabilities = self()
        return _flags((log_probabilities[:, 1] > log_probabilities[:, 0]).tolist())


def _flags(row: Sequence[float]) -> Flags:
    return tuple(bool(flag) for flag in row)
