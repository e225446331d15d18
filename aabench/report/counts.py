"""The report's section on structure: what each task's network counts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from aabench.record import Measurement, show_shape
from aabench.report.markdown import code, table
from aabench.report.numbers import MISSING, run_name, show_value


def counts(rows: Sequence[Measurement]) -> list[str]:
    """The newest structure row of each task, altered ones too."""
    newest = {run_name(row): row for row in rows if row.level == "structure" and row.status == "ok"}
    if not newest:
        return []
    conventions = list(
        dict.fromkeys(v.convention for row in newest.values() for v in row.values if v.metric == "flops")
    )
    lines = []
    for name, row in newest.items():
        params, shape = row.get("params"), row.detail.get("output_shape")
        lines.append(
            {
                "task": code(name),
                "input": row.settings.get("input_size", MISSING),
                "parameters": f"{params.value:,}" if params and params.value is not None else MISSING,
                **{f"FLOPs as {name}": show_value(row, "flops", name) for name in conventions},
                "output": show_shape(shape) if shape else MISSING,
            }
        )
    frame = pd.DataFrame(lines, dtype=object)
    text = "What one image costs, counted on the network's definition. `macs` are multiply-adds, `flops` twice as many."
    return ["## Counts", "", text, "", *table(frame, right=[*frame.columns[1:-1]])]
