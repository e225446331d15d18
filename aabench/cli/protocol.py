"""``aabench reproduce PROTOCOL --seeds N``: train its networks with paired seeds, and judge its claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from aabench.cli.console import exit_code_of_stopped
from aabench.errors import AABenchError

if TYPE_CHECKING:
    from aabench.campaign import Trial
    from aabench.catalog import Protocol
    from aabench.catalog.schema import Setting
    from aabench.reproduce import Job


def run_protocol(job: Job, protocol: Protocol, given: str | None, seeds: range, shard: str | None, log: Path) -> None:
    """Train what is left of a protocol's networks and seeds; a row a training. Says before how long it will take.

    Args:
        job: how to train, with ``resume`` set to ``where-begun`` for ``--resume``.
        protocol: of the catalog.
        given: ``full`` or ``scaled``; None for the one that suits the device.
        seeds: every network is trained with each.
        shard: i/n, or None for all trainings.
        log: gets the rows.

    Raises:
        AABenchError: an unknown setting or shard, data that is missing, or a training that could not be carried out.
            One that diverged is a result, and the others go on.
        typer.Exit: stopped by a signal.
    """
    from aabench import record
    from aabench.campaign import finished, hours, trials

    setting = _setting(given, job.device)
    chosen = trials(protocol, seeds, shard)
    done = finished(protocol, setting, job.catalog, record.read(log).rows) & set(chosen)
    if done and job.resume == "never":
        raise AABenchError(
            f"{log} holds {len(done)} of these {len(chosen)} trainings already: "
            "go on with --resume, or choose another --log"
        )
    left = [trial for trial in chosen if trial not in done]
    typer.echo(_announcement(protocol, setting, given, job.device, seeds))
    if not left:
        typer.echo(f"  all {len(chosen)} trainings are in {log}")
        return
    job.reach(job.catalog.task(protocol.tasks[0])).require("train")
    typer.echo("  measuring some steps of each network")
    time = hours(job, protocol, setting, left)
    typer.echo(f"  {len(left)} trainings to go, {len(done)} in {log}: about {_duration(time)}, and evaluation on top")
    _train(job, protocol, setting, left, log)


def _setting(given: str | None, device: str) -> Setting:
    if given is None:
        return "full" if device == "cuda" else "scaled"
    if given == "full":
        return "full"
    if given == "scaled":
        return "scaled"
    raise AABenchError(f"--protocol is full or scaled, not {given!r}")


def _announcement(protocol: Protocol, setting: Setting, given: str | None, device: str, seeds: range) -> str:
    how = f"protocol full: {len(protocol.tasks)} networks by their recipe as it is"
    if setting == "scaled":
        changes = {**protocol.scaled.changes, **protocol.scaled.changes_where_set}
        listed = ", ".join(f"{key} {value}" for key, value in changes.items())
        how = f"protocol {protocol.scaled.title}: {len(protocol.tasks)} networks with {listed}"
    why = "" if given else f" (chosen for {device}; --protocol full or scaled chooses)"
    last = f" to {seeds[-1]}" if len(seeds) > 1 else ""
    return f"{protocol.name}: {how}{why}; seed{'s' if last else ''} {seeds[0]}{last}, the same for every network"


def _train(job: Job, protocol: Protocol, setting: Setting, left: Sequence[Trial], log: Path) -> None:
    from aabench import record
    from aabench.campaign import carry_out

    for number, trial in enumerate(left, start=1):
        typer.echo(f"  {number}/{len(left)} {trial.task}, seed {trial.seed}")
        row, error = carry_out(job, protocol, setting, trial)
        record.append(log, row)
        if error is None:
            top1, loss = row.number("top1", "last"), row.number("train_loss", "last")
            typer.echo(f"    top-1 {top1:.2f} %, training loss {loss:.4f}")
            continue
        typer.echo(f"    {row.status}: {row.error}")
        if row.status == "interrupted":
            typer.echo(f"  stopped after {number - 1} of {len(left)} trainings: --resume goes on")
            raise typer.Exit(exit_code_of_stopped(error))
        if record.DIVERGED not in row.detail:
            raise error


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
