"""Cost over resolutions: each point (task, side) counted and predicted here, and measured in a fresh process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import torch

from aabench.catalog import Task
from aabench.cores import on_all_cores
from aabench.errors import AABenchError
from aabench.profile.conditions import is_point
from aabench.profile.expected import expect
from aabench.profile.latency import Latency
from aabench.profile.memory import Peak
from aabench.profile.process import run_in_fresh_process
from aabench.profile.structure import settings_of
from aabench.profile.way import Effort, Way, waits_for_device
from aabench.record import Measurement, Status, Value, fingerprint, new
from aabench.shard import share

Point = tuple[Task, int]
"""A task and a side in pixels."""

MOST_AGAIN = 0.125
"""Share of a sweep's points that are measured again at most, where the machine was disturbed."""


def points(tasks: Sequence[Task], resolutions: Sequence[int], shard: str | None = None) -> list[Point]:
    """The points of a sweep, task by task, or the share of them that ``i/n`` names: every n-th, from the i-th on.

    Raises:
        AABenchError: no task or no resolution, or a shard that is not i/n with i from 1 to n.
    """
    if not tasks or not resolutions:
        raise AABenchError("nothing to profile: give at least one task and one resolution")
    every = [(task, side) for task in tasks for side in resolutions]
    return share(every, shard)


def predict_points(chosen: Sequence[Point], way: Way) -> Iterator[Measurement]:
    """Count and predict each point, one row of level ``predict`` a point; nothing is run, the device need not be here.

    Many points are shared out to processes, one a core. A model is built anew for each side, since relative tables
    depend on it. Counts are for one image forward, memory and arithmetic intensity for a call in the way given.
    """
    return on_all_cores(partial(_predict_point, way), chosen)


def _predict_point(way: Way, point: Point) -> Measurement:
    task, side = point
    settings, altered = settings_of(task, side)
    row: dict[str, Any] = {"task": task.name, "level": "predict", "altered": altered}
    row["settings"] = settings | way.settings()
    try:
        values, detail = expect(task, side, way)
    except AABenchError as error:
        return new(**row, status="failed", error=str(error))
    return new(**row, values=values, detail=detail)


def sweep(chosen: Iterable[Point], way: Way, effort: Effort = Effort()) -> Iterator[Measurement]:
    """Measure each point, one row of level ``profile`` as soon as it is there; a failed point is a row too.

    Points that no quiet moment was found for are measured once more at the end, up to an eighth of all: their newest
    row counts.

    Raises:
        AABenchError: at once, before any point, see :func:`check_possible`.
    """
    check_possible(way, effort)
    return _measure_all(chosen, way, effort)


def check_possible(way: Way, effort: Effort) -> None:
    """Check that networks can be timed in this way here.

    Raises:
        AABenchError: CUDA is asked for and not here, or a cache is to be emptied where nothing waits for it.
    """
    if way.device == "cuda" and not torch.cuda.is_available():
        raise AABenchError(
            "device cuda was asked for and torch finds none here; use cpu, or --predict, or see `aabench doctor`"
        )
    if way.device == "cuda" and effort.flush_l2 and not way.synchronised:
        raise AABenchError("with --unsynchronised nothing waits for --flush-l2 to be done: leave one out")


def _measure_all(chosen: Iterable[Point], way: Way, effort: Effort) -> Iterator[Measurement]:
    quiet_us: float | None = None
    timed: list[tuple[Point, Latency]] = []
    for task, side in chosen:
        row = measure_point(task, side, way, effort, quiet_us=quiet_us)
        yield row
        if "latency" in row.detail:
            latency = _latency(row.detail["latency"])
            timed.append(((task, side), latency))
            quiet_us = latency.quiet_us  # never more than what it was given
    disturbed = [point for point, latency in timed if not latency.quiet_ms(quiet_us)]
    for task, side in disturbed[: int(MOST_AGAIN * len(timed))]:
        yield measure_point(task, side, way, effort, quiet_us=quiet_us)


