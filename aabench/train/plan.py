"""Plan: everything that determines a training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveInt

from aabench.catalog import Recipe
from aabench.catalog.schema import Argument, Frozen, NormalisationName
from aabench.data.either import AnyImages
from aabench.errors import AABenchError


class BackboneWeights(Frozen):
    """A file with a classifier's weights, which a detector's backbone starts from."""

    file: str
    sha256: str


class Plan(Frozen):
    """A model, a recipe and a seed. Two trainings of one plan on one data set differ in nothing (on a CPU)."""

    task: str
    model: str
    arguments: dict[str, Argument] = Field(default_factory=dict)
    input_size: PositiveInt
    num_classes: PositiveInt
    normalisation: NormalisationName
    recipe: Recipe
    backbone: BackboneWeights | None = None
    """What the backbone of a detector starts from; None: anew."""
    seed: int = 0
    device: Literal["cpu", "cuda"] = "cpu"
    channels_last: bool = False
    """Memory format of weights and activations."""
    max_steps: PositiveInt | None = None
    """Train for so many steps instead of the recipe's epochs; its schedule is squeezed into them."""
    eval_every: PositiveInt = 1
    """Evaluate after every so many epochs, and at the end."""
    checkpoint_every_steps: PositiveInt | None = None
    """Save the state within epochs too; after each epoch it is saved anyway."""

    def settings(self) -> dict[str, Any]:
        """All of it that determines a training: where a number came from, the smoke run and a file's name do not."""
        return self.model_dump(mode="json", exclude={"recipe": {"source", "smoke"}, "backbone": {"file"}})

    def steps_per_epoch(self, images: int) -> int:
        """Whole batches in the training set. The rest of an epoch's order, another one each epoch, is not used."""
        return images // self.recipe.batch_size

    def total_steps(self, images: int) -> int:
        """Optimizer steps of the whole training, for a training set of so many images."""
        return self.max_steps or self.recipe.epochs * self.steps_per_epoch(images)

    def check(self, train_set: AnyImages, test_set: AnyImages) -> None:
        """Check that it can be carried out on these sets.

        Raises:
            AABenchError: it cannot.
        """
        for data in (train_set, test_set):
            if data.num_classes != self.num_classes:
                raise AABenchError(
                    f"{self.task} is built for {self.num_classes} classes and {data.source} has {data.num_classes}: "
                    "train it on the data set that it was built for"
                )
        if len(train_set) < self.recipe.batch_size:
            raise AABenchError(
                f"a batch of {self.recipe.batch_size} images cannot be drawn from {train_set.source}, "
                f"which has {len(train_set)}: take a smaller batch size or a larger set"
            )
        if self.recipe.augmentation != train_set.augmentation:
            raise AABenchError(
                f"recipe {self.recipe.name} asks for the augmentation {self.recipe.augmentation!r}, and "
                f"{train_set.source} is shown with {train_set.augmentation!r} only: choose a recipe that has that"
            )


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested settings, as ``recipe.lr: 0.1 before, 0.2 now``."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key}: {old!r} before, {new!r} now")
    return found
