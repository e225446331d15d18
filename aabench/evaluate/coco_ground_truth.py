"""Ground truth in COCO's format, checked before anything is judged by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aabench.errors import AABenchError
from aabench.evaluate.coco_json import is_box, is_id, is_number, read_json, refuse, short
from aabench.evaluate.coco_mask import mask_fault

PARTS = {
    "images": ("id", "width", "height"),
    "categories": ("id",),
    "annotations": ("id", "image_id", "category_id", "bbox", "area"),
}
"""List of a ground truth -> what each of its entries must hold."""

LARGEST_AREA = 1e10
"""Pixels; COCO's ranges of areas end here, and a larger object would count nowhere."""


def read_ground_truth(path: Path) -> dict[str, Any]:
    """A file of annotations as COCO's ``instances_*.json``, checked by :func:`check_ground_truth`.

    Raises:
        AABenchError: it cannot be read, or something in it is wrong.
    """
    content: dict[str, Any] = read_json(path, "a file of annotations as COCO's instances_val2017.json")
    check_ground_truth(content, name=str(path))
    return content


def check_ground_truth(content: object, *, name: str = "the ground truth") -> None:
    """Refuse ground truth that no detection can be judged by.

    Boxes without area or out of their image are COCO's evaluator's to judge.

    Args:
        content: a dict of the lists in :data:`PARTS`. An annotation without ``iscrowd`` is no crowd.
        name: what errors call it.

    Raises:
        AABenchError: it has another form; an id occurs twice; an annotation is of an unknown image or category, or has
            no box of four finite numbers, or no area. The error names the ids.
    """
    images, categories, annotations = _lists_of(content, name)
    for part, entries in zip(PARTS, (images, categories, annotations), strict=True):
        _check_ids(entries, part, name)
    bad = [str(i["id"]) for i in images if not all(is_id(i[side]) and i[side] > 0 for side in ("width", "height"))]
    refuse(name, bad, "images have no width and height in pixels", "give both as whole numbers above 0")
    for key, part, known in (("image_id", "images", images), ("category_id", "categories", categories)):
        ids = {entry["id"] for entry in known}
        refuse(
            name,
            (f"{a['id']} ({key} {short(a[key])})" for a in annotations if not is_id(a[key]) or a[key] not in ids),
            f"annotations have an unknown {key}",
            f"add what is missing to its {part}, or take these annotations out",
        )
    refuse(name, _values_faults(annotations), "annotations cannot be judged by", "mend them, or take them out")


def check_masks(content: dict[str, Any], *, name: str = "the ground truth") -> None:
    """Refuse annotations without a mask, for checked ground truth.

    Raises:
        AABenchError: some mask is missing or malformed, by the annotation's id.
    """
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    found = (
        (annotation["id"], mask_fault(annotation.get("segmentation"), *sizes[annotation["image_id"]], compressed=False))
        for annotation in content["annotations"]
    )
    refuse(
        name,
        (f"{number} ({fault})" for number, fault in found if fault),
        "annotations have no usable segmentation",
        "mend them, or judge boxes (bbox)",
    )


def _lists_of(content: object, name: str) -> list[list[dict[str, Any]]]:
    """The lists of :data:`PARTS`, in this order."""
    expected = f"expected ground truth of COCO's form, a dict of the lists {', '.join(PARTS)}"
    if not isinstance(content, dict):
        raise AABenchError(f"{name}: a {type(content).__name__}, {expected}")
    if missing := [part for part in PARTS if not isinstance(content.get(part), list)]:
        raise AABenchError(f"{name}: no list of {', '.join(missing)}; {expected}")
    for part, keys in PARTS.items():
        refuse(
            name,
            _lacking(content[part], keys),
            f"entries of {part} are not whole",
            f"each is a dict of at least {', '.join(keys)}",
        )
    return [content[part] for part in PARTS]


def _lacking(entries: list[Any], keys: Iterable[str]) -> Iterator[str]:
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield f"[{place}] is a {type(entry).__name__}"
        elif lacking := [key for key in keys if key not in entry]:
            named = f" of id {short(entry['id'])}" if "id" in entry else ""
            yield f"[{place}]{named} lacks {', '.join(lacking)}"


def _check_ids(entries: list[dict[str, Any]], part: str, name: str) -> None:
    refuse(
        name,
        (f"[{place}] {short(entry['id'])}" for place, entry in enumerate(entries) if not is_id(entry["id"])),
        f"ids of {part} are no integers",
        "number them",
    )
    times = Counter(entry["id"] for entry in entries)
    refuse(
        name,
        (f"{number} ({n} times)" for number, n in times.items() if n > 1),
        f"ids of {part} occur more than once",
        "each counts exactly once: take the others out",
    )


def _values_faults(annotations: list[dict[str, Any]]) -> Iterator[str]:
    for annotation in annotations:
        box, area, crowd = annotation["bbox"], annotation["area"], annotation.get("iscrowd", 0)
        if not is_box(box):
            yield f"{annotation['id']} (bbox {short(box)}, not 4 finite numbers)"
        elif not is_number(area) or not 0 <= area <= LARGEST_AREA:
            yield f"{annotation['id']} (area {short(area)}, not a number of pixels up to {LARGEST_AREA:g})"
        elif crowd not in (0, 1):
            yield f"{annotation['id']} (iscrowd {short(crowd)}, neither 0 nor 1)"
