"""Ground truth in COCO's format, checked before anything is judged by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aabench.data.coco_content import MEND, Content, form_faults, read_lists, require_lists, value_faults, with_value
from aabench.data.coco_json import counted, is_number, refuse
from aabench.evaluate.coco_mask import mask_fault

LARGEST_AREA = 1e10
"""Pixels; COCO's ranges of areas end here, and a larger object would count nowhere."""


def read_ground_truth(path: Path) -> Content:
    """A file of annotations as COCO's ``instances_*.json``, checked by :func:`check_ground_truth`.

    Raises:
        AABenchError: it cannot be read, or something in it is wrong.
    """
    content = read_lists(path)
    check_ground_truth(content, name=str(path))
    return content


def check_ground_truth(content: object, *, name: str = "the ground truth") -> None:
    """Refuse ground truth that no detection can be judged by.

    Boxes without area or out of their image are COCO's evaluator's to judge.

    Args:
        content: as in COCO's file. An annotation without ``iscrowd`` is no crowd.
        name: what errors call it.

    Raises:
        AABenchError: it has another form; an id occurs twice; an annotation is of an unknown image or category, or has
            no box of four finite numbers, or no area. The error names the ids.
    """
    truth = require_lists(content, name)
    refuse(name, form_faults(truth, annotations=("area",)), MEND)
    refuse(name, [*value_faults(truth), *_judging_faults(truth["annotations"])], MEND)


def _judging_faults(annotations: list[dict[str, Any]]) -> list[str]:
    areas = (a for a in annotations if not is_number(a["area"]) or not 0 <= a["area"] <= LARGEST_AREA)
    crowds = (a for a in annotations if a.get("iscrowd", 0) not in (0, 1))
    return [
        *counted(with_value(areas, "area"), f"annotations have an area that is not 0 to {LARGEST_AREA:g} pixels"),
        *counted(with_value(crowds, "iscrowd"), "annotations have an iscrowd that is neither 0 nor 1"),
    ]


def check_masks(content: Content, *, name: str = "the ground truth") -> None:
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
        counted((f"{number} ({fault})" for number, fault in found if fault), "annotations have no usable segmentation"),
        "mend them, or judge boxes (bbox)",
    )
