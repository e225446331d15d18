"""``aabench doctor``: what is at hand here, and how far it takes each paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aabench.cli.options import LOG, DataOption, LogOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from aabench.doctor import Examination, Group


def doctor(
    data: DataOption = None,
    log: LogOption = LOG,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell versions, devices, data sets and whether they are whole, and which level each paper can reach here.

    Exit code 2 if the data root is not there, or a file of it is not what it should be.
    """
    from aabench.doctor import examine

    found = examine(data, log)
    if json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        _print(found)
    if found.root is not None and found.root.unusable:
        raise typer.Exit(2)


def _print(found: Examination) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    for title, rows in (("here", _machine(found)), ("data", _data(found))):
        table = _table(title, "", "")
        for name, text in rows:
            table.add_row(escape(name), escape(text))
        console.print(table)
    reach = _table("within reach", "paper", "level", "tasks", "missing for the next")
    for group in found.reach:
        reach.add_row(group.paper, escape(_level(group)), escape(_tasks(group.tasks)), escape(_missing(group)))
    console.print(reach)


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_header=any(columns), pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _machine(found: Examination) -> Iterator[tuple[str, str]]:
    environment, memory = found.environment, found.memory
    commit = f", commit {environment['commit']}" if environment["commit"] else ""
    yield "aabench", f"{environment['aabench']}{commit}"
    yield "python", f"{environment['python']} on {environment['platform']}"
    yield "packages", ", ".join(f"{name} {version or 'not installed'}" for name, version in found.packages.items())
    yield "cpu", f"{environment['cpu'] or 'unknown'}, {environment['cores']} cores, {environment['threads']} threads"
    yield "cuda", _gpus(found) or f"none: {found.devices.no_cuda}"
    yield "memory", f"{_gibibytes(memory.available)} free of {_gibibytes(memory.total)}"
    yield "allocator", environment["allocator"]
    yield "log", f"{found.log.path}: {found.log.fault or 'can be written'}, {_gibibytes(found.log.free_bytes)} free"


def _gpus(found: Examination) -> str:
    return "; ".join(f"{gpu.name}, {_gibibytes(gpu.memory_bytes)}" for gpu in found.devices.cuda)


def _data(found: Examination) -> Iterator[tuple[str, str]]:
    if found.root is None:
        yield "root", "none given: --data ROOT, or AABENCH_DATA"
        return
    yield "root", found.root.path + (f": {found.root.fault}" if found.root.fault else "")
    for part in found.root.sets:
        yield part.name, f"{part.state}: {part.detail}"


def _gibibytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 2**30:.1f} GiB"


def _level(group: Group) -> str:
    level = group.level or "blocked"
    return f"{level} on {group.on}" if group.on else level


def _tasks(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{len(names)}: {shown}" + (", ..." if len(names) > 3 else "")


def _missing(group: Group) -> str:
    return f"{group.next}: {group.missing}" if group.next else group.missing or "nothing: the highest level"
