"""What each module of a network costs: multiply-adds, parameters, bytes of its output and time, in a fresh process.

The time is taken by hooks around each module's forward: a module's own time is what its forward took less what the
modules called inside it took. So the time of operators that are no modules (an addition, ``relu_``) is that of the
module whose forward calls them, and own times add up to the whole forward pass. The hooks themselves cost a few
microseconds a module, which small modules show.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from aabench import allocator
from aabench.catalog import Task
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.profile.counting import Count, count
from aabench.profile.executed import explain_executed
from aabench.profile.process import run_in_fresh_process
from aabench.profile.structure import settings_of
from aabench.profile.way import Way
from aabench.profile.workload import workload
from aabench.record import Measurement, new

WARMUP = 2
"""Calls before the first that counts."""
REPEATS = 30
LEAST_REPEATS = 5
SECONDS = 5.0
"""After so long no call is begun, once there are LEAST_REPEATS."""


def profile_modules(task: Task, side: int, way: Way = Way()) -> Measurement:
    """A task's modules at a size, one by one: a row of level ``profile`` with ``by_module`` in its settings.

    It has no values, since it is no point of a sweep. Its detail has ``modules``: for each module that is called,
    ``name``, ``type``, ``params`` and ``macs`` of its own (``model`` MACs, for one image), ``activation_bytes`` (bytes
    of its output for the batch), ``ms`` (its own time in the forward pass of a batch, see :meth:`Stopwatch.result`) and
    ``share`` (of the sum of all own times). ``executed`` has what the forward pass executes, operator by operator.

    Raises:
        AABenchError: ``compile`` is asked for (a compiled network has no modules left), or CUDA and it is not here, or
            times that do not wait for the device.
    """
    if way.compile:
        raise AABenchError("a compiled network has no modules left to time; leave --compile out")
    if way.device == "cuda" and not torch.cuda.is_available():
        raise AABenchError("device cuda was asked for and torch finds none here; use cpu, or see `aabench doctor`")
    if way.device == "cuda" and not way.synchronised:
        raise AABenchError("a module's time is that of its work on the device; leave --unsynchronised out")
    settings, altered = settings_of(task, side)
    settings |= way.settings() | {"by_module": True}
    row: dict[str, Any] = {"task": task.name, "level": "profile", "settings": settings, "altered": altered}
    try:
        model = create_model(task.model, input_size=side, num_classes=task.num_classes, device="meta", **task.arguments)
        counted, executed = count(model, side), explain_executed(model, side, way)
    except AABenchError as error:
        return new(**row, status="failed", error=str(error))
    answer = run_in_fresh_process("modules", settings)
    if "error" in answer:
        ended = "oom" if answer.get("oom") else "failed"
        return new(**row | {"status": ended}, detail=answer.get("death", {}), error=answer["error"])
    detail = {
        "modules": list(_join(model, counted, answer["modules"])),
        "executed": [dataclasses.asdict(operator) for operator in executed.operators],
        "attention_forms": dict(executed.attention_forms),
        **{name: answer[name] for name in ("forward_ms", "repeats", "allocator", "threads")},
    }
    return new(**row, detail=detail)


def _join(model: nn.Module, counted: Count, timed: dict[str, dict[str, float]]) -> Iterator[dict[str, Any]]:
    rows = {row.name: row for row in counted.rows}
    whole = sum(own["ms"] for own in timed.values())
    for name, module in model.named_modules():
        if name in timed:
            row, own = rows.get(name), timed[name]
            yield {
                "name": name,
                "type": type(module).__name__,
                "params": row.params if row else 0,
                "macs": row.macs if row else 0,
                "activation_bytes": own["activation_bytes"],
                "ms": own["ms"],
                "share": own["ms"] / whole,
            }


def run(point: dict[str, Any]) -> dict[str, Any]:
    """The worker's job: times each module of a point.

    Returns:
        ``modules`` (name -> ``ms`` and ``activation_bytes``), ``forward_ms`` (the whole forward pass), ``repeats``,
        ``allocator``, ``threads``.
    """
    tuned = allocator.warm() if point["allocator"] == "warm" else "as the environment has it"
    torch.manual_seed(0)
    side, device = point["input_size"], point["device"]
    model = create_model(
        point["model"], input_size=side, num_classes=point["num_classes"], device=device, **point["arguments"]
    )
    x = torch.randn(point["batch"], 3, side, side, device=device)
    if point["channels_last"]:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    call = workload(model, x, point["num_classes"], point["mode"], point["dtype"])
    for _ in range(WARMUP):
        call()
    watch = Stopwatch(device)
    with watch.on(model):
        started, repeats = time.perf_counter(), 0
        while repeats < LEAST_REPEATS or (repeats < REPEATS and time.perf_counter() - started < SECONDS):
            watch.begin()
            call()
            repeats += 1
    return watch.result() | {"repeats": repeats, "allocator": tuned, "threads": torch.get_num_threads()}


@dataclass
class Span:
    """One call of a module's forward: marks of the clock, and the call that it was made in."""

    name: str
    parent: Span | None
    start: Any
    end: Any = None
    output_bytes: int = 0


