"""The table of ``aabench profile TASK --by-module``. Imports rich only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from aabench.record import Measurement

ITSELF = "its own operators"


def print_modules(row: Measurement, depth: int = 2) -> None:
    """Print a row of :func:`aabench.profile.profile_modules`: its modules down to a depth, and what was executed.

    Args:
        row: one of status ok.
        depth: 1 for stages, 2 for their blocks, and so on; what is deeper is in the sum of the block.
    """
    Console().print(Group(_modules(row, depth), _operators(row)))


@dataclass
class Node:
    """A module with all that is in it."""

    name: str
    own: dict[str, Any]
    children: list[Node] = field(default_factory=list)

    def total(self, what: str) -> float:
        """Of the module and all modules in it."""
        return float(self.own[what]) + sum(child.total(what) for child in self.children)


def tree(modules: Sequence[dict[str, Any]]) -> Node:
    """The modules of a row, by their dotted names; the first is the network itself."""
    nodes = {module["name"]: Node(module["name"], module) for module in modules}
    for name, node in nodes.items():
        if name:
            nodes[_parent(name, nodes)].children.append(node)
    return nodes[""]


def _parent(name: str, nodes: dict[str, Node]) -> str:
    """The nearest module around it that is called: a list of modules is not."""
    while name:
        name = name.rpartition(".")[0]
        if name in nodes:
            break
    return name


def _modules(row: Measurement, depth: int) -> Table:
    side, batch = row.settings["input_size"], row.settings["batch"]
    way = " ".join(str(row.settings[name]) for name in ("mode", "dtype", "device"))
    table = Table(
        title=f"{row.task} at {side}x{side}, batch {batch}, {way}: one forward pass",
        caption=(
            "MACs: model, one image. Output: bytes of the module's output for the batch, not summed. Time: own times, "
            f"median of {row.detail['repeats']} passes, {row.detail['threads']} threads; the median pass took "
            f"{row.detail['forward_ms']:.2f} ms."
        ),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE,
        pad_edge=False,
    )
    table.add_column("module", no_wrap=True)
    table.add_column("type", overflow="fold")
    for column in ("MACs", "params", "output", "ms", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for cells, style in _lines(tree(row.detail["modules"]), depth):
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


def _lines(node: Node, depth: int, level: int = 0) -> Iterator[tuple[tuple[str, ...], str]]:
    """(cells, style) of a module with all in it, then of each module in it, then of what is left: its own operators."""
    name = node.name.rpartition(".")[2] or "network"
    totals = {what: node.total(what) for what in ("macs", "params", "ms", "share")}
    cells = _cells("  " * level + name, node.own["type"], totals, node.own["activation_bytes"])
    yield cells, "bold" if level < 2 else ""
    if level == depth or not node.children:
        return
    for child in node.children:
        yield from _lines(child, depth, level + 1)
    yield _cells("  " * (level + 1) + ITSELF, "", node.own, None), "dim"


def _cells(name: str, type_: str, numbers: dict[str, Any], output_bytes: int | None) -> tuple[str, ...]:
    return (
        name,
        type_,
        _or_dash(numbers["macs"], f"{numbers['macs'] / 1e6:,.2f} M"),
        _or_dash(numbers["params"], f"{int(numbers['params']):,}"),
        "" if output_bytes is None else _bytes(output_bytes),
        f"{numbers['ms']:.2f}",
        f"{numbers['share']:.1%}",
    )


def _bytes(n: int) -> str:
    return f"{n / 2**20:,.2f} MiB" if n >= 2**20 else f"{n / 2**10:,.2f} KiB"


def _or_dash(number: float, text: str) -> str:
    return text if number else "-"


def _operators(row: Measurement) -> Table:
    table = Table(
        title="Multiply-adds of one image: executed against the model's",
        caption=_forms(row.detail["attention_forms"]),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE,
        pad_edge=False,
    )
    table.add_column("operator", overflow="fold")
    for column in ("model", "executed"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    lines = row.detail["executed"]
    for line in lines:
        why = ", ".join(f"{reason} {n:+,}" for reason, n in line["why"].items())
        table.add_row(line["operator"], f"{line['model']:,}", f"{line['executed']:,}", why or "the same")
    model, executed = (sum(line[what] for line in lines) for what in ("model", "executed"))
    table.add_row("all", f"{model:,}", f"{executed:,}", f"{executed / model:.3f} times the model's", style="bold")
    return table


def _forms(forms: dict[str, int]) -> str | None:
    if not forms:
        return None
    return "attention layers by the form that runs: " + ", ".join(f"{n} {form}" for form, n in sorted(forms.items()))
