"""One side of an interleaved comparison, in a process of its own: JSON lines on stdin, JSON lines on stdout.

Both revisions are driven by this one file, run by its path: of ``aabench`` it takes ``aabench.models`` from its own
revision (PYTHONPATH), and the call that is timed from the workload file that it is told. It imports torch besides, and
nothing else. Between two orders it waits for its pipe, which takes no processor.

Orders: first ``{"tree", "workload", "work"}``, answered ``{"ready": true}``; then ``{"warm_up": seconds}`` and
``{"calls": n}``, both answered ``{"seconds": of one call}``. An ``{"error"}`` ends it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WINDOW = 5
"""Calls whose median is looked at in the warm-up."""
SETTLED = 0.02
"""It has settled when the medians of two windows in a row differ by at most this share."""


def main() -> None:
    """Build, then do as told until the pipe is closed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not mix with the answers
    try:
        timed = _build(json.loads(sys.stdin.readline()))
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            order = json.loads(line)
            seconds = _warm_up(timed, order["warm_up"]) if "warm_up" in order else timed(order["calls"])
            print(json.dumps({"seconds": seconds}), file=answers)
    except Exception as error:  # of a revision that may be any
        first = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        print(json.dumps({"error": first}), file=answers)


def _build(order: dict[str, Any]) -> Callable[[int], float]:
    """A function: number of calls -> seconds a call."""
    import torch

    import aabench
    from aabench.models import create_model

    if not Path(aabench.__file__ or "").is_relative_to(order["tree"]):
        raise RuntimeError(f"aabench was imported from {aabench.__file__}, not from {order['tree']}")
    work = order["work"]
    torch.manual_seed(0)
    model = create_model(
        work["model"], input_size=work["input_size"], num_classes=work["num_classes"], **work["arguments"]
    )
    side = work["input_size"]
    x = torch.randn(work["batch"], 3, side, side, device=work["device"])
    workload = _load(order["workload"]).workload
    call = workload(model.to(work["device"]), x, work["num_classes"], work["mode"], work["dtype"])
    synchronize: Callable[[], None] = torch.cuda.synchronize if work["device"] == "cuda" else lambda: None

    def timed(calls: int) -> float:
        synchronize()
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        synchronize()
        return (time.perf_counter_ns() - start) / 1e9 / calls

    return timed


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("workload_of_head", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _warm_up(timed: Callable[[int], float], seconds: float) -> float:
    """Call until the running median has settled, or for so long; the last median."""
    end = time.perf_counter() + seconds
    before, now = float("inf"), statistics.median(timed(1) for _ in range(WINDOW))
    while abs(before / now - 1) > SETTLED and time.perf_counter() < end:
        before, now = now, statistics.median(timed(1) for _ in range(WINDOW))
    return now


if __name__ == "__main__":
    main()
