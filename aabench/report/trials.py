"""The report's section on what fits into a given memory: the trials of a search, each in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from aabench.profile.conditions import conditions_of
from aabench.record import Measurement
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import show, show_number


def trials(rows: Sequence[Measurement]) -> list[str]:
    """The newest trial of each task, size, way of running and limit, by size."""
    tried = [row for row in rows if "memory_limit" in row.settings and row.status in ("ok", "oom")]
    newest = {
        (row.task, row.settings["memory_limit"], conditions_of(row), row.settings["input_size"]): row for row in tried
    }
    lines = [
        {
            "task": code(task),
            "memory": show(limit, "bytes"),
            "way of running": conditions.title,
            "side": side,
            "batch": conditions.batch,
            "fits": "yes" if _fits(row) else bold("no"),
            "peak of the process": show(row.detail.get("process_peak"), "bytes"),
            "predicted for its tensors": show_number(row, "memory", "predicted_live"),
        }
        for (task, limit, conditions, side), row in sorted(newest.items(), key=lambda item: item[0])
    ]
    if not lines:
        return []
    frame = pd.DataFrame(lines, dtype=object)
    right = ["memory", "side", "batch", "peak of the process", "predicted for its tensors"]
    return ["## What fits into a given memory", "", *table(frame, right=right)]


def _fits(row: Measurement) -> bool:
    return row.status == "ok" and bool(row.detail["process_peak"] <= row.settings["memory_limit"])
