"""``aabench profile``: what models cost as images grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aabench.cli.options import LOG, DeviceOption, LogOption, TaskArguments, pick_device

if TYPE_CHECKING:
    from aabench.record import Measurement

HEADLINE = ("resnet50", "aa-resnet50")


def profile(
    tasks: TaskArguments = None,
    res: Annotated[str, typer.Option(help="Sides in pixels: 32..512, 32..512:32, or 32,224,512.")] = "32..512",
    mode: Annotated[str, typer.Option(help="infer (forward) or train (a whole step).")] = "infer",
    batch: Annotated[int, typer.Option(help="Images a call.")] = 1,
    seconds: Annotated[float, typer.Option(help="Measuring time a point.")] = 2.0,
    device: DeviceOption = None,
    log: LogOption = LOG,
) -> None:
    """Measure parameters, MACs, latency and peak memory per resolution, each point in a fresh process.

    Without TASK: the headline pair, resnet50 and aa-resnet50.
    """
    from aabench.catalog import load_catalog
    from aabench.profile import parse_resolutions

    catalog = load_catalog()
    chosen = [catalog.task(name) for name in tasks or HEADLINE]
    sides = parse_resolutions(res)

    from aabench import record
    from aabench.errors import NotMeasurable
    from aabench.profile import sweep

    points = sweep(chosen, sides, mode=mode, batch=batch, device=pick_device(device), seconds=seconds)
    record.check_writable(log)
    typer.echo(_HEADER)
    measured = 0
    for point in points:
        record.append(log, point)
        typer.echo(_line(point))
        measured += point.status == "ok"
    typer.echo(f"{measured} of {len(chosen) * len(sides)} points measured; logged in {log}")
    if not measured:
        raise NotMeasurable("no point could be measured: the rows above say why")


_HEADER = (
    f"{'task':<28} {'side':>5} {'params':>11} {'GMACs':>9} {'median ms':>10} {'quartiles':>19} {'n':>4} {'peak MiB':>9}"
)


def _line(point: Measurement) -> str:
    name = f"{point.task:<28} {point.settings['input_size']:>5}"
    if point.status != "ok":
        return f"{name} failed: {point.error}"
    params, macs, latency = (point.number(metric) for metric in ("params", "macs", "latency_ms"))
    memory = point.get("memory")
    peak = "-" if memory is None or memory.value is None else f"{memory.value / 2**20:.0f}"
    timing = point.detail["latency"]
    low, high = timing["quartiles_ms"]
    times = f"{latency:>10.2f} {low:>9.2f}..{high:<8.2f} {timing['n']:>4}"
    return f"{name} {params:>11,.0f} {macs / 1e9:>9.3f} {times} {peak:>9}"
