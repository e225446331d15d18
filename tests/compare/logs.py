"""Logs with chosen numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aabench.record import Measurement, Value, new

HERE = {"cpu": "Some CPU", "gpu": None, "threads": 2, "torch": "2.15.0"}
COUNTS = {"params": 1000, "macs/model": 4_000_000, "macs/executed": 4_100_000, "memory/predicted_live": 50_000}
UNITS = {"params": "parameters", "macs": "MACs", "flops": "FLOPs", "memory": "bytes", "latency_ms": "ms"}


def value(label: str, number: float | None) -> Value:
    metric, _, convention = label.partition("/")
    reason = "there is none here" if number is None else None
    return Value(metric=metric, convention=convention or None, value=number, unit=UNITS.get(metric, "1"), reason=reason)


def row(values: Mapping[str, float | None] = COUNTS, side: int = 32, /, **changes: Any) -> Measurement:
    """A predicted point of resnet20-cifar10, in training, or what is changed of it; settings are added to."""
    settings = {"model": "resnet20_cifar", "arguments": {}, "num_classes": 10, "input_size": side}
    settings |= {"mode": "train", "batch": 8, "dtype": "fp32", "device": "cpu"} | changes.pop("settings", {})
    environment = HERE | changes.pop("environment", {})
    time, version = changes.pop("time", None), changes.pop("schema_version", None)
    made = new(
        **{"task": "resnet20-cifar10", "level": "predict", **changes},
        settings=settings,
        values=tuple(value(label, number) for label, number in values.items()),
    )
    extra = {"time": time, "schema_version": version}
    return made.model_copy(update={"environment": environment} | {k: v for k, v in extra.items() if v is not None})


def write(path: Path, *rows: Measurement) -> Path:
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return path
