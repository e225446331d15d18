"""A comparison on the terminal. Imports rich only."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aabench.compare.finding import Comparison, Judgement, show, show_change
from aabench.compare.summary import Change, changes, notes

STYLES: dict[Judgement, str] = {
    "regression": "bold red",
    "not comparable": "magenta",
    "missing": "magenta",
    "improvement": "green",
    "new": "cyan",
    "no difference shown": "dim",
    "not judged": "dim",
}
"""Judgement -> how it is shown."""


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print what changed by task, a line for each reason not to judge, and the outcome."""
    for (judgement, subject), group in groupby(changes(comparison.findings), key=_heading):
        console.print(Text.assemble((judgement, STYLES[judgement]), f": {subject}"))
        console.print(_table(group))
    for note in notes(comparison.findings):
        console.print(Text.assemble((note.judgement, STYLES[note.judgement]), f": {note.subject}: {note.reason}"))
    console.print(Text(comparison.verdict, style="bold"))


def _heading(change: Change) -> tuple[Judgement, str]:
    found = change.finding
    return found.judgement, "; ".join(filter(None, (f"{found.task}, {found.way}", found.reason)))


def _table(rows: Iterable[Change]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=True)
    for column in ("metric", "at"):
        table.add_column(column, overflow="fold")
    for column in ("BASE", "HEAD", "change"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row.finding.metric), Text(row.sizes), *(Text(cell) for cell in _numbers(row)))
    return table


def _numbers(row: Change) -> tuple[str, str, str]:
    """BASE, HEAD, and the change where it is exact: that of a time stands in the heading, with its interval."""
    found = row.finding
    base, head = (("" if number is None else show(number)) for number in (found.base, found.head))
    return base, head, "" if found.change is None or found.interval else show_change(found.change)
