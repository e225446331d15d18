"""Tables on the terminal. Imports rich only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from aabench.verify import Verdict

STYLES = {
    "verified": "green",
    "consistent": "cyan",
    "contradicted": "bold red",
    "underpowered": "yellow",
    "blocked": "magenta",
    "not-run": "dim",
    "unspecified": "dim",
}
"""Verdict -> how it is shown."""


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """One row a claim: what the paper says, the verdict, and why. The reason holds what was measured."""
    table = Table(pad_edge=False, box=None, header_style="bold")
    for column in ("task", "claim"):
        table.add_column(column, overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for verdict in verdicts:
        table.add_row(
            Text(verdict.claim.task),
            Text(f"{verdict.claim.table}: {verdict.claim.measure} {verdict.claimed}"),
            Text(verdict.status, style=STYLES[verdict.status]),
            Text(verdict.reason),
        )
    return table
