"""The report's section on what went wrong: failed rows, and lines of the log that cannot be read."""

from __future__ import annotations

import pandas as pd

from aabench.record import Log
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import run_name

EXCERPT = 60
"""Characters shown of a broken line."""


def troubles(log: Log) -> list[str]:
    """Rows that did not end well, then broken lines; nothing if there are none."""
    lines: list[str] = []
    bad = [row for row in log.rows if row.status != "ok"]
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
