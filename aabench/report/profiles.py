"""The report's section on cost over resolutions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import pandas as pd

from aabench.record import Measurement
from aabench.report.markdown import code, table
from aabench.report.numbers import MISSING, show_value
from aabench.report.plots import Chart, Panel, Series

_PANELS = (("latency_ms", 1.0, "median latency (ms)"), ("memory", 2**20, "peak memory (MiB)"), ("macs", 1e9, "GMACs"))


def profiles(rows: Sequence[Measurement]) -> tuple[list[str], list[Chart]]:
    """(lines, charts): a table and a chart for each way of measuring (device, mode, batch, data type, machine)."""
    lines, charts = [], []
    for way, group in _by_way(rows):
        chart = _chart(way, group)
        lines += [f"### {way.title}", "", f"![{way.title}]({chart.file})", "", *_table(group), ""]
        charts.append(chart)
    intro = (
        "Each point was measured in a fresh process. MACs are for one image: `model` is what the definition needs, "
        "`executed` what really runs (padding, position features). Latency and memory are for the batch; latency with "
        "quartiles and the number of samples."
    )
    return (["## Profile", "", intro, "", *lines] if lines else []), charts


class Way(NamedTuple):
    """How points were measured: only those of one way can be compared."""

    device: str
    mode: str
    batch: int
    dtype: str
    machine: str

    @property
    def title(self) -> str:
        """For a heading."""
        what = {"infer": "inference", "train": "training step"}.get(self.mode, self.mode)
        return f"{what}, batch {self.batch}, {self.dtype}, {self.device}: {self.machine}"

    @property
    def slug(self) -> str:
        """For a file name."""
        return "-".join(re.findall(r"[a-z0-9.]+", f"profile {' '.join(map(str, self))}".lower()))


def _by_way(rows: Sequence[Measurement]) -> Iterator[tuple[Way, list[Measurement]]]:
    """The newest row of each point, tasks in the order of the log, sides ascending."""
    points = [row for row in rows if row.level == "profile" and row.status == "ok"]
    tasks = list(dict.fromkeys(row.task for row in points))
    newest = {(_way(row), tasks.index(row.task), int(row.settings["input_size"])): row for row in points}
    for way, keys in groupby(sorted(newest), key=lambda key: key[0]):
        yield way, [newest[key] for key in keys]


def _way(row: Measurement) -> Way:
    device, mode, batch, dtype = (row.settings[name] for name in ("device", "mode", "batch", "dtype"))
    known = row.environment
    on = known.get("gpu") if device == "cuda" else f"{known.get('cpu')}, threads {known.get('threads')}"
    return Way(device, mode, batch, dtype, f"{on}, torch {known.get('torch')}")


def _table(rows: Sequence[Measurement]) -> list[str]:
    kinds = list(dict.fromkeys(v.convention for row in rows for v in row.values if v.metric == "memory"))
    lines = [
        {
            "task": code(row.task),
            "side": row.settings["input_size"],
            "parameters": show_value(row, "params"),
            "MACs (model)": show_value(row, "macs", "model"),
            "MACs (executed)": show_value(row, "macs", "executed"),
            "latency": show_value(row, "latency_ms"),
            "quartiles (n)": _quartiles(row),
            "images/s": show_value(row, "images_per_s").removesuffix(" images/s"),
            **{f"memory ({kind})": show_value(row, "memory", kind) for kind in kinds},
        }
        for row in rows
    ]
    frame = pd.DataFrame(lines, dtype=object)
    return table(frame, right=list(frame.columns[1:]))


def _quartiles(row: Measurement) -> str:
    latency = row.detail.get("latency", {})
    if "quartiles_ms" not in latency:
        return MISSING
    low, high = latency["quartiles_ms"]
    return f"{low:,.2f} to {high:,.2f} ({latency['n']})"


def _chart(way: Way, rows: Sequence[Measurement]) -> Chart:
    panels = tuple(
        Panel(label, "side (pixels)", tuple(_series(rows, metric, scale)), log=True) for metric, scale, label in _PANELS
    )
    return Chart(way.slug, way.title, panels)


def _series(rows: Sequence[Measurement], metric: str, scale: float) -> Iterator[Series]:
    for task, group in groupby(rows, key=lambda row: row.task):
        found = [(row.settings["input_size"], row.get(metric)) for row in group]
        points = [(float(side), value.value / scale) for side, value in found if value and value.value]
        if points:
            yield Series(task, tuple(x for x, _ in points), tuple(y for _, y in points))
