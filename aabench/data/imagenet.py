"""ImageNet in folders, one for each of its 1000 synsets; a label is the place of its synset in sorted order."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from aabench.cores import usable_cores
from aabench.data.image_files import ImageFiles
from aabench.errors import AABenchError, listing

IMAGES = {"train": 1_281_167, "val": 50_000}
"""Images of each split."""


@cache
def synsets() -> tuple[str, ...]:
    """WordNet ids of the 1000 classes, sorted."""
    return tuple(Path(__file__).with_name("imagenet_synsets.txt").read_text(encoding="ascii").split())


def load_imagenet(folder: Path, split: Literal["train", "val"], *, size: int, shorter_side: int) -> ImageFiles:
    """List one split. Its folders are checked against the 1000 synsets; images are read when they are needed.

    Args:
        folder: of the split, with a folder for each synset.
        split: which one it is, for ``source``.
        size: side of the crops, in pixels.
        shorter_side: what an evaluated image's shorter side is resized to.

    Raises:
        AABenchError: a synset is missing, has no image, or is not one of ImageNet's; or a folder cannot be read.
    """
    source = f"ImageNet {split}" + (f", shorter side {shorter_side}, centre {size}" if split == "val" else "")
    return list_images(folder, synsets(), source, size=size, shorter_side=shorter_side)


def list_images(folder: Path, classes: tuple[str, ...], source: str, *, size: int, shorter_side: int) -> ImageFiles:
    """List the images of a folder that has one folder for each class, and no other.

    Every file whose name does not begin with a dot counts as an image: one that is none will be reported as unreadable.

    Raises:
        AABenchError: the folders are not those of ``classes``, or one has no image.
    """
    try:
        found = visible_files(folder)
    except OSError as error:
        raise AABenchError(f"cannot read {error.filename} ({error.strerror}); give a folder that can be") from error
    faults = class_faults(found, classes)
    if faults:
        raise AABenchError(
            f"{folder} does not hold the {len(classes)} classes: {'; '.join(faults)}; "
            "labels go by the sorted order of all folders, so that none may be missing or extra"
        )
    names = [(f"{name}/{file}", label) for label, name in enumerate(classes) for file in found[name]]
    return ImageFiles(
        folder=folder,
        names=tuple(name for name, _ in names),
        labels=torch.tensor([label for _, label in names], dtype=torch.int64),
        num_classes=len(classes),
        source=source,
        size=size,
        shorter_side=shorter_side,
        workers=usable_cores(),
    )


def class_faults(found: dict[str, list[str]], classes: tuple[str, ...]) -> list[str]:
    """What keeps folders (name: its files) from being those of the classes, in words."""
    kinds = {
        "missing": [name for name in classes if name not in found],
        "without an image": [name for name in classes if name in found and not found[name]],
        "extra": sorted(found.keys() - set(classes)),
    }
    return [f"{len(names)} {kind} ({listing(names)})" for kind, names in kinds.items() if names]


def visible_files(folder: Path) -> dict[str, list[str]]:
    """The files of each folder in a folder, sorted. Hidden ones and files beside the folders are left out.

    Raises:
        OSError: a folder cannot be read.
    """
    with os.scandir(folder) as entries:
        folders = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return {name: _visible(folder / name) for name in folders}


def _visible(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith("."))
