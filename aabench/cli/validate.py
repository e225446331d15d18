"""``aabench validate``: check every task file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate(
    folder: Annotated[Path | None, typer.Argument(help="A folder of task files; default: aabench's own.")] = None,
) -> None:
    """Check every task file; print all faults at once, with file and key."""
    from aabench.catalog import read_catalog, tasks_folder

    catalog, faults = read_catalog(folder or tasks_folder())
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        typer.echo(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}", err=True)
        raise typer.Exit(2)
    typer.echo(
        f"{len(catalog.papers)} papers, {len(catalog.tasks)} tasks, {len(catalog.recipes)} recipes, "
        f"{len(catalog.protocols)} protocols, {len(catalog.claims)} claims: no fault"
    )
