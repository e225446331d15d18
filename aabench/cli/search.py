"""``aabench search TASK``: find where to plug a shared attention module in (EAN)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from aabench.cli.console import Console, exit_code_of_stopped
from aabench.cli.options import LOG, DataOption, DeviceOption, LogOption, pick_device

if TYPE_CHECKING:
    from aabench.record import Measurement
    from aabench.reproduce import Outcome


def search(
    task: Annotated[str, typer.Argument(help="A task with a scheme, such as ean-se-resnet164.", show_default=False)],
    data: DataOption = None,
    method: Annotated[str, typer.Option(help="reinforce (EAN's), random or greedy: baselines of equal budget.")] = (
        "reinforce"
    ),
    as_published: Annotated[
        bool, typer.Option("--as-published", help="The search as it was published; the default, with no option below.")
    ] = False,
    expected_accuracy: Annotated[
        bool,
        typer.Option(
            "--expected-accuracy",
            help="Reward the mean probability of the right class, after the scheme's batch statistics were taken anew.",
        ),
    ] = False,
    entropy: Annotated[float, typer.Option(min=0, help="Weight of a bonus for the controller's entropy.")] = 0.0,
    baseline_after: Annotated[
        bool, typer.Option("--baseline-after", help="Compare rewards with the baseline before it takes them in.")
    ] = False,
    own_bonus: Annotated[
        bool, typer.Option("--own-bonus", help="A curiosity bonus for each scheme, not their sum for all.")
    ] = False,
    best_reward: Annotated[
        bool, typer.Option("--best-reward", help="Find the best sampled scheme, not the most probable one.")
    ] = False,
    steps: Annotated[int | None, typer.Option(help="Steps of the search; default: the catalog's.")] = None,
    supernet: Annotated[Path | None, typer.Option(help="A trained supernet; without one it is trained first.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the supernet and of the search.")] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a field of the search or of the supernet's recipe, or a model argument; may be repeated.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a supernet or a search that was stopped.")] = (
        False
    ),
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Memory format of the supernet's training.")
    ] = (False),
    device: DeviceOption = None,
    log: LogOption = LOG,
) -> None:
    """Search for the scheme of a task: which blocks its shared attention module is plugged into.

    A supernet is trained once, on all but the held-out images; then schemes are scored by its weights. The scheme that
    is found is written to the log; `aabench reproduce TASK --scheme SCHEME` trains it.
    """
    from aabench import record
    from aabench.catalog import load_catalog
    from aabench.errors import AABenchError
    from aabench.reproduce import Job, search_job, search_scheme, train_supernet
    from aabench.search import MethodName

    methods = get_args(MethodName)
    if method not in methods:
        raise AABenchError(f"method is {', '.join(methods[:-1])} or {methods[-1]}, not {method!r}")
    options = _options(expected_accuracy, entropy, baseline_after, own_bonus, best_reward)
    if as_published and options:
        raise AABenchError(f"--as-published goes with no other way to search ({', '.join(options)})")
    if steps is not None:
        options["steps"] = steps
    record.check_writable(log)
    job = Job(
        catalog=load_catalog(),
        data_root=data,
        checkpoint=supernet,
        seed=seed,
        changes=tuple(changes or ()),
        resume="always" if resume else "never",
        channels_last=channels_last,
        device=pick_device(device),
        directory=log.parent,
        reporter=Console(),
    )
    run = search_job(job, task, options, cast("MethodName", method))
    trained = train_supernet(run)
    if trained is not None:
        _log(trained, log)
    elif supernet is None:
        typer.echo(f"  supernet  trained before, in {run.supernet_folder}")
    row = _log(search_scheme(run, resume=resume and trained is None), log)
    changed = "".join(f" --set {change}" for change in run.task_changes)
    typer.echo(
        f"  `aabench reproduce {task} --scheme {row.detail['scheme']['integers']}{changed} --level train` trains it"
    )


def _options(
    expected_accuracy: bool, entropy: float, baseline_after: bool, own_bonus: bool, best_reward: bool
) -> dict[str, Any]:
    """Fields of the search that are not as published."""
    chosen = {
        "accuracy": "expected" if expected_accuracy else None,
        "entropy_weight": entropy or None,
        "baseline_update": "after" if baseline_after else None,
        "bonus": "own" if own_bonus else None,
        "final": "best-reward" if best_reward else None,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _log(outcome: Outcome, log: Path) -> Measurement:
    """Append the row and print it.

    Raises:
        AABenchError: the measurement did not end well.
        typer.Exit: it was stopped by a signal.
    """
    from aabench import record
    from aabench.errors import AABenchError

    row, error = outcome
    record.append(log, row)
    if row.status == "interrupted":
        typer.echo(f"  {row.level:<9} interrupted: {row.error}")
        raise typer.Exit(exit_code_of_stopped(error))
    if isinstance(error, AABenchError):
        raise error
    typer.echo(_summary(row))
    return row


def _summary(row: Measurement) -> str:
    top1 = row.number("top1", "held-out")
    if row.level == "supernet":
        return f"  supernet  all blocks connected: top-1 {top1:.2f} % of the held-out images"
    published, executed = (row.number("image_forwards", kind) for kind in ("as-published", "executed"))
    scheme, detail = row.detail["scheme"], row.detail
    return (
        f"  search    {detail['found_by']} scheme {scheme['bits']} ({scheme['integers']}): "
        f"top-1 {top1:.2f} % held-out, sparsity {row.number('sparsity'):.0f} %, reward {row.number('reward'):.3f}\n"
        f"            {detail['requested']} schemes asked for, {detail['evaluated']} scored; {executed:,.0f} image "
        f"forwards instead of {published:,.0f}: {published / executed:.1f} times fewer"
    )
