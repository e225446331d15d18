"""What is known of a point before it is run: its counts, and the memory and traffic of a call as predicted."""

from __future__ import annotations

import time
from typing import Any

from aabench.catalog import Task
from aabench.models import create_model
from aabench.profile.predict import predict
from aabench.profile.structure import count_values
from aabench.profile.way import Way
from aabench.record import Value


def expect(task: Task, side: int, way: Way) -> tuple[tuple[Value, ...], dict[str, Any]]:
    """What is counted and predicted of a point, and its detail.

    Raises:
        AABenchError: the network does not build or run at this size.
    """
    started = time.perf_counter()
    values, detail = count_values(task, side, way)
    model = create_model(task.model, input_size=side, num_classes=task.num_classes, device="meta", **task.arguments)
    prediction = predict(model, side, task.num_classes, way)
    detail |= {"predicted_memory": dict(prediction.memory), "predicted_on": prediction.device}
    memory = Value(metric="memory", value=prediction.peak, unit="bytes", convention="predicted_live")
    intensity = Value(metric="arithmetic_intensity", value=prediction.intensity, unit="FLOPs per byte")
    if way.compile:
        reason = "what is predicted is eager execution"
        memory, intensity = (v.model_copy(update={"value": None, "reason": reason}) for v in (memory, intensity))
    detail["expected_seconds"] = time.perf_counter() - started
    return (*values, memory, intensity), detail
