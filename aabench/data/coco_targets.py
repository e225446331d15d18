"""Which of COCO's annotations a detector learns: the objects of each image, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aabench.data.coco_boxes import box_fault, fit_boxes
from aabench.data.coco_content import Content

_Array = np.ndarray[Any, Any]

Fault = tuple[int, str]
"""The id of an image, and what is wrong with one of its annotations, in words."""


@dataclass(frozen=True)
class Objects:
    """The objects of all images of an annotation file. One image's are rows of one another: see ``spans``.

    Attributes:
        spans: (N, 2) int64, where the rows of each image begin and end.
        boxes: (M, 4) fp32, corners x1 y1 x2 y2 in pixels of the file, within the image, of some width and height.
        labels: (M,) int64, category ids.
        faults: the annotations that are no targets, or not as they are in the file.
    """

    spans: Tensor
    boxes: Tensor
    labels: Tensor
    faults: tuple[Fault, ...]


def learnt_objects(content: Content) -> Objects:
    """The objects of a checked annotation file that are learnt.

    Crowd boxes are not: COCO ignores them. Nor are boxes without a width or a height, or outside of the image; boxes
    that go beyond it are clipped. Each of these, a crowd's too, is a fault, but less than a pixel beyond the image is
    rounding, and a crowd alone is none.
    """
    annotations = content["annotations"]
    image_ids = np.array([image["id"] for image in content["images"]], dtype=np.int64)
    places = _places(image_ids, np.array([entry["image_id"] for entry in annotations], dtype=np.int64))
    order = np.argsort(places, kind="stable")  # image by image, the objects of each in the file's order
    annotations, places = [annotations[row] for row in order], places[order]
    sides = np.array([(image["width"], image["height"]) for image in content["images"]], dtype=np.float64)
    labels = np.array([entry["category_id"] for entry in annotations], dtype=np.int64)
    limits = sides.reshape(-1, 2)[places]
    fitted = fit_boxes(annotations, limits)
    learnt = fitted.kept & np.array([not entry.get("iscrowd", 0) for entry in annotations], dtype=bool)
    faults = [_fault(annotations[row], limits[row], fitted.kept[row]) for row in np.flatnonzero(fitted.faulty)]
    ends = np.searchsorted(places[learnt], np.arange(len(image_ids) + 1))
    return Objects(
        spans=torch.from_numpy(np.stack([ends[:-1], ends[1:]], 1).astype(np.int64)),
        boxes=torch.from_numpy(fitted.corners[learnt]),
        labels=torch.from_numpy(labels[learnt]),
        faults=tuple(faults),
    )


def _places(image_ids: _Array, wanted: _Array) -> _Array:
    """Where each wanted id stands among those of the images; all of them do."""
    order = np.argsort(image_ids)
    found: _Array = order[np.searchsorted(image_ids, wanted, sorter=order)]
    return found


def _fault(annotation: dict[str, Any], limits: _Array, kept: bool) -> Fault:
    width, height = limits.astype(int).tolist()
    became = "it was clipped" if kept and not annotation.get("iscrowd", 0) else "it is no target"
    return annotation["image_id"], f"{box_fault(annotation, width, height, kept=kept)}; {became}"