def _latency(found: dict[str, Any]) -> Latency:
    return Latency(**{field.name: found[field.name] for field in fields(Latency)})


def measure_point(
    task: Task,
    side: int,
    way: Way,
    effort: Effort = Effort(),
    memory_limit: int | None = None,
    quiet_us: float | None = None,
) -> Measurement:
    """One point.

    Args:
        task: whose model.
        side: in pixels.
        way: how it is run.
        effort: how long it is timed.
        memory_limit: bytes; its process gets no more, and its latency is not measured.
        quiet_us: what earlier points found of the quiet machine, see :mod:`aabench.profile.quiet`.
    """
    settings, altered = settings_of(task, side)
    settings |= way.settings() | effort.settings()
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    row: dict[str, Any] = {"task": task.name, "level": "profile", "settings": settings, "altered": altered}
    try:
        expected, detail = expect(task, side, way)
    except AABenchError as error:
        return new(**row, status="failed", error=str(error))
    started = time.perf_counter()
    answer = run_in_fresh_process("measure", settings | {"quiet_us": quiet_us})
    detail["process_seconds"] = time.perf_counter() - started
    if "error" in answer:
        detail |= answer.get("death", {})
        status: Status = "oom" if answer.get("oom") else "failed"
        return new(**row, status=status, values=expected, detail=detail, error=answer["error"])
    latency = _latency(answer["latency"]) if "latency" in answer else None
    values = (*expected, *_measured(answer, latency, way.batch))
    return new(**row, values=values, detail=detail | _detail(answer, latency))


def measured(rows: Iterable[Measurement], way: Way, effort: Effort) -> dict[tuple[str, int], Measurement]:
    """Of a log's rows, those measured in this way, with this effort, in this environment, by task and side.

    A point that ran out of memory is one that is known.
    """
    here, asked = fingerprint(), way.settings() | effort.settings()
    waits = waits_for_device(asked)
    del asked["synchronised"]  # rows may lack it, and on the CPU it changes nothing
    return {
        (row.task, row.settings["input_size"]): row
        for row in rows
        if row.level == "profile"
        and row.status in ("ok", "oom")
        and row.environment == here
        and asked.items() <= row.settings.items()
        and waits_for_device(row.settings) == waits
        and is_point(row)
    }


def _measured(answer: dict[str, Any], latency: Latency | None, batch: int) -> Iterator[Value]:
    for peak in (Peak(**peak) for peak in answer["memory"]):
        yield Value(metric="memory", value=peak.bytes, unit="bytes", convention=peak.convention, reason=peak.reason)
    if latency is not None:
        yield Value(metric="latency_ms", value=latency.median_ms, unit="ms", convention="median")
        if answer["difference"] is not None:
            yield Value(**answer["difference"])
        yield Value(metric="images_per_s", value=1e3 * batch / latency.median_ms, unit="images/s")
        energy = answer["energy"]
        yield Value(
            metric="energy", value=energy["joules"], unit="J", convention="a call, nvml", reason=energy["reason"]
        )


def _detail(answer: dict[str, Any], latency: Latency | None) -> dict[str, Any]:
    memory = [
        {"convention": peak["convention"], "baseline_bytes": peak["baseline"], "how": peak["how"]}
        for peak in answer["memory"]
    ]
    detail: dict[str, Any] = {"memory": memory}
    detail |= {name: answer[name] for name in ("allocator", "threads", "taken", "seconds", "machine") if name in answer}
    if latency is not None:
        detail["latency"] = {
            "median_ms": latency.median_ms,
            "quartiles_ms": latency.quartiles_ms,
            "interval_ms": latency.interval_ms,
            "n": len(latency.counted_ms),
            "disturbed": latency.disturbed,
            "quiet": bool(latency.quiet_ms(latency.quiet_us)),
            **answer["latency"],
        }
    return detail
