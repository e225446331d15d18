"""Points of pytest-benchmark's JSON, as ``make bench`` writes it to reports/bench.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aabench.compare.metrics import kind_of
from aabench.compare.points import Key, Point
from aabench.record import Value

LEVEL = "benchmark"


def is_benchmark(content: Any) -> bool:
    """Whether parsed JSON is pytest-benchmark's."""
    return isinstance(content, dict) and isinstance(content.get("benchmarks"), list) and "machine_info" in content


def points_of_benchmark(content: dict[str, Any]) -> dict[Key, Point]:
    """One point a benchmark: its median time, and the numbers of its ``extra_info``.

    An integer that is noted under the name of an exact metric of the log (``macs/model``) is one, and is judged so;
    every other number is a measurement, ``noted/NAME``.
    """
    machine = _machine(content["machine_info"])
    points = (_point(benchmark, machine) for benchmark in content["benchmarks"])
    return {point.key: point for point in points}


def _machine(info: dict[str, Any]) -> tuple[Any, ...]:
    cpu = info.get("cpu") or {}
    return cpu.get("brand_raw"), cpu.get("count"), info.get("python_version")


def _point(benchmark: dict[str, Any], machine: tuple[Any, ...]) -> Point:
    median = Value(metric="seconds", convention="median", value=benchmark["stats"]["median"], unit="s")
    values = {"seconds/median": median, **dict(_noted(benchmark.get("extra_info") or {}))}
    return Point(key=Key(benchmark["fullname"], LEVEL, ()), values=values, machine=machine)


def _noted(extra: dict[str, Any]) -> Iterator[tuple[str, Value]]:
    for name, number in extra.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        exact = isinstance(number, int) and kind_of(name) in ("exact", "exact for one torch")
        label = name if exact else f"noted/{name}"
        metric, _, convention = label.partition("/")
        yield label, Value(metric=metric, convention=convention or None, value=number, unit="")
