"""``aabench profile A B ... --interleave``: networks timed in turns, one table a side."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from aabench.catalog import Task
    from aabench.profile import Effort, Way
    from aabench.record import Measurement

HEADER = f"{'task':<26} {'side':>5} {'median ms':>10} {'ratio':>7} {'95 % interval':>16} {'rounds':>12}"


def run_interleaved(tasks: Sequence[Task], sides: Sequence[int] | None, way: Way, effort: Effort, log: Path) -> None:
    """Time the tasks in turns at each side; log and print the rows of a side when it is done.

    Ctrl-C ends it: the sides that were done are kept.

    Raises:
        AABenchError: fewer than two tasks, a way that cannot be timed here, or no side where the tasks' own differ.
        NotMeasurable: at no side there was a time.
    """
    from aabench import record
    from aabench.errors import NotMeasurable
    from aabench.profile import interleave

    runs = interleave(tasks, sides or (_own_side(tasks),), way, effort)
    typer.echo(HEADER)
    started, done, ok = time.perf_counter(), 0, 0
    try:
        for rows in runs:
            for row in rows:
                record.append(log, row)
                typer.echo(line(row, rows[0]))
            done, ok = done + len(rows), ok + sum(row.status == "ok" for row in rows)
    except KeyboardInterrupt:
        typer.echo(f"stopped; {done} rows are in {log}: a side that was not done is measured anew", err=True)
        raise typer.Exit(128 + signal.SIGINT) from None
    typer.echo(f"{ok} of {done} networks timed in {time.perf_counter() - started:.0f} s; logged in {log}")
    if not ok:
        raise NotMeasurable("no network could be timed: the rows above say why")


def line(row: Measurement, first: Measurement) -> str:
    """A row under :data:`HEADER`, beside the first one of its run.

    ``!``: time ran out before all ratios' intervals closed; ``~``: the machine was disturbed nearly all the time.
    """
    from aabench.profile.ratios import paired_ratio

    name = f"{row.task:<26} {row.settings['input_size']:>5}"
    if row.status != "ok":
        return f"{name} {'out of memory' if row.status == 'oom' else row.status}: {row.error}"
    timing = row.detail["latency"]
    ratio = paired_ratio(row, first)
    interval = "-"
    if ratio.interval is not None and row is not first:
        interval = "{:.3f}..{:.3f}".format(*ratio.interval)
        interval += ("" if timing["stopped_by"] == "precision" else "!") + ("" if timing["quiet"] else "~")
    rounds = f"{ratio.rounds} of {len(timing['samples_ms'])}"
    return f"{name} {timing['median_ms']:>10.2f} {ratio.median:>7.3f} {interval:>16} {rounds:>12}"


def _own_side(tasks: Sequence[Task]) -> int:
    from aabench.errors import AABenchError

    own = sorted({task.input_size for task in tasks})
    if len(own) > 1:
        raise AABenchError(f"the tasks' own sides differ ({', '.join(map(str, own))}): give one with --res")
    return own[0]
