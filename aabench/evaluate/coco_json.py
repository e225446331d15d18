"""COCO's JSON: reading it, and naming what is wrong in it."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from aabench.errors import AABenchError, listing


def read_json(path: Path, wanted: str) -> Any:
    """What a JSON file holds.

    Args:
        path: the file.
        wanted: what it should be, for the error.

    Raises:
        AABenchError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise AABenchError(f"cannot read {path} ({error.strerror or error}); give {wanted}") from error
    except (ValueError, RecursionError) as error:
        raise AABenchError(f"{path} is no JSON ({error}); give {wanted}") from error


def refuse(name: str, faults: Iterable[str], what: str, advice: str) -> None:
    """Raise if there are faults, naming the first ones and how many there are.

    Args:
        name: of the file, or of what was given instead of one.
        faults: one for each thing that is wrong.
        what: is wrong with them, as it follows their number.
        advice: what was expected, or what to do.

    Raises:
        AABenchError: there is a fault.
    """
    found = list(faults)
    if found:
        raise AABenchError(f"{name}: {len(found)} {what}: {listing(found)}; {advice}")


def short(value: object) -> str:
    """A value as an error shows it: abbreviated where it is long."""
    return reprlib.repr(value)


def is_id(value: object) -> bool:
    """Whether it is an integer."""
    return type(value) is not bool and isinstance(value, Integral)


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    if type(value) is bool or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def is_box(value: object) -> bool:
    """Whether it is four finite numbers."""
    return isinstance(value, list | tuple) and len(value) == 4 and all(map(is_number, value))
