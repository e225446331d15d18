"""The report's section on cost over resolutions: a table and a chart of each way of running."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from aabench.errors import AABenchError
from aabench.profile.conditions import Conditions, by_conditions
from aabench.record import Measurement
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import MISSING, show, show_number
from aabench.report.plots import Chart, Look, Mark, Panel, Series

OUT_OF_MEMORY = "out of memory"
_INTRODUCTION = (
    "Each measured point ran in a fresh process. MACs and activations are for one image: `model` is what the "
    "definition needs, `executed` what really runs (padding, position features). Latency and memory are for the batch; "
    "latency is the median with its 95 % interval, `stopped by` says whether the interval or the time ended the "
    "measuring. `predicted_live` is found without running; `ratio` is it over `allocated_peak`, both of all tensors. "
    "`rss_peak` is what the process grew by."
)


def profiles(rows: Sequence[Measurement]) -> tuple[list[str], list[Chart]]:
    """(lines, charts): a table and a chart for each way of running, and a predicted one beside a measured one."""
    lines, charts = [], []
    for conditions, points in by_conditions(rows):
        chart = _chart(conditions, points)
        lines += [f"### {conditions.title}", "", f"![{conditions.title}]({chart.file})", "", *_table(points), ""]
        charts.append(chart)
    return (["## Profile", "", _INTRODUCTION, "", *lines] if lines else []), charts


def profile_chart(rows: Sequence[Measurement]) -> Chart:
    """The chart of a sweep's rows, all of one way of running; of predicted ones only where none was measured.

    Raises:
        AABenchError: there is no point to draw, or they are of several ways.
    """
    ways = list(by_conditions(rows))
    chosen = [of for of in ways if not of[0].predicted] or ways
    if not chosen:
        raise AABenchError("there is nothing to draw: no point was measured or predicted")
    if len(chosen) > 1:
        titles = "; ".join(conditions.title for conditions, _ in chosen)
        raise AABenchError(f"one chart is of one way of running, and these are {len(chosen)}: {titles}")
    return _chart(*chosen[0])


# --- the table

Cell = Callable[[Measurement], str]


def _value(metric: str, convention: str | None = None, unit: str = "") -> Cell:
    return lambda row: show_number(row, metric, convention).removesuffix(unit)


def _interval(row: Measurement) -> str:
    return _range(row.detail.get("latency", {}).get("interval_ms"))


def _quartiles(row: Measurement) -> str:
    latency = row.detail.get("latency", {})
    shown = _range(latency.get("quartiles_ms"))
    return shown if shown == MISSING else f"{shown} ({latency['n']})"


def _disturbed(row: Measurement) -> str:
    share = row.detail.get("latency", {}).get("disturbed")
    return MISSING if share is None else f"{share:.0%}"


def _range(ends: Sequence[float] | None) -> str:
    return MISSING if ends is None else f"{ends[0]:,.2f} to {ends[1]:,.2f}"


def _latency(row: Measurement) -> str:
    return bold(OUT_OF_MEMORY) if row.status == "oom" else show_number(row, "latency_ms")


def _share(row: Measurement) -> str:
    value = row.get("attention_share")
    return show(row.detail.get("attention_share") if value is None else value.value, "share")


def _ratio(row: Measurement) -> str:
    predicted, measured = (row.get("memory", kind) for kind in ("predicted_live", "allocated_peak"))
    if not (predicted and measured and predicted.value is not None and measured.value):
        return MISSING
    return f"{predicted.value / measured.value:.3f}"


COLUMNS: dict[str, Cell] = {
    "task": lambda row: code(row.task),
    "side": lambda row: str(row.settings["input_size"]),
    "parameters": _value("params"),
    "MACs (model)": _value("macs", "model"),
    "MACs (executed)": _value("macs", "executed"),
    "attention": _share,
    "activations": _value("activations"),
    "latency": _latency,
    "95 % interval": _interval,
    "quartiles (n)": _quartiles,
    "stopped by": lambda row: row.detail.get("latency", {}).get("stopped_by", MISSING),
    "disturbed": _disturbed,
    "images/s": _value("images_per_s", unit=" images/s"),
    "energy": _value("energy"),
    "FLOPs/byte": _value("arithmetic_intensity", unit=" FLOPs/byte"),
    "memory (predicted_live)": _value("memory", "predicted_live"),
    "memory (allocated_peak)": _value("memory", "allocated_peak"),
    "ratio": _ratio,
    "memory (reserved_peak)": _value("memory", "reserved_peak"),
    "memory (rss_peak)": _value("memory", "rss_peak"),
}
"""Header -> what stands in a row's cell. Columns that no row fills are left out."""


