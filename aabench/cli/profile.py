"""``aabench profile``: what models cost as images grow."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aabench.cli.options import LOG, DeviceOption, LogOption, TaskArguments, pick_device

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aabench.catalog import Catalog, Task
    from aabench.profile import Effort, Search, Way
    from aabench.record import Measurement

HEADLINE = ("resnet50", "aa-resnet50")
DEFAULT_RESOLUTIONS = "32..512"


def profile(
    tasks: TaskArguments = None,
    all_tasks: Annotated[bool, typer.Option("--all", help="All tasks that have a network here.")] = False,
    res: Annotated[
        str | None,
        typer.Option(
            help="Sides in pixels: 32..512 (the default), 32..512:32, or 32,224,512; "
            "with --by-module, --interleave and --find-max batch by default the task's own.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(help="infer (a forward pass), forward (one in train mode, no backward) or train (a whole step)."),
    ] = "infer",
    batch: Annotated[int, typer.Option(help="Images a call.")] = 1,
    dtype: Annotated[str, typer.Option(help="fp32, bf16 or fp16; in train mode by autocast.")] = "fp32",
    device: DeviceOption = None,
    compile_: Annotated[bool, typer.Option("--compile", help="Run through torch.compile.")] = False,
    channels_last: Annotated[bool, typer.Option("--channels-last", help="In that memory format.")] = False,
    allocator: Annotated[str, typer.Option(help="On CPU: default, or warm (freed memory is kept).")] = "default",
    unsynchronised: Annotated[
        bool,
        typer.Option(
            "--unsynchronised",
            help="On CUDA, a time ends when the call returns, done or not; on CPU that is the same: no change.",
        ),
    ] = False,
    seconds: Annotated[
        float, typer.Option(help="Measuring time a point; twice as much where the machine is disturbed.")
    ] = 7.0,
    precision: Annotated[
        float, typer.Option(help="Wanted half-width of 95 % intervals: of medians, or ratios.")
    ] = 0.02,
    flush_l2: Annotated[bool, typer.Option("--flush-l2", help="On CUDA, empty the L2 cache before each call.")] = False,
    interleave: Annotated[
        bool, typer.Option("--interleave", help="Time all tasks in turns, in one process: ratios to the first.")
    ] = False,
    predict: Annotated[bool, typer.Option("--predict", help="Count and predict only: nothing is run.")] = False,
    by_module: Annotated[bool, typer.Option("--by-module", help="Cost and time by stage and layer.")] = False,
    depth: Annotated[int, typer.Option(min=1, help="Of --by-module: 1 for stages, 2 for their blocks ...")] = 2,
    find_max: Annotated[str | None, typer.Option(help="res or batch: the largest that fits into --memory.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory for --find-max, such as 24GiB.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Leave out points that the log has, measured here.")] = False,
    shard: Annotated[str | None, typer.Option(help="i/n: the i-th of n parts; their logs merge with cat.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves into this SVG file.")] = None,
    log: LogOption = LOG,
) -> None:
    """Measure parameters, MACs, latency and peak memory per resolution, each point in a fresh process. TASK may be a
    pattern, such as 'eaa-*'.

    With --interleave, all networks of a side in one: what is wanted is how their times compare.

    Without TASK: the headline pair, resnet50 and aa-resnet50.
    """
    from aabench.catalog import load_catalog
    from aabench.profile import Effort, Way, parse_resolutions

    catalog = load_catalog()
    chosen = _choose(catalog, tasks, all_tasks)
    sides = None if res is None else parse_resolutions(res)
    device = device if predict and device else pick_device(device)
    way = Way(mode, batch, dtype, device, compile_, channels_last, allocator, not unsynchronised)
    effort = Effort(seconds, precision, flush_l2)
    _one_job(predict=predict, by_module=by_module, find_max=find_max is not None, interleave=interleave)
    _one_job(predict=predict, resume=resume)
    for other in ({"resume": resume}, {"shard": shard is not None}, {"plot": plot is not None}):
        _one_job(interleave=interleave, **other)

    from aabench import record

    record.check_writable(log)
    if find_max is not None:
        _find_max(chosen, find_max, memory, sides, way, log)
    elif interleave:
        from aabench.cli.interleaved import run_interleaved

        run_interleaved(chosen, sides, way, effort, log)
    elif by_module:
        _by_module(chosen, sides, way, depth, log)
    else:
        sides = sides or parse_resolutions(DEFAULT_RESOLUTIONS)
        _sweep(chosen, sides, way, effort, log, predict=predict, resume=resume, shard=shard, plot=plot)


def _choose(catalog: Catalog, tasks: list[str] | None, all_tasks: bool) -> list[Task]:
    from aabench.errors import AABenchError

    if all_tasks and tasks:
        raise AABenchError("give tasks, or --all for all of them, not both")
    if all_tasks:
        return [task for task in catalog.tasks.values() if task.obstacle is None]
    named = {task.name: task for given in tasks or HEADLINE for task in _named(catalog, given)}
    return list(named.values())


def _named(catalog: Catalog, given: str) -> list[Task]:
    """The task of that name, or all that match a pattern and have a network here."""
    from fnmatch import fnmatchcase

    from aabench.errors import AABenchError

    if not any(sign in given for sign in "*?["):
        return [catalog.task(given)]
    found = [task for task in catalog.tasks.values() if task.obstacle is None and fnmatchcase(task.name, given)]
    if not found:
        raise AABenchError(f"no task with a network here matches {given!r}; `aabench list` shows them")
    return found


def _one_job(**asked: bool) -> None:
    from aabench.errors import AABenchError

    given = [f"--{name.replace('_', '-')}" for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        raise AABenchError(f"{' and '.join(given)} are different jobs: give one of them")


def _sweep(
    tasks: list[Task],
    sides: tuple[int, ...],
    way: Way,
    effort: Effort,
    log: Path,
    *,
    predict: bool,
    resume: bool,
    shard: str | None,
    plot: Path | None,
) -> None:
    from aabench import record
    from aabench.cli.points import MEASURED_HEADER, PREDICTED_HEADER
    from aabench.errors import NotMeasurable
    from aabench.profile import measured, points, predict_points, sweep

    chosen = points(tasks, sides, shard)
    done = measured(record.read(log).rows, way, effort) if resume else {}
    todo = [(task, side) for task, side in chosen if (task.name, side) not in done]
    known = [done[task.name, side] for task, side in chosen if (task.name, side) in done]
    if resume:
        typer.echo(f"{len(known)} of {len(chosen)} points are in {log} already")
    rows = predict_points(todo, way) if predict else sweep(todo, way, effort)
    started = time.perf_counter()
    typer.echo(PREDICTED_HEADER if predict else MEASURED_HEADER)
    found = _log_and_print(rows, log)
    ok = len({(row.task, row.settings["input_size"]) for row in found if row.status == "ok"})
    seconds = time.perf_counter() - started
    verb = "predicted" if predict else "measured"
    typer.echo(f"{ok} of {len(todo)} points {verb} in {seconds:.0f} s; logged in {log}")
    if plot is not None:
        _draw([*known, *found], plot)
    if todo and not ok:
        raise NotMeasurable(f"no point could be {verb}: the rows above say why")


def _log_and_print(rows: Iterable[Measurement], log: Path) -> list[Measurement]:
    """Append and print rows as they come. Ctrl-C ends it: what was measured is kept."""
    from aabench import record
    from aabench.cli.points import line

    done = []
    try:
        for row in rows:
            record.append(log, row)
            typer.echo(line(row))
            done.append(row)
    except KeyboardInterrupt:
        typer.echo(f"stopped; {len(done)} points are in {log}: go on with --resume", err=True)
        raise typer.Exit(128 + signal.SIGINT) from None
    return done


def _draw(rows: list[Measurement], path: Path) -> None:
    from aabench.errors import AABenchError
    from aabench.report.plots import svg
    from aabench.report.profiles import profile_chart

    try:
        path.write_bytes(svg(profile_chart(rows)))
    except OSError as error:
        raise AABenchError(f"cannot write {path} ({error.strerror}); choose another place with --plot") from error
    typer.echo(f"wrote {path}")


def _by_module(tasks: list[Task], sides: tuple[int, ...] | None, way: Way, depth: int, log: Path) -> None:
    from aabench import record
    from aabench.cli.modules import print_modules
    from aabench.errors import NotMeasurable
    from aabench.profile import profile_modules

    for task in tasks:
        row = profile_modules(task, _one_side(task, sides), way)
        record.append(log, row)
        if row.status != "ok":
            raise NotMeasurable(f"{task.name}: {row.error}")
        print_modules(row, depth)


def _find_max(
    tasks: list[Task], what: str, memory: str | None, sides: tuple[int, ...] | None, way: Way, log: Path
) -> None:
    from aabench import record
    from aabench.errors import AABenchError
    from aabench.profile import Search, parse_bytes

    if memory is None:
        raise AABenchError("--find-max needs --memory, such as --memory 24GiB")
    limit = parse_bytes(memory)
    for task in tasks:
        search = Search(task, what, limit, _one_side(task, sides), way)
        for row in search.trials():
            record.append(log, row)
            typer.echo(_trial(row, what))
        typer.echo(_found(search, memory))


def _trial(row: Measurement, what: str) -> str:
    number = row.settings["input_size" if what == "res" else "batch"]
    if row.status != "ok":
        return f"  {what} {number}: {'out of memory' if row.status == 'oom' else row.status}: {row.error}"
    taken, predicted = row.detail["taken"], row.number("memory", "predicted_live")
    return f"  {what} {number}: took {taken / 2**20:,.0f} MiB (predicted for its tensors: {predicted / 2**20:,.0f} MiB)"


def _found(search: Search, memory: str) -> str:
    where = f"at {search.side} pixels" if search.what == "batch" else f"at batch {search.way.batch}"
    name = "batch" if search.what == "batch" else "side"
    if not search.fits:
        return f"{search.task.name}: nothing fits into {memory} {where}; {name} {search.fails} does not"
    next_one = "" if search.fails is None else f"; {search.fails} does not"
    return (
        f"{search.task.name}: the largest {name} that fits into {memory} {where} is {search.fits}{next_one} "
        f"(planned: {search.planned})"
    )


def _one_side(task: Task, sides: tuple[int, ...] | None) -> int:
    from aabench.errors import AABenchError

    if sides is not None and len(sides) > 1:
        raise AABenchError(f"one side is expected here, and --res gives {len(sides)}; write --res 224")
    return task.input_size if sides is None else sides[0]
