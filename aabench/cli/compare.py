"""``aabench compare``: what changed between two logs, or between a revision and the working copy."""

from __future__ import annotations

import json as json_module
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aabench.cli.options import DeviceOption, pick_device
from aabench.cli.profile import HEADLINE
from aabench.errors import AABenchError

if TYPE_CHECKING:
    from aabench.compare import Comparison
    from aabench.compare.source import Source

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def compare(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="BASE HEAD | TASK...", help="Two logs or JSON files of pytest-benchmark; with --rerun, tasks."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Only this metric: macs, or macs/model; may be repeated.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    rerun: Annotated[
        str | None, typer.Option(metavar="BASE_REV", help="Time this git revision against the working copy.")
    ] = None,
    res: Annotated[str | None, typer.Option(help="With --rerun: sides in pixels; default: the task's own.")] = None,
    mode: Annotated[str | None, typer.Option(help="With --rerun: infer (default), forward or train.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="With --rerun: images a call; default 1.")] = None,
    dtype: Annotated[str | None, typer.Option(help="With --rerun: fp32 (default), bf16 or fp16.")] = None,
    device: DeviceOption = None,
    seconds: Annotated[
        float | None, typer.Option(help="With --rerun: measuring time of a pair of processes; default 2.")
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            min=3,
            help="With --rerun: fresh pairs of processes a point; default 5, up to 4 times that if they differ much.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with what is the same too.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="GitHub Actions: print annotations, add to the step's summary.")
    ] = False,
) -> None:
    """Compare two logs by what is counted exactly, or two revisions by their time.

    BASE HEAD: parameters, MACs, FLOPs, activations, predicted memory and how they grow: any increase is a regression,
    any decrease an improvement. Times of two logs are never judged.

    --rerun BASE_REV [TASK...]: a revision and the working copy take turns in fresh pairs of processes; an alarm needs
    a rank test (p < 0.01) and a 95 % interval over the pairs beyond 2 %. Without TASK: resnet50 and aa-resnet50.

    Exit codes: 1 something regressed; else 4 something is not comparable or missing; else 3 nothing could be judged.
    """
    timing: dict[str, Any] = {"res": res, "mode": mode, "batch": batch, "dtype": dtype, "device": device}
    timing |= {"seconds": seconds, "pairs": pairs}
    _check_outputs(json, github)
    if rerun is not None:
        _refuse({"metric": metric, "task": task}, "two logs, not with --rerun (which takes tasks as arguments)")
        comparison = _rerun(rerun, arguments or list(HEADLINE), {k: v for k, v in timing.items() if v is not None})
    else:
        _refuse(timing, "--rerun BASE_REV, not with two logs")
        comparison = _files(arguments or [], metric or [], task or [])
    _show(comparison, json=json, junit=junit, github=github)
    if not json and "improvement" in comparison.counts and comparison.exit_code == 0 and rerun is None:
        typer.echo(f"BASE is out of date; renew it to keep what is won: cp {comparison.head} {comparison.base}")
    raise typer.Exit(comparison.exit_code)


def _check_outputs(json: bool, github: bool) -> None:
    if github and json:
        raise AABenchError("--json and --github both write to stdout; choose one")
    if github and not os.environ.get(STEP_SUMMARY):
        raise AABenchError(f"--github is for a step of GitHub Actions: {STEP_SUMMARY} names no file here")


def _refuse(options: dict[str, Any], place: str) -> None:
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise AABenchError(f"{', '.join(given)} {'go' if len(given) > 1 else 'goes'} with {place}")


def _files(paths: list[str], metrics: list[str], tasks: list[str]) -> Comparison:
    if len(paths) != 2:
        raise AABenchError(
            f"give two files, BASE and HEAD (got {len(paths)}), or --rerun BASE_REV to time a revision: "
            "aabench compare reports/baseline.jsonl runs/log.jsonl"
        )
    from aabench.catalog import load_catalog
    from aabench.compare import compare_files
    from aabench.compare.source import load

    base, head = (load(Path(path)) for path in paths)
    for source in (base, head):
        _report_broken(source)
    return compare_files(base, head, metrics=metrics, tasks=tasks, known_tasks=load_catalog().tasks)


def _report_broken(source: Source) -> None:
    for broken in source.broken:
        typer.echo(f"{source.path}, line {broken.line} is left out: {broken.reason}", err=True)


def _rerun(revision: str, names: list[str], options: dict[str, Any]) -> Comparison:
    from rich.console import Console
    from rich.progress import Progress

    from aabench.catalog import load_catalog
    from aabench.compare.rerun import PAIRS, SECONDS, rerun, work_of
    from aabench.compare.revision import working_copy
    from aabench.profile import Way, parse_resolutions

    catalog = load_catalog()
    tasks = [catalog.task(name) for name in names]
    sides = parse_resolutions(options["res"]) if "res" in options else (None,)
    chosen = {name: options[name] for name in ("mode", "batch", "dtype") if name in options}
    way = Way(**chosen, device=pick_device(options.get("device")))
    seconds = options.get("seconds", SECONDS)
    if seconds <= 0:
        raise AABenchError(f"seconds must be above 0, got {seconds:g}")
    points = [(task.name, work_of(task, side, way)) for task in tasks for side in sides]
    pairs = options.get("pairs", PAIRS)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("pairs of processes", total=pairs * len(points))
        return rerun(working_copy(), revision, points, pairs=pairs, seconds=seconds, done=lambda: progress.advance(bar))


def _show(comparison: Comparison, *, json: bool, junit: Path | None, github: bool) -> None:
    if junit is not None:
        from aabench.compare.junit import to_junit

        _write(junit, to_junit(comparison))
    if json:
        typer.echo(json_module.dumps(comparison.to_dict(), indent=2))
        return
    _print(comparison)
    if github:
        from aabench.compare.github import summary, workflow_commands

        for line in workflow_commands(comparison):
            typer.echo(line)
        _append(Path(os.environ[STEP_SUMMARY]), summary(comparison))


def _print(comparison: Comparison) -> None:
    from rich.console import Console

    from aabench.compare.table import print_comparison

    print_comparison(comparison, Console(highlight=False))


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise AABenchError(f"cannot write {path} ({error.strerror or error}); give --junit another file") from error


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise AABenchError(f"cannot write {path} ({error.strerror or error}); {STEP_SUMMARY} names it") from error