def _table(rows: Sequence[Measurement]) -> list[str]:
    filled: dict[str, list[Any]] = {name: [cell(row) for row in rows] for name, cell in COLUMNS.items()}
    frame = pd.DataFrame({name: cells for name, cells in filled.items() if set(cells) != {MISSING}}, dtype=object)
    lines = table(frame, right=list(frame.columns[1:]))
    missing = {f"no {value.metric}: {value.reason}" for row in rows for value in row.values if value.reason}
    return [*lines, "", *(f"- {reason}" for reason in sorted(missing))] if missing else lines


# --- the chart


def _chart(conditions: Conditions, rows: Sequence[Measurement]) -> Chart:
    marks = tuple(
        Mark(task, tuple(float(row.settings["input_size"]) for row in group if row.status == "oom"))
        for task, group in _by_task(rows)
    )
    drawn = _predicted(rows) if conditions.predicted else _measured(rows)
    panels = tuple(
        Panel(label, "side (pixels)", series, log=True, marks=() if label == "GMACs" else marks)
        for label, series in drawn.items()
        if series
    )
    return Chart(conditions.slug, conditions.title, panels)


def _predicted(rows: Sequence[Measurement]) -> dict[str, tuple[Series, ...]]:
    return {
        "memory of all tensors (MiB)": tuple(_series(rows, "memory", "predicted_live", 2**20)),
        "GMACs": tuple(_series(rows, "macs", "model", 1e9)),
        "activations (M)": tuple(_series(rows, "activations", None, 1e6)),
    }


def _measured(rows: Sequence[Measurement]) -> dict[str, tuple[Series, ...]]:
    label, memory = _memory(rows)
    return {
        "median latency (ms)": tuple(_series(rows, "latency_ms", "median", 1)),
        label: memory,
        "GMACs": tuple(_series(rows, "macs", "model", 1e9)),
    }


def _memory(rows: Sequence[Measurement]) -> tuple[str, tuple[Series, ...]]:
    """(label, series): the prediction as a line with the allocator's peaks as points on it, both of all tensors.

    Growth of the process is another quantity: it is drawn, alone, only where there is neither.
    """
    predicted = tuple(_series(rows, "memory", "predicted_live", 2**20, "line"))
    measured = tuple(_series(rows, "memory", "allocated_peak", 2**20, "points"))
    if predicted or measured:
        return "memory of all tensors (MiB)", predicted + measured
    return "memory, rss_peak (MiB)", tuple(_series(rows, "memory", "rss_peak", 2**20))


def _series(
    rows: Sequence[Measurement], metric: str, convention: str | None, scale: float, look: Look = "joined"
) -> Iterator[Series]:
    for task, group in _by_task(rows):
        found = [(row.settings["input_size"], row.get(metric, convention)) for row in group]
        points = [(float(side), value.value / scale) for side, value in found if value and value.value]
        if points:
            yield Series(task, tuple(x for x, _ in points), tuple(y for _, y in points), look=look)


def _by_task(rows: Sequence[Measurement]) -> Iterator[tuple[str, list[Measurement]]]:
    return ((task, list(group)) for task, group in groupby(rows, key=lambda row: row.task))
