"""COCO's JSON: reading it, what its values may be, and naming what is wrong in it."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from aabench.errors import AABenchError, listing


def read_json(path: Path, wanted: str, each: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """What a JSON file holds.

    Args:
        path: the file.
        wanted: what it should be, for the error.
        each: replaces every object in it, from the inside out: what is not kept takes no memory.

    Raises:
        AABenchError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_bytes(), object_hook=each)
    except OSError as error:
        raise AABenchError(f"cannot read {path} ({error.strerror or error}); give {wanted}") from error
    except (ValueError, RecursionError) as error:
        raise AABenchError(f"{path} is no JSON ({error}); give {wanted}") from error


def counted(named: Iterable[str], what: str) -> list[str]:
    """One fault in words, or none where nothing is named.

    Args:
        named: each thing that has the fault.
        what: is wrong with them, as it follows their number.
    """
    names = list(named)
    return [f"{len(names)} {what}: {listing(names)}"] if names else []


def refuse(name: str, faults: Iterable[str], advice: str) -> None:
    """Raise if there are faults, with all of them in one line.

    Args:
        name: of the file, or of what was given instead of one.
        faults: as from :func:`counted`.
        advice: what was expected, or what to do.

    Raises:
        AABenchError: there is a fault.
    """
    if found := "; ".join(faults):
        raise AABenchError(f"{name}: {found}; {advice}")


def short(value: object) -> str:
    """A value as an error shows it: abbreviated where it is long."""
    return reprlib.repr(value)


def is_id(value: object) -> bool:
    """Whether it is an integer."""
    return type(value) is int or (type(value) is not bool and isinstance(value, Integral))


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    if type(value) is float:  # most are, and COCO has millions: the look at a number's kind below is slow
        return math.isfinite(value)
    if type(value) is bool or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def is_box(value: object) -> bool:
    """Whether it is four finite numbers."""
    return isinstance(value, list | tuple) and len(value) == 4 and all(map(is_number, value))
