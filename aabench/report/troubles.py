"""The report's section on what went wrong: no memory left, failed rows, lines of the log that cannot be read."""

from __future__ import annotations

import pandas as pd

from aabench.profile.conditions import conditions_of
from aabench.record import Log, Measurement
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import run_name, show_number

EXCERPT = 60
"""Characters shown of a broken line."""


def troubles(log: Log) -> list[str]:
    """Points that ran out of memory, rows that did not end well, broken lines; nothing of what there is none of."""
    lines = _out_of_memory([row for row in log.rows if row.status == "oom"])
    bad = [row for row in log.rows if row.status not in ("ok", "oom")]
    if bad:
        frame = pd.DataFrame(
            [
                {
                    "row": code(row.id),
                    "task": code(run_name(row)),
                    "level": row.level,
                    "status": bold(row.status),
                    "error": row.error,
                }
                for row in bad
            ],
            dtype=object,
        )
        lines += ["## Rows that are no measurement", "", *table(frame), ""]
    if log.broken:
        excerpts = [line.text if len(line.text) <= EXCERPT else f"{line.text[:EXCERPT]} …" for line in log.broken]
        frame = pd.DataFrame(
            {
                "line": [line.line for line in log.broken],
                "why": [line.reason for line in log.broken],
                "begins with": excerpts,
            },
            dtype=object,
        )
        lines += ["## Lines of the log that cannot be used", "", *table(frame, right=["line"]), ""]
    return lines


def _out_of_memory(rows: list[Measurement]) -> list[str]:
    """What was run, what its tensors take by the prediction, and how it ended."""
    if not rows:
        return []
    frame = pd.DataFrame(
        [
            {
                "row": code(row.id),
                "task": code(row.task),
                "side": row.settings["input_size"],
                "way of running": conditions_of(row).title,
                "predicted for its tensors": show_number(row, "memory", "predicted_live"),
                "status": row.status,
                "how it ended": row.error,
            }
            for row in rows
        ],
        dtype=object,
    )
    intro = "These ended the process or the call for want of memory; that is what was measured of them."
    right = ["side", "predicted for its tensors"]
    return ["## Points that ran out of memory", "", intro, "", *table(frame, right=right), ""]
