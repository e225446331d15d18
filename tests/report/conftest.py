"""A log with one row of everything, as a run of the whole program would leave it."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from aabench.record import Broken, Log, Measurement, Value

HERE = {"cpu": "A CPU", "threads": 2, "torch": "2.15.0", "gpu": None, "commit": "abc"}


def row(number: int, task: str, level: str, *values: Value, **fields: Any) -> Measurement:
    content = {
        "id": f"row{number}",
        "time": f"2026-01-01T00:00:{number:02d}.000000Z",
        "task": task,
        "level": level,
        "status": "ok",
        "values": values,
        "environment": HERE,
    }
    return Measurement(**{**content, **fields})


def count(params: int, flops: float) -> tuple[Value, ...]:
    return (
        Value(metric="params", value=params, unit="parameters"),
        Value(metric="macs", value=4_207_000_000, unit="MACs", convention="model"),
        Value(metric="flops", value=2 * 4_207_000_000, unit="FLOPs", convention="flops"),
        Value(metric="flops", value=flops, unit="FLOPs", convention="aa-paper"),
    )


def accuracy(last: float) -> tuple[Value, ...]:
    return (
        Value(metric="top1", value=last + 0.5, unit="%", convention="best"),
        Value(metric="top1", value=last, unit="%", convention="last"),
        Value(metric="images", value=10_000, unit="images"),
    )


def curve(height: float) -> list[dict[str, float | None]]:
    return [
        {
            "epoch": epoch,
            "step": 100 * epoch,
            "train_loss": 4.6 * math.exp(-epoch / 3),
            "top1": height * (1 - math.exp(-epoch / 2)) if epoch % 2 else None,
        }
        for epoch in range(1, 8)
    ]


def point(number: int, task: str, side: int, latency: float, **environment: Any) -> Measurement:
    return row(
        number,
        task,
        "profile",
        Value(metric="params", value=25_557_032, unit="parameters"),
        Value(metric="macs", value=side * 80_000, unit="MACs", convention="model"),
        Value(metric="macs", value=side * 90_000, unit="MACs", convention="executed"),
        Value(metric="latency_ms", value=latency, unit="ms", convention="median"),
        Value(metric="images_per_s", value=1e3 / latency, unit="images/s"),
        Value(metric="memory", value=side * 2**20, unit="bytes", convention="rss_peak"),
        settings={"device": "cpu", "mode": "infer", "batch": 1, "dtype": "fp32", "input_size": side},
        detail={"latency": {"quartiles_ms": [latency - 1, latency + 1], "n": 20}},
        environment={**HERE, **environment},
    )


@pytest.fixture(scope="session")
def log() -> Log:
    checks = {
        "loss_fell": {"ok": True, "text": "4.61 to 3.10"},
        "above_chance": {"ok": False, "text": "1.1 % against 5.0 %"},
    }
    smoke = {"checks": checks, "losses": [[10, 4.6], [20, 4.1], [30, 3.1]]}
    rows = (
        row(0, "aa-resnet50", "structure", *count(25_809_392, 8.326e9), settings={"input_size": 224}),
        row(1, "aa-resnet50-share-100", "structure", *count(19_383_560, 6.383e9)),
        row(2, "wrn-28-10", "smoke", *accuracy(12.5), seed=0, detail=smoke, settings={"train_set": "synthetic"}),
        row(3, "aa-wrn-28-10", "train", *accuracy(33.0), altered={"width": 2}, detail={"curve": curve(33.0)}),
        row(4, "resnet20-cifar10", "eval", Value(metric="correct", value=9173, unit="images")),
        *(row(5 + seed, "wrn-28-10", "train", *accuracy(80.2 + 0.1 * seed), seed=seed) for seed in range(3)),
        point(8, "resnet50", 64, 30.0),
        point(9, "resnet50", 32, 10.0),
        point(10, "aa-resnet50", 32, 12.5),
        point(11, "resnet50", 32, 11.0, cpu="Another CPU"),
        row(12, "se-wrn-28-10", "train", status="failed", error="loss is nan | step <7>"),
        row(13, "resnet50", "eval", status="blocked", error="no weights"),
    )
    return Log(rows, (Broken(15, "not a JSON object: Expecting value", '{"id": "ab' + 200 * "x"),))


def sweep_point(
    number: int, task: str, side: int, level: str = "profile", status: str = "ok", **settings: Any
) -> Measurement:
    """A point as version 2 has it: predicted and, unless memory ran out, measured."""
    live = 100 * 2**20 + 512 * side**2
    values = [
        Value(metric="params", value=25_557_032, unit="parameters"),
        Value(metric="macs", value=81_000 * side**2 + side**4, unit="MACs", convention="model"),
        Value(metric="activations", value=220 * side**2, unit="elements"),
        Value(metric="attention_share", value=0.25, unit="share"),
        Value(metric="arithmetic_intensity", value=31.25, unit="FLOPs per byte"),
        Value(metric="memory", value=live, unit="bytes", convention="predicted_live"),
    ]
    by_kind = {"conv": 81_000 * side**2, "attention": side**4}
    detail: dict[str, Any] = {"operations_by_kind": by_kind, "attention_forms": {"explicit": 4}}
    if level == "profile" and status == "ok":
        median = 10 + side**2 / 1000
        latency = {"quartiles_ms": [median - 0.5, median + 0.5], "interval_ms": [median - 0.25, median + 0.25]}
        detail["latency"] = {**latency, "n": 20, "stopped_by": "precision" if side < 256 else "time"}
        values += [
            Value(metric="latency_ms", value=median, unit="ms", convention="median"),
            Value(metric="images_per_s", value=1e3 / median, unit="images/s"),
            Value(metric="memory", value=live * 5 // 4, unit="bytes", convention="allocated_peak"),
            Value(metric="memory", value=50 * 2**20, unit="bytes", convention="rss_peak"),
            Value(metric="energy", value=None, unit="J", convention="a call, nvml", reason="no GPU"),
        ]
    way = {"device": "cpu", "mode": "infer", "batch": 1, "dtype": "fp32", "input_size": side}
    way |= {"compile": False, "channels_last": False, "allocator": "default"}
    error = None if status == "ok" else "the measuring process ended by SIGKILL"
    return row(number, task, level, *values, status=status, error=error, settings={**way, **settings}, detail=detail)


@pytest.fixture(scope="session")
def swept() -> Callable[..., Measurement]:
    """Makes one point of a sweep."""
    return sweep_point
