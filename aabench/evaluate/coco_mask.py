"""COCO's masks: polygons, or run lengths (RLE) in columns from the top left, plain or compressed to a string."""

from __future__ import annotations

from collections.abc import Sequence

from aabench.data.coco_json import is_id, is_number, short


def mask_fault(mask: object, width: int, height: int, *, compressed: bool) -> str | None:
    """What is wrong with a mask of an image, or None.

    Args:
        mask: a ``segmentation`` of COCO's.
        width: of the image, in pixels.
        height: of the image, in pixels.
        compressed: only compressed run lengths are allowed, as in results.
    """
    if isinstance(mask, dict):
        return _runs_fault(mask, width, height, compressed=compressed)
    if compressed:
        return "no compressed run lengths (a dict of size and counts)"
    polygons = mask if isinstance(mask, list) and mask else [None]
    return None if all(map(_is_polygon, polygons)) else "neither run lengths nor polygons of 3 points or more"


def _is_polygon(points: object) -> bool:
    return isinstance(points, list) and len(points) >= 6 and len(points) % 2 == 0 and all(map(is_number, points))


def _runs_fault(mask: dict[str, object], width: int, height: int, *, compressed: bool) -> str | None:
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, list | tuple) or list(size) != [height, width]:
        return f"size {short(size)}, and the image has height and width [{height}, {width}]"
    if isinstance(counts, str | bytes):
        runs = decode_runs(counts)
    elif isinstance(counts, list) and not compressed:
        runs = counts if all(map(is_id, counts)) else None
    else:
        return "counts that are no string of compressed run lengths"
    if runs is None or min(runs, default=0) < 0 or sum(runs) != height * width:
        return f"counts that are no run lengths of its {height * width} pixels"
    return None


def decode_runs(counts: str | bytes) -> Sequence[int] | None:
    """The run lengths that a string stands for, or None if it stands for none.

    Five bits a character, from 48 on and lowest first; the sixth says that more follow. From the fourth run on it is
    the difference from the run before the last (``rleFrString`` of COCO's maskApi.c).
    """
    runs: list[int] = []
    value = shift = 0
    for code in counts.encode(errors="replace") if isinstance(counts, str) else counts:
        code -= 48
        if not 0 <= code < 64:
            return None
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return None if shift else runs
