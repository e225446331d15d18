"""``aabench audit``: does somebody's layer compute the paper's attention augmented convolution?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aabench.errors import AABenchError

if TYPE_CHECKING:
    from aabench.audit import Report

STYLES = {"pass": "green", "fail": "bold red", "not-checked": "yellow"}
LONGEST = 86_400
TRUST = (
    "audit imports and runs the code of {target}, with your rights: files, network and all. Nothing was run. "
    "Read that code; if you trust it, say --trust"
)


def audit(
    target: Annotated[str, typer.Argument(help="module:Class, or path/to/file.py:Class.", show_default=False)],
    adapter: Annotated[
        Path | None, typer.Option(help="TOML file: the constructor's arguments, and where the weights are.")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Yes, run the target's code here.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds until it is given up.")] = 120.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a layer with the paper's attention augmented convolution, and name what differs.

    This runs the target's code, in a process of its own, and asks for --trust.

    Exit codes: 0 it conforms; 1 it differs; 2 wrong usage; 3 it could not be audited.
    """
    _check(target, timeout)
    if not trust:
        raise AABenchError(TRUST.format(target=target))
    from aabench.audit import audit as run
    from aabench.audit import load_adapter

    report = run(target, None if adapter is None else load_adapter(adapter), timeout=timeout)
    if json:
        import json as json_module

        content = report.model_dump() | {"differences": report.differences, "exit_code": report.exit_code}
        typer.echo(json_module.dumps(content, indent=2))
    else:
        _print(report)
    raise typer.Exit(report.exit_code)


def _check(target: str, timeout: float) -> None:
    place, colon, name = target.rpartition(":")
    if not (colon and place and name.isidentifier()):
        raise AABenchError(f"target is module:Class or path/to/file.py:Class, not {target!r}")
    if not 0 < timeout <= LONGEST:
        raise AABenchError(f"timeout must be above 0 and at most {LONGEST} seconds, a day; got {timeout:g}")


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if report.findings:
        table = Table(pad_edge=False, box=None, header_style="bold")
        table.add_column("check")
        table.add_column("result", no_wrap=True)
        table.add_column("reason", overflow="fold")
        for finding in report.findings:
            table.add_row(finding.check, Text(finding.status, style=STYLES[finding.status]), Text(finding.reason))
        console.print(table)
    typer.echo(f"{report.target}: {_summary(report)}")


def _summary(report: Report) -> str:
    said = []
    if report.differences:
        said.append(f"differs from the paper: {', '.join(report.differences)}")
    elif report.exit_code == 1:
        said.append(f"fails: {', '.join(finding.check for finding in report.findings if finding.status == 'fail')}")
    elif report.exit_code == 0:
        said.append("conforms to the paper")
    if report.obstacle:
        said.append(f"{'the audit stopped' if report.findings else 'could not be audited'}: {report.obstacle}")
    return "; ".join(said)
