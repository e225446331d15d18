"""Level structure: parameters, costs in each convention, and the output's shape."""

from __future__ import annotations

from aabench.reproduce.job import Found, Run


def structure_level(run: Run) -> Found:
    """Count the task's model at its input size."""
    from aabench.profile import measure_structure

    row = measure_structure(run.task)
    return Found(row.settings, row.values, row.detail)
