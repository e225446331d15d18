"""A generated stand-in for COCO: the same folders and files, and something to learn. All of it is ours.

On a noisy grey background lie 2 to 4 patches. What a patch is shows in its colour and its stripes, under noise: a small
network learns to find them within some hundred steps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = {
    1: ("red, striped across", (210, 60, 60), (1, 0)),
    2: ("green, striped upright", (60, 180, 60), (0, 1)),
    3: ("blue, chequered", (70, 80, 220), (1, 1)),
}
"""Category id: its name, its colour, and whether it changes from row to row and from column to column."""

OBJECTS = (2, 4)
"""Fewest and most patches of an image."""
SIDES = (3 / 16, 1 / 2)
"""Shortest and longest side of a patch, of the image's: 24 to 64 pixels of 128."""
OVERLAP = 0.1
"""The share of a patch that another one may cover."""
STRIPE = 4
"""Width of a stripe, in pixels."""
CONTRAST = 40
"""How far stripes are from their colour, in grey levels, either way."""
NOISE = 12.0
"""Standard deviation of the noise, in grey levels."""

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels, as in COCO."""


def write_synthetic_coco(root: Path, *, train: int, val: int, size: int = 128, seed: int = 0) -> None:
    """Write both splits below ``ROOT/coco``. The same arguments give the same files.

    The last image of val has no object, and the last object of train's first image is a crowd. There are no
    segmentations.

    Args:
        root: a data root.
        train: images of train2017.
        val: images of val2017; their ids come after those of train.
        size: height and width of the images, in pixels.
        seed: of the images.
    """
    _write_split(root / "coco", "train2017", range(1, train + 1), size, np.random.default_rng([seed, 0]))
    _write_split(root / "coco", "val2017", range(train + 1, train + val + 1), size, np.random.default_rng([seed, 1]))


def _write_split(folder: Path, split: str, image_ids: range, size: int, draw: np.random.Generator) -> None:
    (folder / split).mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id in image_ids:
        name = f"{image_id:012}.jpg"
        empty = split == "val2017" and image_id == image_ids[-1]
        objects = [] if empty else _objects(size, draw)
        Image.fromarray(_picture(size, objects, draw)).save(folder / split / name, quality=90)
        images.append({"id": image_id, "file_name": name, "height": size, "width": size})
        for category, box in objects:
            crowd = split == "train2017" and image_id == image_ids[0] and box == objects[-1][1]
            annotations.append(_annotation(len(annotations) + 1, image_id, category, box, crowd))
    categories = [{"id": category, "name": name, "supercategory": "patch"} for category, (name, *_) in CLASSES.items()]
    content = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content), encoding="ascii")


def _annotation(number: int, image_id: int, category: int, box: Box, crowd: bool) -> dict[str, Any]:
    area = box[2] * box[3]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category,
        "bbox": list(box),
        "area": area,
        "iscrowd": int(crowd),
    }


def _objects(size: int, draw: np.random.Generator) -> list[tuple[int, Box]]:
    """Categories and boxes. Fewer than drawn where the first ones leave no place."""
    wanted = int(draw.integers(OBJECTS[0], OBJECTS[1] + 1))
    shortest, longest = (round(side * size) for side in SIDES)
    found: list[tuple[int, Box]] = []
    for _ in range(100 * wanted):
        width, height = (int(side) for side in draw.integers(shortest, longest + 1, 2))
        box = (int(draw.integers(0, size - width + 1)), int(draw.integers(0, size - height + 1)), width, height)
        if not any(_overlaps(box, other) for _, other in found):
            found.append((int(draw.choice(list(CLASSES))), box))
        if len(found) == wanted:
            break
    return found


def _overlaps(one: Box, other: Box) -> bool:
    """Whether they cover too much of the smaller of them."""
    sides = (
        min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) - max(one[axis], other[axis]) for axis in (0, 1)
    )
    width, height = (max(side, 0) for side in sides)
    return width * height > OVERLAP * min(one[2] * one[3], other[2] * other[3])


def _picture(
    size: int, objects: list[tuple[int, Box]], draw: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(size, size, 3)."""
    picture = np.full((size, size, 3), draw.uniform(90, 150))
    for category, (x, y, width, height) in objects:
        _, colour, (by_row, by_column) = CLASSES[category]
        row, column = np.mgrid[:height, :width] // STRIPE
        sign = 1 - 2 * ((by_row * row + by_column * column) % 2)
        picture[y : y + height, x : x + width] = np.array(colour) + CONTRAST * sign[..., None]
    picture += draw.normal(0, NOISE, picture.shape)
    return picture.round().clip(0, 255).astype(np.uint8)
