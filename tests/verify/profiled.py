"""Points of profiles as a log would hold them, and a catalog with claims on cost. All numbers are made up."""

import itertools
import statistics
from collections.abc import Sequence
from typing import Any

from aabench.catalog import Catalog, Claim, Paper, Sweep, Task
from aabench.record import Measurement, Value

CPU = {"cpu": "A CPU", "threads": 2, "torch": "2.15.0", "gpu": None}
V100 = {**CPU, "gpu": "Tesla V100-SXM2-16GB"}
FIXED = {"parameters": 4000, "buffers": 40, "gradients": 400, "optimizer": 4000}
"""Bytes that belong to the weights, in every point."""

clock = itertools.count()


def point(task: str, side: int, *values: Value, level: str = "predict", **fields: Any) -> Measurement:
    """The next point of a log: a training step, batch 8, fp32, on the CPU, unless the settings say otherwise."""
    number = next(clock)
    way = {"device": "cpu", "mode": "train", "batch": 8, "dtype": "fp32", "compile": False, "channels_last": False}
    settings = {**way, "allocator": "default", "input_size": side, **fields.pop("settings", {})}
    content: dict[str, Any] = {"id": f"p{number}", "time": f"2026-01-01T00:00:00.{number:06d}Z", "status": "ok"}
    content |= {"task": task, "level": level, "values": values, "settings": settings, "environment": CPU}
    return Measurement(**{**content, "altered": {} if side == 224 else {"input_size": side}, **fields})


def predicted(task: str, side: int, activations: int, flops: int = 1, **fields: Any) -> Measurement:
    """A point whose images bring so many bytes of activations."""
    kinds = {**FIXED, "activations": activations}
    values = (
        Value(metric="flops", value=flops, unit="FLOPs", convention="flops"),
        Value(metric="memory", value=sum(kinds.values()), unit="bytes", convention="predicted_live"),
    )
    return point(task, side, *values, detail={"predicted_memory": kinds}, **fields)


def measured(task: str, side: int, activations: int, allocated: int) -> Measurement:
    """A point that was run: predicted as above, and so many bytes allocated."""
    row = predicted(task, side, activations, level="profile")
    peak = Value(metric="memory", value=allocated, unit="bytes", convention="allocated_peak")
    return row.model_copy(update={"values": (*row.values, peak)})


def timed(task: str, median: float, half: float | None, **fields: Any) -> Measurement:
    """A point at 224 pixels with its median in ms, and a 95 % interval so far to both sides."""
    value = Value(metric="latency_ms", value=median, unit="ms", convention="median")
    interval = None if half is None else [median - half, median + half]
    return point(task, 224, value, level="profile", detail={"latency": {"interval_ms": interval}}, **fields)


def in_turns(run: str, *, settings: dict[str, Any] | None = None, **times: Sequence[float]) -> list[Measurement]:
    """The rows of an interleaved run at 224 pixels, one a task, with its times round by round; all rounds count."""
    about = {"run": run, "tasks": list(times), "counted": list(range(len(next(iter(times.values())))))}
    rows = []
    for task, samples in times.items():
        median = Value(metric="latency_ms", value=statistics.median(samples), unit="ms", convention="median")
        latency = {"median_ms": median.value, "samples_ms": list(samples), "n": len(samples), "stopped_by": "time"}
        latency["disturbed"] = 0.25
        detail = {"interleaved": about, "latency": latency}
        way = {**(settings or {}), "interleaved": True}
        rows.append(point(task, 224, median, level="profile", detail=detail, settings=way))
    return rows


def on_v100(task: str, median: float, half: float | None, **settings: Any) -> Measurement:
    """As the sweep ``v100`` asks for it."""
    settings = {"device": "cuda", "mode": "infer", "batch": 128, **settings}
    return timed(task, median, half, settings=settings, environment=V100)


def claim(metric: str, kind: str, value: str | None = None, **fields: Any) -> Claim:
    """A claim on ``new`` over ``old``."""
    content: dict[str, Any] = {"id": f"p/{metric}/{kind}", "paper": "p", "table": "T", "row": "r", "tag": "printed"}
    sweep = "v100" if metric == "latency_ms" else "training"
    content |= {"task": "new", "baseline": "old", "metric": metric, "kind": kind, "value": value, "sweep": sweep}
    return Claim(**{**content, **fields})


def catalog() -> Catalog:
    """Tasks ``new`` and ``old``; the sweeps ``training`` (32, 64, 128, 256 pixels, anywhere), ``v100``, EAN's two."""
    sourced = ["model", "input_size", "normalisation", "mode", "batch", "dtype", "sides", "gpu", "synchronised"]
    source = dict.fromkeys(sourced, "ours")
    common: dict[str, Any] = {"paper": "p", "input_size": 224, "normalisation": "imagenet", "data": "imagenet"}
    tasks = {name: Task(name=name, model=name, source=source, **common) for name in ("new", "old")}
    sweeps = (
        Sweep(name="training", mode="train", batch=8, dtype="fp32", sides=(32, 64, 128, 256), source=source),
        Sweep(name="v100", mode="infer", batch=128, dtype="fp32", sides=(224,), gpu="V100", source=source),
    )
    common = {"batch": 50, "dtype": "fp32", "sides": (224,), "source": source}
    sweeps += (
        Sweep(name="ean-as-published", mode="forward", synchronised=False, **common),
        Sweep(name="ean-synchronised", mode="infer", **common),
    )
    paper = Paper(name="p", title="A paper", authors="A", venue="V", sheet="p.md")
    return Catalog(
        papers={"p": paper}, recipes={}, tasks=tasks, sweeps={sweep.name: sweep for sweep in sweeps}, claims=()
    )
