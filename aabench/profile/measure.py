"""The worker's job ``measure``: memory and latency of one point."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from aabench import allocator
from aabench.models import create_model
from aabench.profile import machine
from aabench.profile.difference import output_difference
from aabench.profile.energy import measure_energy
from aabench.profile.latency import measure_latency
from aabench.profile.limit import Allowance
from aabench.profile.memory import measure_memory
from aabench.profile.workload import workload


def run(point: dict[str, Any]) -> dict[str, Any]:
    """Memory first, while the process is fresh, then latency: separate passes, none disturbs another.

    Args:
        point: the settings of a row of level ``profile``, and ``quiet_us`` where it is known; with ``memory_limit``
            (bytes) the process gets no more, and its latency is not measured.
    """
    started = time.perf_counter()
    tuned = allocator.warm() if point["allocator"] == "warm" else "as the environment has it"
    device = point["device"]
    limit = point.get("memory_limit")
    allowance = Allowance(device, limit)
    call = build_call(point)

    def until_steady() -> None:
        # The optimiser's buffers appear in the first training step: the second one is what every later one is like.
        for _ in range(2 if point["mode"] == "train" else 1):
            call()

    memory = measure_memory(until_steady, device, record=limit is None)
    answer = {
        "memory": [dataclasses.asdict(peak) for peak in memory],
        "taken": allowance.peak(),
        "allocator": tuned,
        "threads": torch.get_num_threads(),
    }
    seconds = {"before_latency": time.perf_counter() - started}
    if limit is None:
        before = machine.state(device)
        latency = measure_latency(
            call,
            device,
            seconds=point["seconds"],
            precision=point["precision"],
            flush_l2=point["flush_l2"],
            synchronised=point["synchronised"],
            quiet_us=point.get("quiet_us"),
        )
        seconds["latency"] = time.perf_counter() - started - seconds["before_latency"]
        answer["latency"] = dataclasses.asdict(latency)
        answer["machine"] = {"before": before, "after": machine.state(device)}
        answer["difference"] = _difference(point)
        answer["energy"] = dataclasses.asdict(measure_energy(call, device, point["seconds"]))
    return answer | {"seconds": seconds}


def _model(point: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    return create_model(
        point["model"],
        input_size=point["input_size"],
        num_classes=point["num_classes"],
        device=point["device"],
        **point["arguments"],
    )


def _difference(point: dict[str, Any]) -> dict[str, Any] | None:
    found = output_difference(_model(point), point)
    return None if found is None else found.model_dump()


def build_call(point: dict[str, Any]) -> Callable[[], None]:
    """What is timed of a point: its network, built anew, on images of noise."""
    model = _model(point)
    side, device = point["input_size"], point["device"]
    x = torch.randn(point["batch"], 3, side, side, device=device)
    if point["channels_last"]:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if point["compile"]:
        model.compile()
    return workload(model, x, point["num_classes"], point["mode"], point["dtype"])
