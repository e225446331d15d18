"""Searches over a table: ten blocks, 1,024 schemes, whose accuracies are known without any network."""

from itertools import chain, product

import torch

from aabench.catalog import SchemeSearch
from aabench.search import Score, SearchPlan
from aabench.search.controller import Controller

BLOCKS = 10
EFFECTS = (2.0, -1.0, 1.5, -2.0, 0.5, -0.5, 1.0, -1.5, 2.5, -1.0)
"""What connecting each block adds to the accuracy, in percent."""
PAIR = 3.0
"""What connecting the second and the fourth block together adds, though each one alone costs."""
SCHEMES = tuple(product((False, True), repeat=BLOCKS))


def settings(**changes) -> SchemeSearch:
    """As published, but for the steps."""
    fields = {
        "name": "small",
        "supernet": "some-recipe",
        "held_out": 100,
        "steps": 60,
        "samples": 3,
        "offset": 54.0,
        "sparsity_weight": 2.0,
        "curiosity": 1.0,
        "baseline_decay": 0.95,
        "controller_lr": 0.05,
        "inputs": 20,
        "hidden": 50,
        "temperature": 5.0,
        "replay_from": 10,
        "replay_capacity": 30,
        "replay_clip": 0.1,
        "replay_weight": 0.1,
        **changes,
    }
    return SchemeSearch(**fields, source=dict.fromkeys(SchemeSearch.model_fields, "ours"))


def plan(*, blocks=BLOCKS, method="reinforce", seed=0, **changes) -> SearchPlan:
    """A search of the table."""
    return SearchPlan(
        search=settings(**changes), blocks=blocks, supernet="a table", held_out="none", method=method, seed=seed
    )


def accuracy(flags) -> float:
    """Of a scheme, in percent: 60, what each connection adds, and a pair that is good only together."""
    single = sum(effect for effect, flag in zip(EFFECTS, flags, strict=True) if flag)
    return 60.0 + single + (PAIR if flags[1] and flags[3] else 0.0)


class Table:
    """Scores schemes by a function, and notes what it was asked for."""

    def __init__(self, of=accuracy) -> None:
        self.of = of
        self.calls: list[list] = []

    def __call__(self, schemes):
        self.calls.append(list(schemes))
        # What is rewarded is not what is right; the first scheme of a call does the work that all share.
        return {flags: Score(self.of(flags), 50.0, 50.0 if place else 100.0) for place, flags in enumerate(schemes)}


def controller_of(logits) -> Controller:
    """The controller whose logits, divided by its temperature of 5, are these: (not connected, connected) a block."""
    controller = Controller(len(logits), inputs=20, hidden=50, temperature=5.0)
    with torch.no_grad():
        controller.layers[-1].weight.zero_()
        controller.layers[-1].bias.copy_(5 * torch.tensor(list(chain(*logits))))
    return controller
