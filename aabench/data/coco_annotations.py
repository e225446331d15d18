"""Annotations that training data need: checked with their images, and no more of them in memory than is needed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from aabench.data.coco_content import (
    MEND,
    Content,
    area_faults,
    form_faults,
    object_faults,
    read_lists,
    value_faults,
    with_value,
)
from aabench.data.coco_json import counted, refuse, short
from aabench.errors import AABenchError, listing

CATEGORIES = 90
"""COCO's category ids go from 1 to 90; 80 of them are used."""


def read_content(file: Path, folder: Path, *, judged: bool) -> Content:
    """Read an annotation file and check it, without its segmentations: they are three quarters of COCO's.

    Args:
        file: the annotation file.
        folder: where its images lie. They are looked for, not read.
        judged: whether detections will be judged by it, which needs an object, and an area of each annotation. Better
            refused now than after an epoch.

    Raises:
        AABenchError: the file or the folder cannot be read, or the file is no JSON or not in COCO's format; or what is
            in it is wrong (:func:`value_faults`), a category is not from 1 to 90, an image is not in the folder, or
            two are of one file; or it is to be judged by, and cannot be. All faults are named, by their ids.
    """
    content = read_lists(file, _without_segmentation)
    judging = {"annotations": ("area",)} if judged else {}
    refuse(str(file), form_faults(content, images=("file_name",), **judging), MEND)
    beyond = (entry for entry in content["annotations"] if entry["category_id"] not in range(1, CATEGORIES + 1))
    faults = [
        *value_faults(content),
        *counted(with_value(beyond, "category_id"), f"annotations have a category_id that is not 1 to {CATEGORIES}"),
        *(area_faults(content["annotations"]) + object_faults(content["annotations"]) if judged else ()),
        *_missing_images(content["images"], folder),
        *_shared_files(content["images"]),
    ]
    refuse(str(file), faults, MEND)
    return content


def annotations_of(file: Path, image_ids: Collection[int]) -> Content:
    """An annotation file as it is, with only these images, in this order, and their annotations.

    Raises:
        AABenchError: it cannot be read or has not COCO's lists, or an image is not in it.
    """
    wanted = set(image_ids)

    def kept(entry: dict[str, Any]) -> dict[str, Any] | None:
        return entry if "image_id" not in entry or entry["image_id"] in wanted else None

    content = read_lists(file, kept)  # what is not wanted goes at once: the whole of train2017 would take gigabytes
    images = {image["id"]: image for image in content["images"]}
    gone = [str(image) for image in image_ids if image not in images]
    if gone:
        raise AABenchError(f"{file} has changed: no image {listing(gone)} in it any more; load the data set again")
    annotations = [annotation for annotation in content["annotations"] if annotation is not None]
    return {**content, "images": [images[image] for image in image_ids], "annotations": annotations}


def _without_segmentation(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("segmentation", None)
    return entry


def _missing_images(images: list[dict[str, Any]], folder: Path) -> list[str]:
    """Images that are not in the folder. One look at the whole of it, not one for each of 118,287 images."""
    try:
        with os.scandir(folder) as entries:
            there = {entry.name for entry in entries}
    except OSError as error:
        raise AABenchError(f"cannot read {folder} ({error.strerror}); give the folder of the images") from error
    names = ((image["id"], image["file_name"]) for image in images)
    gone = (f"{number} ({short(name)})" for number, name in names if type(name) is not str or name not in there)
    return counted(gone, f"of its {len(images)} images are not in {folder}")


def _shared_files(images: list[dict[str, Any]]) -> list[str]:
    """Files that are given for several images: an unreadable image is known by its file's name."""
    ids = defaultdict(list)
    for image in images:
        if type(image["file_name"]) is str:  # others are missing images
            ids[image["file_name"]].append(str(image["id"]))
    shared = (f"{short(name)} (ids {', '.join(each)})" for name, each in ids.items() if len(each) > 1)
    return counted(shared, "files are given for more than one image")
