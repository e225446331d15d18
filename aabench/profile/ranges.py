"""Resolutions as text: ``32..512``, ``32..512:32``, ``32,224,512``."""

from __future__ import annotations

import re

from aabench.errors import AABenchError

USUAL_SIDES = (32, 64, 96, 128, 192, 224, 256, 384, 512, 768, 1024, 1536, 2048)
"""Sides that a range without a step visits: two an octave, and ImageNet's 224. All are multiples of 32, the total
stride of a ResNet, so that no stage rounds its map up. The choice is ours."""

LARGEST_SIDE = 16384

_PART = re.compile(r"^(?P<first>\d+)(?:\.\.(?P<last>\d+)(?::(?P<step>\d+))?)?$")


def parse_resolutions(text: str) -> tuple[int, ...]:
    """Text -> sides in pixels, ascending, each once.

    Parts are joined by commas. A part is one side (``224``), a range that visits its two ends and the usual sides
    between them (``32..512``: 32, 64, 96, 128, 192, 224, 256, 384, 512), or one with a step from its start on
    (``32..512:32``; its end only where the step hits it).

    Raises:
        AABenchError: text of another form, a reversed range, a step of 0, a side of 0 or beyond 16384.
    """
    sides: set[int] = set()
    for part in text.split(","):
        sides.update(_parse_part(part.strip(), text))
    return tuple(sorted(sides))


def _parse_part(part: str, text: str) -> list[int]:
    match = _PART.match(part)
    if match is None:
        raise AABenchError(
            f"resolutions {text!r}: {part!r} is no side in pixels and no range; "
            "write 224, or 32..512, or 32..512:32, or several of them joined by commas"
        )
    first = int(match["first"])
    last = first if match["last"] is None else int(match["last"])
    if first > last:
        raise AABenchError(f"resolutions {text!r}: the range {part} is reversed; write {last}..{first}")
    if first < 1 or last > LARGEST_SIDE:
        raise AABenchError(f"resolutions {text!r}: sides are between 1 and {LARGEST_SIDE} pixels")
    if match["step"] is None:
        return [first, *(side for side in USUAL_SIDES if first < side < last), last]
    if int(match["step"]) == 0:
        raise AABenchError(f"resolutions {text!r}: a range cannot step by 0 pixels")
    return list(range(first, last + 1, int(match["step"])))
