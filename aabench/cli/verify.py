"""``aabench verify``: judge the log."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from aabench.cli.options import LOG, LogOption, TaskArguments

if TYPE_CHECKING:
    from aabench.record import Log
    from aabench.verify import Verdict


def verify(
    tasks: TaskArguments = None,
    log: LogOption = LOG,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge the claims on the tasks or protocols (default: all) by what the log holds; measures nothing."""
    from aabench import record
    from aabench.catalog import load_catalog
    from aabench.verify import exit_code, judge_all

    catalog = load_catalog()
    names = [catalog.checked_name(name) for name in tasks] if tasks else None
    content = record.read(log)
    report_broken(content, log)
    verdicts = judge_all(catalog, content.rows, names)
    if json:
        typer.echo(json_module.dumps([verdict.model_dump(mode="json") for verdict in verdicts], indent=2))
    else:
        print_verdicts(verdicts)
    raise typer.Exit(exit_code(verdicts))


def print_verdicts(verdicts: tuple[Verdict, ...]) -> None:
    """The table of verdicts, on the terminal."""
    from rich.console import Console

    from aabench.cli.tables import verdict_table

    if verdicts:
        Console().print(verdict_table(verdicts))
    else:
        typer.echo("no claim to judge")


def report_broken(content: Log, log: object) -> None:
    """Say on stderr which lines of a log could not be used."""
    for broken in content.broken:
        typer.echo(f"{log}, line {broken.line} is left out: {broken.reason}", err=True)
