"""Reading an annotation file in COCO's format, and the checks that it and its images go through."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from aabench.errors import AABenchError, listing

CATEGORIES = 90
"""COCO's category ids go from 1 to 90; 80 of them are used."""

Content = dict[str, Any]
"""An annotation file: at least ``images``, ``annotations`` and ``categories``, each a list of dicts."""

_LISTS = ("images", "annotations", "categories")


def read_content(file: Path, folder: Path) -> Content:
    """Read an annotation file and check it, without its segmentations: they are three quarters of COCO's.

    Args:
        file: the annotation file.
        folder: where its images lie. They are looked for, not read.

    Raises:
        AABenchError: the file or the folder cannot be read, it is no JSON or not in COCO's format, or what is in it
            does not fit together: ids that occur twice or that nothing has, boxes that are no four finite numbers,
            images that are not in the folder. All faults are named, by their ids.
    """
    content = parse(file, _without_segmentation)
    faults = list(_format_faults(content)) or [*_id_faults(content), *_image_faults(content, folder)]
    if faults:
        raise AABenchError(f"{file} cannot be used: {'; '.join(faults)}; give a whole COCO set, or fetch it again")
    return content


def parse(file: Path, each: Callable[[dict[str, Any]], Any] | None = None) -> Content:
    """An annotation file's JSON; ``each`` replaces every object in it, from the inside out.

    Raises:
        AABenchError: it cannot be read, is no JSON, or has not the three lists.
    """
    try:
        content = json.loads(file.read_bytes(), object_hook=each)
    except OSError as error:
        raise AABenchError(f"cannot read {file} ({error.strerror}); give COCO's annotation file") from error
    except ValueError as error:  # no JSON, or no text
        raise AABenchError(f"{file} is no JSON ({error}); fetch COCO's annotations again") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(name), list) for name in _LISTS):
        raise AABenchError(f"{file} is not in COCO's format: it needs the lists {', '.join(_LISTS)}")
    return content


def annotations_of(file: Path, image_ids: Collection[int]) -> Content:
    """An annotation file as it is, with only these images, in this order, and their annotations.

    Raises:
        AABenchError: as :func:`parse`; or an image is not in it.
    """
    wanted = set(image_ids)

    def kept(entry: dict[str, Any]) -> dict[str, Any] | None:
        return entry if "image_id" not in entry or entry["image_id"] in wanted else None

    content = parse(file, kept)  # what is not wanted goes at once: the whole of train2017 would take gigabytes
    images = {image["id"]: image for image in content["images"]}
    gone = [str(image) for image in image_ids if image not in images]
    if gone:
        raise AABenchError(f"{file} has changed: no image {listing(gone)} in it any more; load the data set again")
    annotations = [annotation for annotation in content["annotations"] if annotation is not None]
    return {**content, "images": [images[image] for image in image_ids], "annotations": annotations}


def _without_segmentation(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("segmentation", None)
    return entry


def _is_image(entry: Any) -> bool:
    return (
        type(entry) is dict
        and type(entry.get("id")) is int
        and type(entry.get("file_name")) is str
        and all(type(entry.get(side)) is int and entry[side] > 0 for side in ("height", "width"))
    )


def _is_annotation(entry: Any) -> bool:
    return (
        type(entry) is dict
        and type(entry.get("id")) is int
        and type(entry.get("image_id")) is int
        and type(entry.get("category_id")) is int
    )


def _is_category(entry: Any) -> bool:
    return type(entry) is dict and type(entry.get("id")) is int


def _has_box(entry: Any) -> bool:
    box = entry.get("bbox") if type(entry) is dict else None
    return (
        type(box) is list
        and len(box) == 4
        and all(type(value) in (float, int) and abs(value) <= sys.float_info.max for value in box)
    )


_FORMAT = (
    ("images", "without id, file_name, height and width", _is_image),
    ("annotations", "without id, image_id and category_id", _is_annotation),
    ("categories", "without id", _is_category),
    ("annotations", "whose bbox is not four finite numbers", _has_box),
)


def _format_faults(content: Content) -> Iterator[str]:
    """Entries that are not as they have to be for the other checks."""
    for kind, fault, good in _FORMAT:
        wrong = [_named(kind, place, entry) for place, entry in enumerate(content[kind]) if not good(entry)]
        if wrong:
            yield f"{len(wrong)} {kind} {fault}: {listing(wrong)}"


def _named(kind: str, place: int, entry: Any) -> str:
    return f"id {entry['id']}" if isinstance(entry, dict) and "id" in entry else f"{kind}[{place}]"


def _id_faults(content: Content) -> Iterator[str]:
    """Ids that occur twice, and ids that nothing has."""
    images, categories = ({entry["id"] for entry in content[kind]} for kind in ("images", "categories"))
    annotations = content["annotations"]
    for kind in ("images", "annotations"):
        twice = [str(number) for number, times in Counter(entry["id"] for entry in content[kind]).items() if times > 1]
        if twice:
            yield f"ids of {kind} that occur more than once: {listing(twice)}"
    strange = [f"{entry['id']} (image {entry['image_id']})" for entry in annotations if entry["image_id"] not in images]
    if strange:
        yield f"annotations of images that it does not have: {listing(strange)}"
    known = categories & set(range(1, CATEGORIES + 1))
    strange = [
        f"{entry['id']} (category {entry['category_id']})" for entry in annotations if entry["category_id"] not in known
    ]
    if strange:
        yield f"annotations of categories that it does not have, or not from 1 to {CATEGORIES}: {listing(strange)}"


def _image_faults(content: Content, folder: Path) -> Iterator[str]:
    """Images that are not in the folder. One look at the whole of it, not one for each of 118,287 images."""
    try:
        with os.scandir(folder) as entries:
            there = {entry.name for entry in entries}
    except OSError as error:
        raise AABenchError(f"cannot read {folder} ({error.strerror}); give the folder of the images") from error
    gone = [f"{entry['id']} ({entry['file_name']})" for entry in content["images"] if entry["file_name"] not in there]
    if gone:
        yield f"{len(gone)} of its {len(content['images'])} images are not in {folder}: {listing(gone)}"
