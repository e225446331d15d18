"""Plans small enough to be carried out in a second."""

from torch import Tensor, nn

from aabench.catalog import Recipe, Smoke
from aabench.data import ImageSet, synthetic_cifar
from aabench.models import registry
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


class Dropping(nn.Module):
    """A network that draws random numbers in training."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.norm(self.conv(x)).relu().mean((2, 3))
        return self.fc(nn.functional.dropout(x, 0.3, self.training))


def register_dropping() -> None:
    """Enter it as ``dropping``."""
    registry.NETWORKS["dropping"] = lambda *, input_size, num_classes: Dropping(num_classes)


DEMANDING = {
    "model": "dropping",
    "arguments": {},
    "checkpoint_every_steps": 3,
    "recipe_changes": {
        "nesterov": True,
        "ema_decay": 0.8,
        "accumulate": 2,
        "clip_norm": 1.0,
        "label_smoothing": 0.1,
        "warmup_epochs": 0.5,
        "decay_norm_and_bias": False,
    },
}
"""Everything that has a state: momentum, averaged weights, accumulation, dropout, a schedule, a save within epochs."""
