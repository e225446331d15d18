"""Plan: how many steps it has, what it needs, and how two of them differ."""

import pytest
from pydantic import ValidationError

from aabench.catalog import load_catalog
from aabench.errors import AABenchError
from aabench.train.plan import differences
from tests.train.small import plan, recipe, sets


def test_steps_of_the_papers_recipe():
    chosen = load_catalog().recipes["aanet-cifar100"]
    whole = plan(recipe_changes=None).model_copy(update={"recipe": chosen})
    assert whole.steps_per_epoch(50_000) == 48  # of 1,024 images: 848 are left out
    assert whole.total_steps(50_000) == 24_000
    assert whole.model_copy(update={"max_steps": 7}).total_steps(50_000) == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 100}, "is built for 100 classes and synthetic 4 classes train.* has 4"),
        ({"recipe_changes": {"batch_size": 65}}, "a batch of 65 images cannot be drawn from .*, which has 64"),
        (
            {"recipe_changes": {"augmentation": "inception"}},
            "augmentation 'inception', and .* is shown with 'crop-flip' only",
        ),
    ],
)
def test_what_cannot_be_carried_out(changes, message):
    with pytest.raises(AABenchError, match=message):
        plan(**changes).check(*sets())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": 0.9}, 'gamma goes with schedule = "step" or "exponential"'),
        ({"schedule": "exponential", "gamma": 0.9}, 'decay_epochs goes with schedule = "exponential"'),
        ({"decay_epochs": 2.4}, 'decay_epochs goes with schedule = "exponential"'),
        ({"schedule": "exponential", "decay_epochs": 2.4}, 'gamma goes with schedule = "step" or "exponential"'),
        ({"schedule": "step", "gamma": 0.9}, 'milestones go with schedule = "step"'),
        ({"epsilon": 1e-3}, 'go with optimizer = "rmsprop"'),
        ({"optimizer": "rmsprop", "epsilon": 1e-3}, 'mean_square_decay and epsilon go with optimizer = "rmsprop"'),
        (
            {"optimizer": "rmsprop", "mean_square_decay": 0.9, "epsilon": 1e-3, "nesterov": True},
            'nesterov goes with optimizer = "sgd" only',
        ),
    ],
)
def test_recipes_that_do_not_fit_together(changes, message):
    with pytest.raises(ValidationError, match=message):
        recipe(**changes)


def test_what_can_is_let_through():
    exact = plan(recipe_changes={"batch_size": 64})
    exact.check(*sets())
    assert exact.steps_per_epoch(64) == 1


def test_differences_name_the_nested_key():
    before, now = plan().model_dump(), plan(seed=1, recipe_changes={"lr": 0.2}).model_dump()
    assert differences(before, before) == []
    assert differences(before, now) == ["recipe.lr: 0.1 before, 0.2 now", "seed: 0 before, 1 now"]
    assert differences({"a": 1}, {"b": None}) == ["a: 1 before, None now"]
