"""``aabench explain TASK``: where each setting comes from."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from aabench.catalog import Catalog, Protocol, SchemeSearch

UNKNOWN = "ours (unspecified"
"""Stands in the source of a setting that no sheet gives."""

WIDEST = 30
"""Characters of the widest column of values; a longer value moves its own line's source."""


def explain(task: Annotated[str, typer.Argument(help="A task, or a protocol, of `aabench list`.")]) -> None:
    """Explain the settings of a task or protocol: the sheet and section that each comes from, or "ours"."""
    from aabench.catalog import load_catalog

    catalog = load_catalog()
    if task in catalog.protocols:
        _explain_protocol(catalog.protocols[task], catalog)
        return
    chosen = catalog.task(task)
    recipe = catalog.recipe_of(chosen)
    settings: dict[str, Any] = {
        "model": chosen.model,
        **chosen.arguments,
        "input_size": chosen.input_size,
        "normalisation": chosen.normalisation,
    }
    source = chosen.source
    if chosen.data in ("imagenet", "imagenet1000"):
        settings["resize"] = chosen.shorter_side
        source = {"resize": "ours (unspecified): 8/7 of input_size, the usual 256 for 224", **source}
    for key in ("framing", "backbone", "torchvision_weights"):
        if (value := getattr(chosen, key)) is not None:
            settings[key] = value
    typer.echo(f"{chosen.name}: sources are sections of {catalog.papers[chosen.paper].sheet}, our fact sheet, or ours")
    _print("task", settings, source)
    _print_assumed(settings, source)
    for sweep in catalog.sweeps_of(task):
        _print(f"sweep {sweep.name}", sweep.settings(), sweep.source)
    if recipe is not None:
        _print(f"recipe {recipe.name}", recipe.settings(), recipe.source)
        _print_assumed(recipe.settings(), recipe.source)
        smoke = {**recipe.smoke.model_dump(exclude_none=True), **chosen.smoke_arguments}
        _print("smoke run", smoke, dict.fromkeys(smoke, "ours"))
    if chosen.search is not None:
        _explain_search(catalog.search_of(chosen), catalog)


def _explain_search(search: SchemeSearch, catalog: Catalog) -> None:
    from aabench.catalog.search import OPTIONS

    published = dict.fromkeys(OPTIONS, "as published; another value is an option of `aabench search`, and ours")
    published["final"] = "ours (unspecified)"
    _print(f"search {search.name}", search.settings(), {**published, **search.source})
    supernet = catalog.recipes[search.supernet]
    _print(f"its supernet's recipe {supernet.name}", supernet.settings(), supernet.source)


def _explain_protocol(protocol: Protocol, catalog: Catalog) -> None:
    typer.echo(
        f"{protocol.name}: sources are sections of {catalog.papers[protocol.paper].sheet}, our fact sheet, or ours"
    )
    named = {"baselines": protocol.baselines, "candidates": protocol.candidates}
    _print("networks", named, dict.fromkeys(named, protocol.source))
    changed = {**protocol.scaled.changes, **protocol.scaled.changes_where_set}
    _print(f"scaled-down setting {protocol.scaled.name}", changed, dict.fromkeys(changed, "ours"))
    for task in protocol.tasks:
        typer.echo(f"`aabench explain {task}` explains this network and its recipe")


def _print_assumed(settings: dict[str, Any], source: dict[str, str]) -> None:
    if assumed := [key for key in settings if UNKNOWN in source[key]]:
        typer.echo(f"assumed, as the paper's own are not known: {', '.join(assumed)}")


def _print(title: str, settings: dict[str, Any], source: dict[str, str]) -> None:
    """A line a setting: name, value and source, below each other; on a terminal, wrapped within the source's column."""
    typer.echo(title)
    values = {key: _shown(value) for key, value in settings.items()}
    keys, shown = (max((len(text) for text in texts), default=0) for texts in (values, values.values()))
    shown = min(shown, WIDEST)
    for key, value in values.items():
        begin, indent = f"  {key:<{keys}}  {value:<{shown}}  ", " " * (keys + shown + 6)
        if not sys.stdout.isatty():
            typer.echo(begin + source[key])
            continue
        columns = max(shutil.get_terminal_size().columns, len(indent) + WIDEST)
        typer.echo(textwrap.fill(source[key], columns, initial_indent=begin, subsequent_indent=indent))


def _shown(value: Any) -> str:
    return " ".join(str(item) for item in value) if isinstance(value, (tuple, list)) else str(value)
