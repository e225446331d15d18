"""The data set of a task: load it, download it, say what of it is not whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aabench.catalog import Task
from aabench.errors import AABenchError
from aabench.levels import Split, image_folder
from aabench.places import COCO_IMAGES

if TYPE_CHECKING:
    from aabench.data.either import AnyImages


def load(task: Task, data_root: Path, split: Split) -> AnyImages:
    """One split of a task's data set.

    Raises:
        AABenchError: it is not there, or is damaged.
    """
    from aabench.data import load_cifar, load_coco, load_imagenet

    if task.data in ("cifar10", "cifar100"):
        return load_cifar(task.data, data_root, split)
    if task.data == "coco":
        assert task.framing is not None  # the task was checked for it
        return load_coco(data_root, split, size=task.input_size, framing=task.framing)
    folder = image_folder(task.data, split, data_root)
    name: Literal["train", "val"] = "train" if split == "train" else "val"
    return load_imagenet(folder, name, size=task.input_size, shorter_side=task.shorter_side)


def partial(task: Task, **sets: AnyImages) -> dict[str, str]:
    """ImageNet's and COCO's splits with another number of images than they have: what is measured on them is not
    judged.
    """
    from aabench.data.imagenet import IMAGES

    if task.data not in ("imagenet", "coco"):
        return {}
    imagenet = {"train": IMAGES["train"], "test": IMAGES["val"]}
    whole: Mapping[str, int] = imagenet if task.data == "imagenet" else COCO_IMAGES
    return {
        f"{name}_set": f"{len(data):,} of {whole[name]:,} images"
        for name, data in sets.items()
        if len(data) != whole[name]
    }


def fetch(task: Task, data_root: Path | None) -> None:
    """Download what is missing of a task's data set and of its weights into the data root: CIFAR, and torchvision's.

    Raises:
        AABenchError: no data root to put it in, nothing of the task that can be downloaded, or the download failed.
    """
    from aabench.data import load_cifar
    from aabench.train import fetch_weights

    if data_root is None:
        raise AABenchError("--download needs a folder to put the data in: give --data DIR")
    if task.torchvision_weights is not None and task.checkpoint is not None:
        fetch_weights(task.torchvision_weights, data_root / task.checkpoint)
    elif task.data not in ("cifar10", "cifar100"):
        raise AABenchError(f"{task.name}: {task.data} cannot be downloaded by aabench; give --data DIR that holds it")
    if task.data in ("cifar10", "cifar100"):
        for split in ("train", "test"):
            load_cifar(task.data, data_root, split, download=True)
