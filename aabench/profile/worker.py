"""One point of a sweep in a process of its own: ``python -m aabench.profile.worker``, JSON on stdin, JSON on stdout.

It imports what it measures and little else: its start is most of a small point's time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

import torch

from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.profile.latency import measure_latency
from aabench.profile.memory import measure_memory
from aabench.profile.workload import workload


def measure(point: dict[str, Any]) -> dict[str, Any]:
    """Memory first, while the process is fresh, then latency: two passes, neither disturbs the other.

    Args:
        point: model, arguments, num_classes, input_size, batch, mode, device, seconds, repeats.
    """
    torch.manual_seed(0)
    side, device, mode = point["input_size"], point["device"], point["mode"]
    model = create_model(
        point["model"], input_size=side, num_classes=point["num_classes"], device=device, **point["arguments"]
    )
    x = torch.randn(point["batch"], 3, side, side, device=device)
    call = workload(model, x, point["num_classes"], mode)

    def until_steady() -> None:
        # The optimiser's buffers appear in the first training step: the second one is what every later one is like.
        for _ in range(2 if mode == "train" else 1):
            call()

    memory = measure_memory(until_steady, device)
    latency = measure_latency(call, device, seconds=point["seconds"], repeats=point["repeats"])
    return {
        "memory": [dataclasses.asdict(peak) for peak in memory],
        "latency": {"samples_ms": list(latency.samples_ms), "stopped_by": latency.stopped_by},
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Read the point, write the result; a failure that Python can catch is a result too, with ``error``."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not mix with the answer
        try:
            result = measure(json.load(sys.stdin))
        except (AABenchError, RuntimeError, ValueError, MemoryError) as error:
            result = {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0]}
        json.dump(result, answer)


if __name__ == "__main__":
    main()
