"""Where COCO lies below a data root. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

COCO_SPLITS: dict[Literal["train", "test"], str] = {"train": "train2017", "test": "val2017"}
"""What COCO's splits are called."""

COCO_IMAGES: dict[str, int] = {"train": 118_287, "test": 5_000}
"""How many images they have."""


def coco_files(split: Literal["train", "test"], data_root: Path) -> tuple[Path, Path]:
    """The folder of a split's images and its annotation file, there or not: ``ROOT/coco/{train2017,val2017}`` and
    ``ROOT/coco/annotations/instances_{train2017,val2017}.json``, or below ROOT itself where it has no ``coco`` but
    ``annotations``.
    """
    itself = not (data_root / "coco").is_dir() and (data_root / "annotations").is_dir()
    folder, name = data_root if itself else data_root / "coco", COCO_SPLITS[split]
    return folder / name, folder / "annotations" / f"instances_{name}.json"
