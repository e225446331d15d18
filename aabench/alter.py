"""``--set KEY=VALUE``: a task (or a search) run otherwise than it is defined. What was changed goes into the log."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from aabench.catalog import Recipe, SchemeSearch, Task
from aabench.errors import AABenchError, listing

SOURCE = "--set"
_Record = TypeVar("_Record", Task, Recipe, SchemeSearch)


def alter(task: Task, recipe: Recipe | None, changes: Sequence[str]) -> tuple[Task, Recipe | None, dict[str, Any]]:
    """Apply ``KEY=VALUE`` changes: a recipe's field (epochs, lr ...), ``input_size``, ``model``, or else its argument.

    Returns:
        the task, the recipe, and what is now different from the catalog.

    Raises:
        AABenchError: no ``=``, a key set twice, or a value that the field does not take.
    """
    altered = read_changes(changes)
    own = {key: value for key, value in altered.items() if recipe is not None and key in recipe.settings_names()}
    of_task = {key: value for key, value in altered.items() if key in ("input_size", "model")}
    arguments = {key: value for key, value in altered.items() if key not in own and key not in of_task}
    source = {**task.source, **dict.fromkeys(altered, SOURCE)}
    changed = _rebuild(task, {"arguments": {**task.arguments, **arguments}, "source": source, **of_task})
    if recipe is not None and own:
        recipe = _rebuild(recipe, {**own, "source": {**recipe.source, **dict.fromkeys(own, SOURCE)}})
    return changed, recipe, altered


def read_changes(changes: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` by key; a value that is no TOML is text.

    Raises:
        AABenchError: no ``=``, or a key set twice.
    """
    altered: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key or key in altered:
            raise AABenchError(f"--set {change}: write KEY=VALUE, each key once")
        altered[key] = _value(text)
    return altered


def alter_search(search: SchemeSearch, changes: Mapping[str, Any]) -> SchemeSearch:
    """Apply changes to a search, by the names of its fields.

    Raises:
        AABenchError: it has no such field, or the field does not take the value.
    """
    unknown = sorted(changes.keys() - search.settings().keys())
    if unknown:
        raise AABenchError(f"a search has no {listing(unknown)}; it has {', '.join(search.settings())}")
    return _rebuild(search, {**changes, "source": {**search.source, **dict.fromkeys(changes, SOURCE)}})


def text_change(key: str, text: str) -> str:
    """The ``KEY=VALUE`` of a value that is text whatever it looks like: ``101`` is a scheme, and no number."""
    return f"{key}={json.dumps(text)}"  # JSON's strings are TOML's too


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _rebuild(record: _Record, changes: dict[str, Any]) -> _Record:
    try:
        return type(record).model_validate({**record.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise AABenchError(f"--set {key}: {first['msg'].removeprefix('Value error, ')}") from error
