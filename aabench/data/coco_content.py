"""Annotations in COCO's format, and the checks of them that training and judging have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from aabench.data.coco_json import counted, is_box, is_id, is_number, read_json, short
from aabench.errors import AABenchError

Content = dict[str, Any]
"""What COCO's ``instances_*.json`` hold: at least the lists of :data:`KEYS`."""

KEYS = {
    "images": ("id", "width", "height"),
    "categories": ("id",),
    "annotations": ("id", "image_id", "category_id", "bbox"),
}
"""List -> what each of its entries, a dict, holds at least."""

LARGEST_AREA = 1e10
"""Pixels; COCO's ranges of areas end here, and a larger object would count nowhere."""

MEND = "mend it, or fetch COCO's annotations again"
"""What to do about faults."""


def read_lists(file: Path, each: Callable[[dict[str, Any]], Any] | None = None) -> Content:
    """An annotation file with its lists, whose entries are not looked at; for ``each`` see :func:`read_json`.

    Raises:
        AABenchError: it cannot be read, is no JSON, or has not the lists.
    """
    return require_lists(read_json(file, "a file of annotations as COCO's instances_val2017.json", each), str(file))


def require_lists(content: object, name: str) -> Content:
    """The content itself.

    Raises:
        AABenchError: it is no dict of the lists.
    """
    expected = f"expected annotations of COCO's form, a dict of the lists {', '.join(KEYS)}"
    if not isinstance(content, dict):
        raise AABenchError(f"{name}: a {type(content).__name__}, {expected}")
    if missing := [part for part in KEYS if not isinstance(content.get(part), list)]:
        raise AABenchError(f"{name}: no list of {', '.join(missing)}; {expected}")
    return content


def form_faults(content: Content, **more: tuple[str, ...]) -> Iterator[str]:
    """Entries that are no dicts, lack a key or have no integer for an id. Other checks take their absence for granted.

    Args:
        content: with its lists.
        more: list -> keys that its entries hold beside those of :data:`KEYS`.
    """
    for part, keys in KEYS.items():
        needed = keys + more.get(part, ())
        what = f"entries of {part} are not whole (a dict of at least {', '.join(needed)})"
        yield from counted(_not_whole(content[part], needed), what)


def _not_whole(entries: list[Any], keys: tuple[str, ...]) -> Iterator[str]:
    needed = frozenset(keys)
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield f"[{place}] is a {type(entry).__name__}"
        elif not entry.keys() >= needed:
            named = f" of id {short(entry['id'])}" if "id" in entry else ""
            yield f"[{place}]{named} lacks {', '.join(key for key in keys if key not in entry)}"
        elif not is_id(entry["id"]):
            yield f"[{place}] has the id {short(entry['id'])}, no integer"


def value_faults(content: Content) -> Iterator[str]:
    """Ids that occur twice or that nothing has, images without a size, boxes and ``iscrowd`` that are none; by ids.

    An annotation without ``iscrowd`` is no crowd. Boxes without area or out of their image are no faults here:
    :mod:`aabench.data.coco_boxes` names them.

    Args:
        content: without :func:`form_faults`.
    """
    images, annotations = content["images"], content["annotations"]
    for part in KEYS:
        times = Counter(entry["id"] for entry in content[part])
        twice = (f"{number} ({n} times)" for number, n in times.items() if n > 1)
        yield from counted(twice, f"ids of {part} occur more than once")
    sizeless = (str(i["id"]) for i in images if not all(is_id(i[side]) and i[side] > 0 for side in ("width", "height")))
    yield from counted(sizeless, "images have no width and height in whole pixels above 0")
    for key, part, kind in (("image_id", "images", "image"), ("category_id", "categories", "category")):
        known = {entry["id"] for entry in content[part]}
        unknown = (a for a in annotations if not is_id(a[key]) or a[key] not in known)
        yield from counted(with_value(unknown, key), f"annotations are of an unknown {kind}")
    boxless = (a for a in annotations if not is_box(a["bbox"]))
    yield from counted(with_value(boxless, "bbox"), "annotations have a bbox that is not 4 finite numbers")
    crowds = (a for a in annotations if a.get("iscrowd", 0) not in (0, 1))
    yield from counted(with_value(crowds, "iscrowd"), "annotations have an iscrowd that is neither 0 nor 1")


def area_faults(annotations: list[dict[str, Any]]) -> list[str]:
    """Areas by which nothing can be judged. Each annotation has one."""
    areas = (a for a in annotations if not is_number(a["area"]) or not 0 <= a["area"] <= LARGEST_AREA)
    return counted(with_value(areas, "area"), f"annotations have an area that is not 0 to {LARGEST_AREA:g} pixels")


def object_faults(annotations: list[dict[str, Any]]) -> list[str]:
    """Annotations without an object: the detections of their images have no score."""
    if not all(annotation.get("iscrowd", 0) for annotation in annotations):
        return []
    return [
        f"none of its {len(annotations)} annotations is an object to detect (a crowd is none), so nothing can be scored"
    ]


def with_value(annotations: Iterable[dict[str, Any]], key: str) -> Iterator[str]:
    """Annotations by their ids, each with what it has in this place."""
    return (f"{annotation['id']} ({key} {short(annotation[key])})" for annotation in annotations)
