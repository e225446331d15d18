"""The structure level: what a task's model is, on meta tensors; no data, no device, no allocation."""

from __future__ import annotations

import dataclasses
from typing import Any

from aabench.catalog import Task
from aabench.models import create_model
from aabench.profile.conventions import CONVENTIONS
from aabench.profile.counting import Count, count
from aabench.profile.executed import Executed, explain_executed
from aabench.profile.way import Way
from aabench.record import Measurement, Value, new


def measure_structure(task: Task) -> Measurement:
    """Parameters, multiply-adds, FLOPs in each convention and output shape of a task, for one image.

    Raises:
        AABenchError: the model does not build or run at its size, or the counters disagree.
    """
    settings, altered = settings_of(task, task.input_size)
    values, detail = count_values(task, task.input_size)
    return new(task=task.name, level="structure", settings=settings, altered=altered, values=values, detail=detail)


def settings_of(task: Task, input_size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(settings, altered) of a task's model at a size: another size than its own is an alteration."""
    settings = {
        "model": task.model,
        "arguments": dict(task.arguments),
        "num_classes": task.num_classes,
        "input_size": input_size,
    }
    return settings, {} if input_size == task.input_size else {"input_size": input_size}


def count_values(task: Task, input_size: int, way: Way = Way()) -> tuple[tuple[Value, ...], dict[str, Any]]:
    """The counted values of a task at a size, for one image forward, and their detail.

    ``macs`` come as ``model`` (what the definition needs) and ``executed`` (what runs in the way given: padding and
    position features of fused attention included); ``flops`` in each convention from the model's.
    """
    model = create_model(
        task.model, input_size=input_size, num_classes=task.num_classes, device="meta", **task.arguments
    )
    counted = count(model, input_size)
    executed = explain_executed(model, input_size, way)
    values = (
        Value(metric="params", value=counted.params, unit="parameters"),
        Value(metric="macs", value=counted.macs, unit="MACs", convention="model"),
        Value(metric="macs", value=executed.macs, unit="MACs", convention="executed"),
        *(
            Value(metric="flops", value=counted.in_convention(name), unit="FLOPs", convention=name)
            for name in CONVENTIONS
        ),
        Value(metric="activations", value=counted.activations, unit="elements"),
        Value(metric="attention_share", value=counted.attention_share, unit="share"),
    )
    return values, _detail(counted, executed)


def _detail(counted: Count, executed: Executed) -> dict[str, Any]:
    return {
        "output_shape": list(counted.output_shape),
        "operations_by_kind": dict(counted.by_kind),
        "executed_beyond_model": [dataclasses.asdict(difference) for difference in executed.differences],
        "attention_forms": dict(executed.attention_forms),
    }
