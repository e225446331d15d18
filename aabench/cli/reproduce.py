"""``aabench reproduce TASK`` (or PROTOCOL): measure it, and judge the paper's claims on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from aabench.cli.console import Console, Quiet, exit_code_of_stopped
from aabench.cli.options import LOG, DataOption, DeviceOption, LogOption, pick_device
from aabench.cli.protocol import run_protocol
from aabench.cli.verify import print_verdicts, report_broken
from aabench.errors import AABenchError

if TYPE_CHECKING:
    from aabench.catalog import Catalog, Task
    from aabench.levels import Level, Reach
    from aabench.record import Measurement
    from aabench.reproduce import Job, Outcome


def reproduce(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks, or one protocol, of `aabench list`.", show_default=False)
    ] = None,
    all_tasks: Annotated[
        bool, typer.Option("--all", help="All tasks that are not blocked, nor without their scheme.")
    ] = False,
    level: Annotated[
        str | None, typer.Option(help="structure, smoke, eval or train; default: the highest possible here.")
    ] = None,
    data: DataOption = None,
    download: Annotated[
        bool, typer.Option(help="Fetch missing CIFAR and torchvision weights into the data root.")
    ] = False,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights to evaluate (level eval).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order and augmentation.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Train with so many seeds, from --seed on.")] = 1,
    protocol: Annotated[
        str | None, typer.Option(help="Of a protocol: full or scaled; default: full on CUDA, scaled on a CPU.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Of a protocol, i/n: the i-th of n parts; their logs merge with cat.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a recipe field, the model, or its argument; may be repeated.",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(metavar="BITS", help="Where attention is plugged in: bits, or an integer a stage (4,11,19,3)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Classifier's checkpoint that a detector's backbone starts from; none: it starts anew."
        ),
    ] = None,
    save_detections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of level eval: write what a detector finds, as COCO results.")
    ] = None,
    eval_every: Annotated[int, typer.Option(min=1, help="Evaluate a training after every so many epochs.")] = 1,
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Memory format of trainings.")] = False,
    device: DeviceOption = None,
    log: LogOption = LOG,
) -> None:
    """Reproduce tasks: measure what is possible here, log it, and judge the paper's claims.

    Levels: structure (parameters, FLOPs) < smoke (a short training that must learn) < eval (weights on the test set)
    < train (the paper's recipe). Every level measures the structure first.

    A protocol trains its networks with equal seeds, and judges its claims seed by seed.
    """
    from aabench.catalog import load_catalog
    from aabench.levels import LEVELS

    catalog = load_catalog()
    names = _choose(catalog, tasks, all_tasks)
    of_protocol = names[0] in catalog.protocols
    foreign = {"--level": level, "--set": changes, "--scheme": scheme, "--checkpoint": checkpoint}
    foreign |= {"--backbone": backbone, "--save-detections": save_detections}
    _check_options(names, of_protocol, {"--protocol": protocol, "--shard": shard}, foreign)
    if scheme is not None:
        changes = [*(changes or ()), _scheme_change(catalog, names, scheme)]
    if level is not None and level not in LEVELS:
        raise AABenchError(f"unknown level {level!r}; one of {', '.join(LEVELS)}")
    if checkpoint is not None and level not in (None, "eval"):
        raise AABenchError(f"--checkpoint goes with level eval, not {level}")
    _check_detector_options(catalog, names, {"--backbone": backbone, "--save-detections": save_detections})
    if save_detections is not None and len(names) > 1:
        raise AABenchError("--save-detections goes with one task: each would replace what the one before has found")
    if seeds > 1 and level in ("structure", "eval"):
        raise AABenchError(f"--seeds goes with level smoke or train: level {level} has no seed")

    from aabench import record
    from aabench.reproduce import Job, fetch

    record.check_writable(log)
    if download:
        for name in catalog.protocols[names[0]].tasks if of_protocol else names:
            fetch(catalog.task(name), data)
    job = Job(
        catalog=catalog,
        data_root=data,
        checkpoint=checkpoint,
        seed=seed,
        changes=tuple(changes or ()),
        resume="never" if not resume else "where-begun" if of_protocol or seeds > 1 else "always",
        backbone="none" if backbone == "none" else Path(backbone) if backbone else None,
        detections=save_detections,
        eval_every=eval_every,
        channels_last=channels_last,
        device=pick_device(device),
        directory=log.parent,
        reporter=Quiet() if of_protocol else Console(),
    )
    _check_level(job, level)
    span = range(seed, seed + seeds)
    if of_protocol:
        run_protocol(job, catalog.protocols[names[0]], protocol, span, shard, log)
        raise typer.Exit(_judge(catalog, names, log))
    if level == "structure":
        errors = list(_structures(job, names, log))
    else:
        errors = [error for name in names for error in _one(job, name, level, log, span, alone=len(names) == 1)]
    code = _judge(catalog, names, log)
    raise typer.Exit(errors[0].exit_code if errors else code)


def _choose(catalog: Catalog, tasks: list[str] | None, all_tasks: bool) -> list[str]:
    if all_tasks == bool(tasks):
        raise AABenchError("give tasks, or --all for all of them; `aabench list` shows them")
    if all_tasks:
        return [task.name for task in catalog.tasks.values() if task.obstacle is None]
    names = [catalog.checked_name(name) for name in dict.fromkeys(tasks or ())]
    protocol = next((name for name in names if name in catalog.protocols), None)
    if protocol is not None and len(names) > 1:
        raise AABenchError(f"{protocol} is a protocol: give it alone")
    return names


def _check_options(names: list[str], of_protocol: bool, own: dict[str, Any], foreign: dict[str, Any]) -> None:
    """That a protocol has its own options only, and these go with nothing else."""
    for option, value in (foreign if of_protocol else own).items():
        if value is not None:
            kind = "a protocol, which trains its tasks as it says" if of_protocol else "a task: it goes with a protocol"
            raise AABenchError(f"{option} does not go with {names[0]}, {kind}")


def _check_detector_options(catalog: Catalog, names: list[str], options: dict[str, Any]) -> None:
    """That options of detectors are given for detectors only."""
    other = next((name for name in names if name in catalog.tasks and catalog.tasks[name].data != "coco"), None)
    for option, value in options.items():
        if value is not None and other is not None:
            raise AABenchError(f"{option} does not go with {other}, which is no detector")


def _check_level(job: Job, level: str | None, where: str = "") -> None:
    """That a detector's options go with the level, where it is known."""
    given = (
        ("--backbone", job.backbone is not None, "train"),
        ("--eval-every", job.eval_every != 1, "train"),
        ("--save-detections", job.detections is not None, "eval"),
    )
    for option, is_given, own in given:
        if is_given and level not in (None, own):
            raise AABenchError(f"{option} goes with level {own}, not {level}{where}")


def _scheme_change(catalog: Catalog, names: list[str], scheme: str) -> str:
    """What ``--scheme`` is short for, where each of the tasks has a scheme to replace."""
    from aabench.alter import text_change

    without = next((name for name in names if "scheme" not in catalog.task(name).arguments), None)
    if without is not None:
        raise AABenchError(f"--scheme does not go with {without}, whose network has no scheme")
    return text_change("scheme", scheme)


def _structures(job: Job, names: list[str], log: Path) -> Iterator[AABenchError]:
    """Count the tasks' models, many of them on all cores. Errors are printed, logged, and given back."""
    from aabench.cores import on_all_cores
    from aabench.reproduce import attempt

    outcomes = on_all_cores(partial(attempt, job, level="structure"), names)
    for name, outcome in zip(names, outcomes, strict=True):
        task = job.run(name).task
        typer.echo(_announcement(task, job.reach(task), "structure"))
        if error := _log(outcome, log):
            yield error


def _one(job: Job, name: str, given: str | None, log: Path, seeds: range, *, alone: bool) -> Iterator[AABenchError]:
    """Measure one task: its structure, then the level, with each seed where it has one. Errors are printed, logged,
    and given back.

    Raises:
        AABenchError: several seeds of a task that was named ``alone``, or an option, at a level that has none.
    """
    from aabench.reproduce import attempt

    task = job.run(name).task
    reach = job.reach(task)
    level = cast("Level | None", given) or reach.level
    _check_level(job, level, f", {name}'s highest here; ask for it with --level")
    unseeded = len(seeds) > 1 and level in ("structure", "eval")
    if unseeded and alone:
        raise AABenchError(f"--seeds goes with level smoke or train: level {level}, {name}'s highest here, has no seed")
    typer.echo(_announcement(task, reach, level))
    if unseeded:
        typer.echo(f"  level {level} has no seed: measured once")
    steps: list[tuple[Level, int]] = [("structure", seeds[0])]
    if level in ("smoke", "train"):
        steps += [(level, seed) for seed in seeds]
    elif level == "eval":
        steps.append((level, seeds[0]))
    for step, seed in steps:
        if len(seeds) > 1 and step != "structure":
            typer.echo(f"  seed {seed}")
        if error := _log(attempt(replace(job, seed=seed), name, step), log):
            yield error
            return


def _log(outcome: Outcome, log: Path) -> AABenchError | None:
    """Append the row and print it; an error is given back.

    Raises:
        typer.Exit: stopped by a signal.
    """
    from aabench.record import append

    row, error = outcome
    append(log, row)
    typer.echo(_summary(row))
    if row.status == "interrupted":
        raise typer.Exit(exit_code_of_stopped(error))
    return error if isinstance(error, AABenchError) else None


def _announcement(task: Task, reach: Reach, level: Level | None) -> str:
    if reach.level is None:
        return f"{reach.task}: blocked"
    text = f"{reach.task}: level {level}"
    if level == "smoke":
        format_ = "COCO" if task.data == "coco" else "CIFAR-100"
        text += " on real CIFAR-100" if reach.real_smoke else f" on a synthetic set in {format_}'s format"
    if level == reach.level and reach.next is not None:
        text += f"; for level {reach.next[0]} it lacks {reach.next[1]}"
    return text


def _summary(row: Measurement) -> str:
    """One line of what was measured, or why it was not."""
    head = f"  {row.level:<9}"
    if row.error is not None:
        return f"{head} {row.status}: {row.error}"
    if row.level == "structure":
        from aabench.record import show_shape

        kinds = ("macs", "flops", "aa-paper")
        flops = ", ".join(f"{row.number('flops', kind) / 1e9:.3f} ({kind})" for kind in kinds)
        shape = show_shape(row.detail["output_shape"], "x")
        return f"{head} {row.number('params'):,} parameters; GFLOPs {flops}; output {shape}"
    convention = "last" if row.level in ("smoke", "train") else None
    scores = _hits(row, convention) if row.get("AP", convention) is None else _precisions(row, convention)
    checks = row.detail.get("checks", {})
    lines = [f"{head} {scores}", *(f"            {name}: {check['text']}" for name, check in checks.items())]
    return "\n".join([*lines, *_unreadable(row), *_annotations(row)])


def _hits(row: Measurement, convention: str | None) -> str:
    correct, images = row.number("correct", convention), row.number("images", convention)
    top1, top5 = row.number("top1", convention), row.number("top5", convention)
    return f"top-1 {top1:.2f} %, top-5 {top5:.2f} % ({correct:,.0f} of {images:,.0f} images)"


def _precisions(row: Measurement, convention: str | None) -> str:
    shown = ", ".join(f"{name} {row.number(name, convention):.2f} %" for name in ("AP", "AP50", "AP75"))
    counts = f"{row.number('detections', convention):,.0f} detections in {row.number('images', convention):,.0f} images"
    if row.get("image_flops", "mean") is None:
        return f"{shown} ({counts})"
    mean, deviation = (row.number("image_flops", name) / 1e9 for name in ("mean", "deviation"))
    return f"{shown} ({counts}; {mean:.1f} GFLOPs an image as run, standard deviation {deviation:.1f})"


def _unreadable(row: Measurement) -> Iterator[str]:
    """The images that could not be read, by name."""
    missed = "counted as wrong" if row.get("AP", "last") is None and row.get("AP") is None else "without detections"
    fates = {"train": "left out", "test": missed}
    for split, found in row.detail.get("unreadable", {}).items():
        if found["count"]:
            yield f"            {_counted(found['count'], f'{split} image')} could not be read, {fates[split]}:"
            yield from (f"              {name}: {reason}" for name, reason in found["images"].items())


def _annotations(row: Measurement) -> Iterator[str]:
    """What the annotations have that no detector can learn."""
    for split, found in row.detail.get("annotations", {}).items():
        yield f"            {_counted(found['count'], 'fault')} in the {split} split's annotations:"
        yield from (f"              {fault}" for fault in found["first"])


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _judge(catalog: Catalog, names: list[str], log: Path) -> int:
    from aabench import record
    from aabench.verify import exit_code, judge_all

    content = record.read(log)
    report_broken(content, log)
    verdicts = judge_all(catalog, content.rows, names)
    print_verdicts(verdicts)
    return exit_code(verdicts)
