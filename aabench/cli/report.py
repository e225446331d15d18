"""``aabench report``: write the report, from the log alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aabench.cli.options import LOG, LogOption
from aabench.cli.verify import report_broken


def report(
    log: LogOption = LOG,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("reports"),
) -> None:
    """Write report.md, claims.csv, measurements.csv and plots from the log; measures nothing."""
    from aabench import record
    from aabench.catalog import load_catalog
    from aabench.report import write_report

    content = record.read(log)
    report_broken(content, log)
    for path in write_report(content, load_catalog(), out):
        typer.echo(f"wrote {path}")
