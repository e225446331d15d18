"""Networks timed in turns in one fresh process, one row each: their ratios do not depend on how the machine drifts."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from aabench.catalog import Task
from aabench.errors import AABenchError
from aabench.profile.expected import expect
from aabench.profile.latency import LEAST_QUIET
from aabench.profile.median import median_interval
from aabench.profile.process import run_in_fresh_process
from aabench.profile.rounds import Rounds
from aabench.profile.structure import settings_of
from aabench.profile.sweeping import check_possible
from aabench.profile.way import Effort, Way
from aabench.record import Measurement, Status, Value, new

_ALONE = "the networks of an interleaved run share a process; profile it alone"


def interleave(
    tasks: Sequence[Task], sides: Sequence[int], way: Way, effort: Effort = Effort()
) -> Iterator[tuple[Measurement, ...]]:
    """Time all tasks in turns at each side, in a fresh process a side; one row of level ``profile`` a task.

    What is counted and predicted is as in a sweep. Memory and energy have no number: the process is not one network's.
    ``detail["interleaved"]`` has the ``run`` (an id that its rows share), its ``tasks``, and which rounds are
    ``counted``; ``detail["latency"]["samples_ms"]`` the times round by round, see
    :func:`aabench.profile.ratios.paired_ratio`. If one network fails, so do all rows of its side.

    Raises:
        AABenchError: at once: fewer than two tasks, or a way that cannot be timed here.
    """
    if len(tasks) < 2:
        raise AABenchError(f"--interleave times networks in turns: give two tasks or more, not {len(tasks)}")
    check_possible(way, effort)
    return (_run(tasks, side, way, effort) for side in sides)


def _run(tasks: Sequence[Task], side: int, way: Way, effort: Effort) -> tuple[Measurement, ...]:
    run = {"run": uuid.uuid4().hex, "tasks": [task.name for task in tasks]}
    rows = [_row(task, side, way, effort) for task in tasks]
    found: list[tuple[tuple[Value, ...], dict[str, Any]]] = []
    for task in tasks:
        try:
            found.append(expect(task, side, way))
        except AABenchError as error:
            return tuple(new(**row, status="failed", error=f"{task.name}: {error}") for row in rows)
    started = time.perf_counter()
    answer = run_in_fresh_process("interleaved", {"networks": [row["settings"] for row in rows]})
    shared: dict[str, Any] = {"process_seconds": time.perf_counter() - started, "interleaved": run}
    if "error" in answer:
        shared |= answer.get("death", {})
        ended: Status = "oom" if answer.get("oom") else "failed"
        return tuple(
            new(**row, status=ended, values=values, detail=detail | shared, error=answer["error"])
            for row, (values, detail) in zip(rows, found, strict=True)
        )
    rounds = Rounds(**answer["rounds"])
    shared |= {name: answer[name] for name in ("allocator", "threads", "machine")}
    shared["interleaved"] = run | {"counted": rounds.counted}
    return tuple(
        new(**row, values=(*values, *_values(latency, way.batch)), detail=detail | shared | {"latency": latency})
        for row, (values, detail), latency in zip(rows, found, _latencies(rounds), strict=True)
    )


def _row(task: Task, side: int, way: Way, effort: Effort) -> dict[str, Any]:
    settings, altered = settings_of(task, side)
    settings |= way.settings() | effort.settings() | {"interleaved": True}
    return {"task": task.name, "level": "profile", "settings": settings, "altered": altered}


def _latencies(rounds: Rounds) -> Iterator[dict[str, Any]]:
    """Of each network what a row of a sweep has of its latency, over the rounds that count."""
    disturbed, every = rounds.disturbed, len(rounds.times_ms)
    for network in range(len(rounds.times_ms[0])):
        samples = rounds.of(network)
        counted = [samples[i] for i in rounds.counted]
        first, _, third = statistics.quantiles(counted, n=4, method="inclusive")
        yield {
            "median_ms": statistics.median(counted),
            "quartiles_ms": (first, third),
            "interval_ms": median_interval(counted),
            "n": len(counted),
            "disturbed": len(disturbed) / every,
            "quiet": every - len(disturbed) >= LEAST_QUIET,
            "samples_ms": samples,
            "stopped_by": rounds.stopped_by,
            "warmup_calls": rounds.warmup_rounds,
            "settled": rounds.settled,
        }


def _values(latency: dict[str, Any], batch: int) -> tuple[Value, ...]:
    median = latency["median_ms"]
    return (
        Value(metric="memory", value=None, unit="bytes", convention="allocated_peak", reason=_ALONE),
        Value(metric="latency_ms", value=median, unit="ms", convention="median"),
        Value(metric="images_per_s", value=1e3 * batch / median, unit="images/s"),
        Value(metric="energy", value=None, unit="J", convention="a call, nvml", reason=_ALONE),
    )