class Stopwatch:
    """Times the modules of a network in one forward pass after another. Nothing waits for a GPU until the result.

    In training, only the forward pass is seen, the rest of the step runs between.
    """

    def __init__(self, device: str) -> None:
        self._cuda = torch.device(device).type == "cuda"
        self._passes: list[list[Span]] = []
        self._inside: list[Span] = []

    def begin(self) -> None:
        """A new forward pass begins."""
        self._passes.append([])

    @contextmanager
    def on(self, model: nn.Module) -> Iterator[None]:
        """While entered, the model's modules are timed."""
        hooks = []
        for name, module in model.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda m, args, name=name: self._enter(name)))
            hooks.append(module.register_forward_hook(lambda m, args, output: self._leave(output)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def result(self) -> dict[str, Any]:
        """``modules``: name -> own ``ms`` and ``activation_bytes`` a pass; ``forward_ms``: of a whole pass.

        Times are means over the middle half of the passes, by their whole time: so own times add up to the whole.
        """
        if self._cuda:
            torch.cuda.synchronize()
        passes = sorted(self._passes, key=lambda spans: self._elapsed(spans[0]))
        quarter = len(passes) // 4
        middle = passes[quarter : len(passes) - quarter]
        own: Counter[str] = Counter()
        for spans in middle:
            own.update(self._own_times(spans))
        output_bytes: Counter[str] = Counter()
        for span in self._passes[-1]:
            output_bytes[span.name] += span.output_bytes
        modules = {
            name: {"ms": milliseconds / len(middle), "activation_bytes": output_bytes[name]}
            for name, milliseconds in own.items()
        }
        return {"modules": modules, "forward_ms": fmean(self._elapsed(spans[0]) for spans in middle)}

    def _own_times(self, spans: Iterable[Span]) -> dict[str, float]:
        own: dict[str, float] = defaultdict(float)
        for span in spans:
            elapsed = self._elapsed(span)
            own[span.name] += elapsed
            if span.parent is not None:
                own[span.parent.name] -= elapsed
        return own

    def _elapsed(self, span: Span) -> float:
        if self._cuda:
            return float(span.start.elapsed_time(span.end))
        return float(span.end - span.start) / 1e6

    def _now(self) -> Any:
        if not self._cuda:
            return time.perf_counter_ns()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _enter(self, name: str) -> None:
        span = Span(name, self._inside[-1] if self._inside else None, self._now())
        self._passes[-1].append(span)
        self._inside.append(span)

    def _leave(self, output: Any) -> None:
        span = self._inside.pop()
        span.end = self._now()
        tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        span.output_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
