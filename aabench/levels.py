"""Which levels of a reproduction are within reach: from a task, a data root and a device. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aabench.catalog import Task
from aabench.errors import NotMeasurable
from aabench.places import coco_files

Level = Literal["structure", "smoke", "eval", "train"]
LEVELS: tuple[Level, ...] = ("structure", "smoke", "eval", "train")
"""From the cheapest to the one that settles the most."""

Split = Literal["train", "test"]

_CIFAR10_NAMES, _CIFAR100_NAMES = "cifar-10-batches-py/batches.meta", "cifar-100-python/meta"

SPLIT_FILES: dict[str, dict[Split, tuple[str, ...]]] = {
    "cifar10": {
        "train": (*(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)), _CIFAR10_NAMES),
        "test": ("cifar-10-batches-py/test_batch", _CIFAR10_NAMES),
    },
    "cifar100": {
        "train": ("cifar-100-python/train", _CIFAR100_NAMES),
        "test": ("cifar-100-python/test", _CIFAR100_NAMES),
    },
}
"""The files of each split of CIFAR, below the data root."""

IMAGE_FOLDERS: dict[Split, str] = {"train": "train", "test": "val"}
"""What ImageNet's splits are called in an ImageFolder root."""

IMAGENET1000 = "imagenet1000/val"
"""Where the data bundle's ImageNet images lie, below the data root: a test set only."""

TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet": "ImageNet",
    "imagenet1000": "ImageNet (imagenet1000)",
    "coco": "COCO",
}


@dataclass(frozen=True)
class Reach:
    """What can be done with one task here."""

    task: str
    level: Level | None
    """The highest level that what is at hand allows, taken without ``--level``; None for a blocked task."""
    missing: dict[Level, str]
    """What stands between here and each level that is not taken by default."""
    possible: tuple[Level, ...]
    """What can be asked for: as ``missing`` says, and training on the CPU, which is too slow to be a default."""
    offered: tuple[Level, ...]
    """The levels that the task defines: one without a recipe has nothing to train."""
    real_smoke: bool
    """Whether a smoke run finds real CIFAR-100; else it trains on a synthetic stand-in, as every detector does."""

    @property
    def next(self) -> tuple[Level, str] | None:
        """The next level that the task defines above this one, and what is missing for it."""
        above = LEVELS if self.level is None else LEVELS[LEVELS.index(self.level) + 1 :]
        return next(((level, self.missing[level]) for level in above if level in self.offered), None)

    def require(self, level: Level) -> None:
        """Check that a level can be run here.

        Raises:
            NotMeasurable: it cannot; says what is missing.
        """
        if self.level is None:
            raise NotMeasurable(f"{self.task} is blocked: {self.missing[level]}")
        if level not in self.possible:
            raise NotMeasurable(f"{self.task}: level {level} needs {self.missing[level]}")


def reachable(
    task: Task,
    *,
    data_root: Path | None,
    device: str,
    checkpoint: Path | None = None,
    backbone: Path | Literal["none"] | None = None,
) -> Reach:
    """The levels of a task within reach. Files are looked for, not read: a corrupt one is found when it is loaded.

    Args:
        task: the task.
        data_root: the folder of the data sets (``--data``), or None without one.
        device: the type of the device that would be used, ``cpu`` or ``cuda``.
        checkpoint: weights to evaluate (``--checkpoint``); the task's own published ones lie below the data root.
        backbone: what a detector's backbone starts from (``--backbone``).
    """
    if task.obstacle is not None:
        missing = dict.fromkeys(LEVELS, task.obstacle)
        return Reach(task.name, None, missing, possible=(), offered=LEVELS, real_smoke=False)
    weights = _no_weights(task, data_root, checkpoint)
    lacking = {
        "structure": [],
        "smoke": _no_recipe(task),
        "eval": [*weights, *missing_split(task.data, "test", data_root)],
        "train": [*_no_recipe(task), *_no_data(task.data, data_root), *_no_backbone(task, backbone)],
    }
    possible = tuple(level for level in LEVELS if not lacking[level])
    if device != "cuda":
        lacking["train"].append("a CUDA device (--level train trains on the CPU)")
    missing = {level: " and ".join(lacking[level]) for level in LEVELS if lacking[level]}
    return Reach(
        task=task.name,
        level=[level for level in LEVELS if level not in missing][-1],
        missing=missing,
        possible=possible,
        offered=("structure", "eval") if task.recipe is None else LEVELS,
        real_smoke=task.data != "coco"
        and not any(missing_split("cifar100", split, data_root) for split in SPLIT_FILES["cifar100"]),
    )


def _no_recipe(task: Task) -> list[str]:
    return ["a recipe (the task is only evaluated)"] if task.recipe is None else []


def _no_backbone(task: Task, given: Path | Literal["none"] | None) -> list[str]:
    if isinstance(given, Path) and not given.is_file():
        return [f"the backbone's weights ({given} is not there)"]
    if task.backbone is None or given is not None:
        return []
    return [f"the weights of {task.backbone} for its backbone (--backbone FILE; --backbone none starts it anew)"]


def _no_weights(task: Task, data_root: Path | None, checkpoint: Path | None) -> list[str]:
    if checkpoint is not None:
        return [] if checkpoint.is_file() else [f"weights ({checkpoint} is not there)"]
    if task.checkpoint is None:
        return ["weights (--checkpoint FILE)"]
    if data_root is None:
        return [f"weights ({task.checkpoint} below a data root, or --checkpoint FILE)"]
    path = data_root / task.checkpoint
    fetched = "--download fetches it; " if task.torchvision_weights is not None else ""
    return [] if path.is_file() else [f"weights ({path} is not there; {fetched}or --checkpoint FILE)"]


def image_folder(data: str, split: Split, data_root: Path) -> Path:
    """Where a split of ImageNet lies, there or not: ``ROOT/imagenet/{train,val}``, or ``ROOT/{train,val}`` where ROOT
    has no ``imagenet`` but one of these; of imagenet1000, ``ROOT/imagenet1000/val``.
    """
    if data == "imagenet1000":
        return data_root / IMAGENET1000
    itself = not (data_root / "imagenet").is_dir() and any(
        (data_root / name).is_dir() for name in IMAGE_FOLDERS.values()
    )
    return (data_root if itself else data_root / "imagenet") / IMAGE_FOLDERS[split]


def _no_data(data: str, data_root: Path | None) -> list[str]:
    """What is missing to train: both splits, since every epoch is scored."""
    if data == "imagenet1000":
        return ["a training split (the data set has none)"]
    missing = [missing_split(data, split, data_root) for split in ("train", "test")]
    return missing[0] or missing[1]


def missing_split(data: str, split: Split, data_root: Path | None) -> list[str]:
    """What is missing of a split, in words; nothing, if it is there."""
    name = f"the {TITLES[data]} {split} split"
    if data_root is None:
        return [f"{name} (--data ROOT, or AABENCH_DATA)"]
    if data == "coco":
        absent = [path for path in coco_files(split, data_root) if not path.exists()]
        return [f"{name} ({path} is not there)" for path in absent[:1]]
    if data not in SPLIT_FILES:
        folder = image_folder(data, split, data_root)
        return [] if folder.is_dir() else [f"{name} ({folder} is not there)"]
    files = [file for file in SPLIT_FILES[data][split] if not (data_root / file).is_file()]
    return [f"{name} ({data_root / files[0]} is not there; --download fetches it)"] if files else []
