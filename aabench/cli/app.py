"""The ``aabench`` command: wires one file a command, and turns errors meant for the person into one line."""

from __future__ import annotations

import sys
import traceback

import typer

from aabench.cli.audit import audit
from aabench.cli.compare import compare
from aabench.cli.doctor import doctor
from aabench.cli.evaluate_detections import evaluate_detections
from aabench.cli.explain import explain
from aabench.cli.fingerprint import fingerprint
from aabench.cli.list import list_tasks
from aabench.cli.profile import profile
from aabench.cli.report import report
from aabench.cli.reproduce import reproduce
from aabench.cli.search import search
from aabench.cli.show import show
from aabench.cli.validate import validate
from aabench.cli.verify import verify
from aabench.errors import AABenchError

CRASHED = 70
"""Exit code of a defect of aabench itself (sysexits' EX_SOFTWARE)."""

app = typer.Typer(
    name="aabench",
    help="Turn the claims of papers on attention-augmented convolution into verdicts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("list")(list_tasks)
app.command()(show)
app.command()(explain)
app.command()(fingerprint)
app.command()(reproduce)
app.command()(search)
app.command()(profile)
app.command()(evaluate_detections)
app.command()(compare)
app.command()(audit)
app.command()(verify)
app.command()(report)
app.command()(doctor)
app.command()(validate)


@app.callback(invoke_without_command=True)
def options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Turn the claims of papers on attention-augmented convolution into verdicts.

    Exit codes: 0 all held; 1 something is contradicted or regressed; 2 wrong usage or input;
    3 nothing could be measured; 4 not comparable.
    """
    if version:
        from aabench import __version__

        typer.echo(f"aabench {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point. An :class:`AABenchError` becomes one line on stderr and its exit code."""
    try:
        app()
    except AABenchError as error:
        print(f"aabench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception:
        # Python's own code for a crash, 1, is here that of a claim that does not hold.
        traceback.print_exc()
        sys.exit(CRASHED)
