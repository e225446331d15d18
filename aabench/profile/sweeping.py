"""Cost over resolutions: each point (task, side) counted here and measured in a fresh process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

import aabench
from aabench.catalog import Task
from aabench.errors import AABenchError
from aabench.profile.latency import Latency
from aabench.profile.memory import Peak
from aabench.profile.structure import count_values, settings_of
from aabench.profile.workload import MODES
from aabench.record import Measurement, Value, new

WORKER = (sys.executable, "-m", "aabench.profile.worker")
STDERR_LINES = 5


def sweep(
    tasks: Sequence[Task],
    resolutions: Sequence[int],
    *,
    mode: str = "infer",
    batch: int = 1,
    device: str = "cpu",
    seconds: float = 2.0,
    repeats: int = 100,
) -> Iterator[Measurement]:
    """Measure each task at each side, one row a point as soon as it is there; a failed point is a row too.

    A model is built anew for each side, since relative tables depend on it. Counts are for one image forward;
    latency, memory and images/s for a batch in the mode.

    Args:
        tasks: whose models; their own input size does not matter.
        resolutions: sides in pixels.
        mode: ``infer`` (forward) or ``train`` (a whole step).
        batch: images a call.
        device: ``cpu`` or ``cuda``.
        seconds: measuring time a point, see :func:`aabench.profile.measure_latency`.
        repeats: most samples a point.

    Raises:
        AABenchError: at once, before any point: an unknown mode, an empty batch or list, a device that is not here.
    """
    _check(tasks, resolutions, mode, batch, device, seconds, repeats)
    options = {"mode": mode, "batch": batch, "device": device, "dtype": "fp32", "seconds": seconds, "repeats": repeats}
    return (_point(task, side, options) for task in tasks for side in resolutions)


def _check(
    tasks: Sequence[Task], resolutions: Sequence[int], mode: str, batch: int, device: str, seconds: float, repeats: int
) -> None:
    if not tasks or not resolutions:
        raise AABenchError("nothing to profile: give at least one task and one resolution")
    if mode not in MODES:
        raise AABenchError(f"mode is {' or '.join(MODES)}, not {mode!r}")
    for name, value in (("batch", batch), ("seconds", seconds), ("repeats", repeats)):
        if value <= 0:
            raise AABenchError(f"{name} must be above 0, got {value}")
    if device not in ("cpu", "cuda"):
        raise AABenchError(f"device is cpu or cuda, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise AABenchError("device cuda was asked for and torch finds none here; use cpu, or see `aabench doctor`")


def _point(task: Task, side: int, options: dict[str, Any]) -> Measurement:
    settings, altered = settings_of(task, side)
    settings |= options
    row = partial(new, task=task.name, level="profile", settings=settings, altered=altered)
    try:
        counted, detail = count_values(task, side, options["device"])
    except AABenchError as error:
        return row(status="failed", error=str(error))
    started = time.perf_counter()
    result = _run_worker(settings)
    detail["process_seconds"] = time.perf_counter() - started
    if "error" in result:
        detail |= result.get("death", {})
        return row(status="failed", values=counted, detail=detail, error=result["error"])
    latency = Latency(tuple(result["latency"]["samples_ms"]), result["latency"]["stopped_by"])
    peaks = [Peak(**peak) for peak in result["memory"]]
    detail |= _detail(latency, peaks, result["threads"])
    values = (*counted, *_measured_values(latency, peaks, options["batch"]))
    return row(values=values, detail=detail)


def _measured_values(latency: Latency, peaks: Sequence[Peak], batch: int) -> Iterator[Value]:
    yield Value(metric="latency_ms", value=latency.median_ms, unit="ms", convention="median")
    yield Value(metric="images_per_s", value=1e3 * batch / latency.median_ms, unit="images/s")
    for peak in peaks:
        yield Value(metric="memory", value=peak.bytes, unit="bytes", convention=peak.convention, reason=peak.reason)


def _detail(latency: Latency, peaks: Sequence[Peak], threads: int) -> dict[str, Any]:
    return {
        "latency": {
            "median_ms": latency.median_ms,
            "quartiles_ms": list(latency.quartiles_ms),
            "n": len(latency.samples_ms),
            "stopped_by": latency.stopped_by,
            "samples_ms": list(latency.samples_ms),
        },
        "memory": [{"convention": peak.convention, "baseline_bytes": peak.baseline, "how": peak.how} for peak in peaks],
        "threads": threads,
    }


def _run_worker(point: dict[str, Any]) -> dict[str, Any]:
    """The worker's answer; if it died, ``error`` and ``death`` (signal or exit status, last lines of stderr)."""
    package = str(Path(aabench.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        WORKER,
        input=json.dumps(point),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    lines = done.stderr.strip().splitlines()[-STDERR_LINES:]
    death: dict[str, Any] = {"stderr": lines}
    if done.returncode < 0:
        death["signal"] = signal.Signals(-done.returncode).name
        how = f"by {death['signal']}"
        if death["signal"] == "SIGKILL":
            how += " (the kernel does that when memory runs out)"
    else:
        death["exit_status"] = done.returncode
        how = f"with exit status {done.returncode}"
    said = f"; its last line: {lines[-1]}" if lines else ""
    return {"error": f"the measuring process ended {how}{said}", "death": death}
