"""Ground truth in COCO's format, checked before anything is judged by it."""

from __future__ import annotations

from pathlib import Path

from aabench.data.coco_content import (
    MEND,
    Content,
    area_faults,
    form_faults,
    object_faults,
    read_lists,
    require_lists,
    value_faults,
)
from aabench.data.coco_json import counted, refuse
from aabench.evaluate.coco_mask import mask_fault


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

    Boxes without area or out of their image are COCO's evaluator's to judge;
    :func:`~aabench.data.coco_boxes.box_faults` names them.

    Args:
        content: as in COCO's file. An annotation without ``iscrowd`` is no crowd.
        name: what errors call it.

    Raises:
        AABenchError: it has another form; an id occurs twice; an annotation is of an unknown image or category, or has
            no box of four finite numbers, or no area. The error names the ids.
    """
    truth = require_lists(content, name)
    refuse(name, form_faults(truth, annotations=("area",)), MEND)
    refuse(name, [*value_faults(truth), *area_faults(truth["annotations"])], MEND)


def check_objects(content: Content, *, name: str = "the ground truth") -> None:
    """Refuse checked ground truth without an object.

    Raises:
        AABenchError: it has none: crowds are none.
    """
    refuse(name, object_faults(content["annotations"]), "give the annotations of these images")


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
