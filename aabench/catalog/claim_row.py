"""``[table]`` and ``[[claim]]`` of a task file, and the claims that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from aabench.catalog.schema import ACCURACIES, UNSPECIFIED, Frozen, Kind, Metric, Quantity, Tag


class Table(Frozen):
    """What the claims of a file share."""

    name: str | None = None
    tag: Tag | None = None
    convention: str | None = None
    """How FLOPs are counted."""
    epoch: Literal["best"] | None = None
    """Which epoch accuracies are of, where that is not the last."""
    tasks: tuple[str, ...] = ()


def _known(given: Any) -> Any:
    return None if given == UNSPECIFIED else given


class ClaimRow(Frozen):
    """One row of a table: a printed number for each of its metrics, or metrics that are only compared."""

    task: str | None = None
    row: str
    table: str | None = None
    tag: Tag | None = None
    kind: Kind = "absolute"
    up_to: bool = False
    """See :attr:`aabench.catalog.schema.Claim.up_to`."""
    baseline: str | None = None
    sweep: str | None = None
    values: dict[Metric, Annotated[Quantity | None, BeforeValidator(_known)]] = Field(default_factory=dict)
    """None: ``unspecified``."""
    metrics: tuple[Metric, ...] = ()


def claims(
    row: ClaimRow, tasks: tuple[str, ...], paper: str, table: Table, name: str, tag: Tag
) -> Iterator[dict[str, Any]]:
    """The content of each claim that a row stands for: on each of the tasks, on each of its metrics.

    Args:
        row: the row.
        tasks: what it is on.
        paper: whose claims they are.
        table: how it counts.
        name: the table's, or the row's own.
        tag: the same.
    """
    values: dict[Metric, Quantity | None] = {**dict.fromkeys(row.metrics, None), **row.values}
    against = f"-vs-{row.baseline}" if row.kind != "absolute" else ""
    for task, (metric, value) in product(tasks, values.items()):
        where = name.lower().replace(" ", "-")
        what = f"{metric}-growth" if row.kind == "growth" else metric
        yield {
            "id": f"{paper}/{where}/{task}{against}/{what}{f'/{row.sweep}' if row.sweep else ''}",
            "paper": paper,
            "table": name,
            "row": row.row,
            "tag": tag,
            "task": task,
            "metric": metric,
            "kind": row.kind,
            "value": value,
            "unspecified": metric in row.values and value is None,
            "up_to": row.up_to,
            "convention": _convention(table, metric),
            "baseline": row.baseline,
            "sweep": row.sweep,
        }


def _convention(table: Table, metric: Metric) -> str | None:
    if metric in ACCURACIES:
        return table.epoch
    return table.convention if metric == "flops" else None
