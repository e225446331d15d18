"""Plans small enough to be carried out in a second."""

from aabench.catalog import Recipe, Smoke
from aabench.data import ImageSet, synthetic_cifar
from aabench.train import Plan

CLASSES = 4


def recipe(**changes) -> Recipe:
    """A recipe of 2 epochs of 16 images a batch, cosine."""
    fields = {
        "name": "small",
        "epochs": 2,
        "batch_size": 16,
        "lr": 0.1,
        "lr_batch": 16,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "decay_norm_and_bias": True,
        "schedule": "cosine",
        "warmup_epochs": 0,
        "label_smoothing": 0.0,
        "augmentation": "crop-flip",
        "smoke": Smoke(input_size=8, steps=40, batch_size=16, lr=0.1, times_chance=1.2),
        **changes,
    }
    return Recipe(**fields, source=dict.fromkeys(Recipe.model_fields, "ours"))


def plan(*, recipe_changes=None, **changes) -> Plan:
    """A Wide-ResNet-10-1 on 8x8 pixels."""
    fields = {
        "task": "small-task",
        "model": "wide_resnet",
        "arguments": {"depth": 10, "width": 1},
        "input_size": 8,
        "num_classes": CLASSES,
        "normalisation": "cifar100",
        "recipe": recipe(**(recipe_changes or {})),
        **changes,
    }
    return Plan(**fields)


def sets(train: int = 64, test: int = 32) -> tuple[ImageSet, ImageSet]:
    """Synthetic images of 4 classes: with 64, an epoch has 4 steps."""
    return (
        synthetic_cifar(CLASSES, "train", images_per_class=train // CLASSES),
        synthetic_cifar(CLASSES, "test", images_per_class=test // CLASSES),
    )
