"""``aabench list``: the tasks, and the protocols that compare them."""

from __future__ import annotations

import fnmatch
import json as json_module
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aabench.catalog import Catalog, Task


def list_tasks(
    paper: Annotated[str | None, typer.Option(help="Only tasks of this paper, e.g. aanet.")] = None,
    data: Annotated[str | None, typer.Option(help="Only tasks on this data set, e.g. cifar100.")] = None,
    model: Annotated[str | None, typer.Option(help="Only models that match a pattern, e.g. 'aa_*'.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tasks and protocols: what can be reproduced."""
    from aabench.catalog import load_catalog

    catalog = load_catalog()
    _check_known("paper", paper, catalog.papers)
    _check_known("data set", data, {task.data for task in catalog.tasks.values()})
    tasks = [
        task
        for task in catalog.tasks.values()
        if paper in (None, task.paper)
        and data in (None, task.data)
        and (model is None or fnmatch.fnmatch(task.model, model))
    ]
    rows = [_row(catalog, task) for task in tasks]
    chosen = {task.name for task in tasks}
    protocols = [protocol for protocol in catalog.protocols.values() if chosen & set(protocol.tasks)]
    if json:
        content = {"tasks": rows, "protocols": [protocol.model_dump(mode="json") for protocol in protocols]}
        typer.echo(json_module.dumps(content, indent=2))
        return
    width = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]} if rows else {}
    if rows:
        typer.echo("  ".join(key.ljust(width[key]) for key in width).rstrip())
    for row in rows:
        typer.echo("  ".join(str(row[key]).ljust(width[key]) for key in width).rstrip())
    typer.echo(f"{len(rows)} of {len(catalog.tasks)} tasks; `aabench show TASK` shows one")
    for protocol in protocols:
        typer.echo(
            f"protocol {protocol.name}: {len(protocol.tasks)} of the tasks, trained with paired seeds; "
            f"`aabench show {protocol.name}` shows it"
        )


def _row(catalog: Catalog, task: Task) -> dict[str, str | int]:
    return {
        "task": task.name,
        "paper": task.paper,
        "data": task.data,
        "input": task.input_size,
        "model": task.model,
        "claims": len(catalog.claims_of(task.name)),
    }


def _check_known(kind: str, given: str | None, known: Iterable[str]) -> None:
    names = sorted(known)
    if given is not None and given not in names:
        raise typer.BadParameter(f"unknown {kind} {given!r}; one of {', '.join(names)}")
