"""Boxes of COCO's annotations against their images: which have no area or go beyond, named by their ids."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from aabench.data.coco_content import Content

_Array = np.ndarray[Any, Any]


class FittedBoxes(NamedTuple):
    """Boxes clipped to their images.

    Attributes:
        corners: (M, 4) fp32, x1 y1 x2 y2 in pixels, within the image.
        kept: (M,) bool, whether some width and height is left.
        faulty: (M,) bool, whether none is left, or the box goes beyond its image. Less than a pixel is rounding.
    """

    corners: _Array
    kept: _Array
    faulty: _Array


def fit_boxes(annotations: list[dict[str, Any]], limits: _Array) -> FittedBoxes:
    """Clip boxes.

    Args:
        annotations: M checked ones.
        limits: (M, 2) width and height of the image of each, in pixels.
    """
    boxes = np.array([entry["bbox"] for entry in annotations], dtype=np.float64).reshape(-1, 4)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)  # x y width height -> x1 y1 x2 y2
    clipped = np.clip(corners, 0, np.tile(limits, 2)).astype(np.float32)
    kept = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    beyond = np.maximum(-corners[:, :2], corners[:, 2:] - limits).max(1, initial=0)
    return FittedBoxes(clipped, kept, ~kept | (beyond >= 1))


def box_fault(annotation: dict[str, Any], width: int, height: int, *, kept: bool) -> str:
    """What is wrong with a faulty box, in words.

    Args:
        annotation: whose box it is.
        width: of its image, in pixels.
        height: likewise.
        kept: whether some of the box is left within the image.
    """
    x, y, box_width, box_height = annotation["bbox"]
    crowd = "crowd " if annotation.get("iscrowd", 0) else ""
    box = f"the {crowd}box of annotation {annotation['id']} of image {annotation['image_id']}"
    if box_width <= 0 or box_height <= 0:
        return f"{box} is {box_width:g} x {box_height:g} pixels large"
    how = "goes beyond" if kept else "leaves nothing within"
    return f"{box} (x {x:g}, y {y:g}, {box_width:g} x {box_height:g}) {how} the image's {width} x {height} pixels"


def box_faults(content: Content) -> tuple[str, ...]:
    """All faulty boxes of checked annotations, crowds too, in the file's order."""
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    annotations = content["annotations"]
    limits = np.array([sizes[entry["image_id"]] for entry in annotations], dtype=np.float64).reshape(-1, 2)
    fitted = fit_boxes(annotations, limits)
    return tuple(
        box_fault(annotations[row], *sizes[annotations[row]["image_id"]], kept=bool(fitted.kept[row]))
        for row in np.flatnonzero(fitted.faulty)
    )
