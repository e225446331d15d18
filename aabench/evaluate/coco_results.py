"""Detections in COCO's results format, checked before they are judged: what is wrong is named, nothing is dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal

from aabench.data.coco_json import counted, is_box, is_id, is_number, read_json, refuse, short
from aabench.errors import AABenchError
from aabench.evaluate.coco_mask import mask_fault

IouType = Literal["bbox", "segm"]
"""What is compared with the ground truth: boxes or masks."""

PLACES: dict[IouType, str] = {"bbox": "bbox", "segm": "segmentation"}
"""What a detection must hold for an :data:`IouType`."""

WANTED = "a list of detections: dicts of image_id, category_id, score and bbox (x y width height) or segmentation"

BOX = "expected x y width height, in pixels"

MARGIN = 0.05
"""Share of an image's side by which a box must reach beyond it to do so clearly, and a pixel at least: ours."""

FIT = 0.95
CLEARLY_BEYOND = 0.1
"""Boxes are taken for corners where at least ``FIT`` of them fit as corners, and more than ``CLEARLY_BEYOND`` of them,
read as x y width height, clearly do not: ours. See :func:`_check_not_corners`."""


def read_results(path: Path) -> list[Any]:
    """A file of detections in COCO's results format; :func:`check_results` checks what they are.

    Raises:
        AABenchError: it cannot be read, or holds no list.
    """
    return _as_list(read_json(path, f"COCO's results format, {WANTED}"), str(path))


def check_results(
    results: object, ground_truth: dict[str, Any], *, iou_type: IouType = "bbox", name: str = "the results"
) -> None:
    """Refuse detections that cannot be judged, or would be judged wrongly.

    Boxes may reach beyond their image, as those of a detector that does not clip; any number for an image is legal.

    Args:
        results: a list of detections. Errors give the place in it, from 0.
        ground_truth: checked.
        iou_type: what is to be judged.
        name: what errors call them.

    Raises:
        AABenchError: it is no list of dicts with the keys needed; an image or category is not the ground truth's; a
            score, box or mask is none; or the boxes are corners, x1 y1 x2 y2. The error names image ids and places.
    """
    results = _as_list(results, name)
    total = len(results)
    not_whole = counted(_lacking(results, PLACES[iou_type]), f"of {total} detections are not whole")
    refuse(name, not_whole, f"expected {WANTED}")
    sizes = {image["id"]: (image["width"], image["height"]) for image in ground_truth["images"]}
    _check_known(results, sizes, {category["id"] for category in ground_truth["categories"]}, name)
    scoreless = (
        f"{label(place, d)}: {short(d['score'])}" for place, d in enumerate(results) if not is_number(d["score"])
    )
    refuse(
        name,
        counted(scoreless, f"of {total} detections have a score that is no finite number"),
        "a score orders them, greatest first",
    )
    if iou_type == "bbox":
        _check_boxes(results, sizes, name)
    else:
        _check_masks(results, sizes, name)


def label(place: int, detection: dict[str, Any]) -> str:
    """How an error names a detection."""
    return f"[{place}] of image {short(detection['image_id'])}"


def _check_known(results: list[dict[str, Any]], sizes: Collection[int], categories: Collection[int], name: str) -> None:
    total = len(results)
    images = (
        label(place, d) for place, d in enumerate(results) if not is_id(d["image_id"]) or d["image_id"] not in sizes
    )
    refuse(
        name,
        counted(images, f"of {total} detections are of an unknown image"),
        f"judge them by the ground truth of their own images (this one has {len(sizes)})",
    )
    unknown = (
        f"{label(place, d)}: category_id {short(d['category_id'])}"
        for place, d in enumerate(results)
        if not is_id(d["category_id"]) or d["category_id"] not in categories
    )
    refuse(
        name,
        counted(unknown, f"of {total} detections are of an unknown category"),
        f"give the category ids of the ground truth (it has {len(categories)}), not a network's class indices",
    )


def _as_list(content: object, name: str) -> list[Any]:
    if not isinstance(content, list):
        raise AABenchError(f"{name}: a {type(content).__name__}, expected {WANTED}")
    return content


def _lacking(results: list[Any], key: str) -> Iterator[str]:
    for place, detection in enumerate(results):
        if not isinstance(detection, dict):
            yield f"[{place}] is a {type(detection).__name__}"
            continue
        lacking = [needed for needed in ("image_id", "category_id", "score", key) if needed not in detection]
        if lacking:
            where = label(place, detection) if "image_id" in detection else f"[{place}]"
            yield f"{where} lacks {', '.join(lacking)}"


def _check_boxes(results: list[dict[str, Any]], sizes: dict[int, tuple[int, int]], name: str) -> None:
    total = len(results)
    boxless = (f"{label(place, d)}: {short(d['bbox'])}" for place, d in enumerate(results) if not is_box(d["bbox"]))
    refuse(name, counted(boxless, f"of {total} detections have a bbox that is not 4 finite numbers"), BOX)
    negative = (f"{label(place, d)}: {d['bbox']}" for place, d in enumerate(results) if min(d["bbox"][2:]) < 0)
    refuse(name, counted(negative, f"of {total} detections have a bbox of negative width or height"), BOX)
    _check_not_corners(results, sizes, name)


def _check_not_corners(results: list[dict[str, Any]], sizes: dict[int, tuple[int, int]], name: str) -> None:
    """Refuse boxes that are corners, x1 y1 x2 y2, told by shares of all boxes.

    A few boxes beyond their images, or barely so, are a detector's that does not clip, in either form. Many clearly
    beyond are corners, if nearly all boxes fit as such: of boxes x y width height many are smaller than their x or y.
    In a list of less than 20 each box must fit as corners, and in one of up to 9 a single box clearly beyond is enough:
    there so few boxes x y width height may be refused wrongly. Clipped to their images they never are.
    """
    fits, beyond = 0, []
    for place, detection in enumerate(results):
        (x, y, width, height), sides = detection["bbox"], sizes[detection["image_id"]]
        across, down = (max(MARGIN * side, 1) for side in sides)
        right, bottom = sides[0] + across, sides[1] + down
        fits += -across <= x <= width <= right and -down <= y <= height <= bottom
        if x + width > right or y + height > bottom:
            beyond.append((place, detection))
    total = len(results)
    if fits >= FIT * total and len(beyond) > CLEARLY_BEYOND * total:
        place, first = beyond[0]
        size = "x".join(map(str, sizes[first["image_id"]]))
        raise AABenchError(
            f"{name}: the boxes are corners, x1 y1 x2 y2: read so, {fits} of {total} lie within their images; read as "
            f"COCO's x y width height, {len(beyond)} go far beyond, the first being {label(place, first)}: "
            f"{first['bbox']} in {size} pixels; write x y width height (if they are, clip them to the images)"
        )


def _check_masks(results: list[dict[str, Any]], sizes: dict[int, tuple[int, int]], name: str) -> None:
    found = (
        (label(place, d), mask_fault(d["segmentation"], *sizes[d["image_id"]], compressed=True))
        for place, d in enumerate(results)
    )
    maskless = (f"{where} ({fault})" for where, fault in found if fault)
    refuse(
        name,
        counted(maskless, f"of {len(results)} detections have no mask of their image"),
        "COCO wants compressed run lengths (RLE) at the image's own size",
    )
