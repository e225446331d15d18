"""The tables that a program may read: one line a claim, one line a measured value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from aabench.record import Measurement, Value
from aabench.verify import Verdict

CLAIM_COLUMNS = (
    *("claim", "paper", "table", "row", "task", "metric", "kind", "up_to", "baseline", "sweep"),
    *("source", "printed", "printed_unit"),
    *("low", "high", "verdict", "measured", "unit", "convention", "interval_low", "interval_high", "n", "n_of"),
    *("reason", "rows"),
)
"""``low`` and ``high`` are the interval of the printed value, in base units; so are all measured values."""

_SETTINGS = (
    *("device", "mode", "batch", "input_size", "dtype", "compile", "channels_last", "allocator", "memory_limit"),
    *("by_module", "synchronised", "interleaved"),
)
VALUE_COLUMNS = (
    *("row", "time", "task", "level", "status", "altered", "seed", *_SETTINGS),
    *("metric", "convention", "value", "unit", "reason", "error", "environment"),
)


def claims_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """One line a claim. Numbers stay exact: integers are not turned into floats."""
    return pd.DataFrame([_claim_line(verdict) for verdict in verdicts], columns=list(CLAIM_COLUMNS), dtype=object)


def _claim_line(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    low, high = claim.value.interval if claim.value else (None, None)
    interval_low, interval_high = verdict.interval or (None, None)
    return {
        "claim": claim.id,
        **{
            name: getattr(claim, name)
            for name in ("paper", "table", "row", "task", "metric", "kind", "up_to", "baseline", "sweep")
        },
        "source": claim.tag,
        "printed": claim.value.printed if claim.value else None,
        "printed_unit": claim.value.unit if claim.value else None,
        "low": low,
        "high": high,
        "verdict": verdict.status,
        **{name: getattr(verdict, name) for name in ("measured", "unit", "convention", "n", "n_of", "reason")},
        "interval_low": interval_low,
        "interval_high": interval_high,
        "rows": " ".join(verdict.rows),
    }


def measurements_frame(rows: Sequence[Measurement], environments: Sequence[str]) -> pd.DataFrame:
    """One line a measured value; a row of the log without values (a failure, say) is one line too.

    Args:
        rows: of the log.
        environments: the letter of each row's environment.
    """
    lines = [
        {**_row_part(row), **_value_part(value), "environment": environment}
        for row, environment in zip(rows, environments, strict=True)
        for value in row.values or (None,)
    ]
    return pd.DataFrame(lines, columns=list(VALUE_COLUMNS), dtype=object)


def _row_part(row: Measurement) -> dict[str, Any]:
    return {
        "row": row.id,
        **{name: getattr(row, name) for name in ("time", "task", "level", "status", "seed", "error")},
        "altered": json.dumps(row.altered, sort_keys=True) if row.altered else None,
        **{name: row.settings.get(name) for name in _SETTINGS},
    }


def _value_part(value: Value | None) -> dict[str, Any]:
    return {} if value is None else value.model_dump()


def to_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV, an empty field where there is nothing."""
    return str(frame.to_csv(index=False, lineterminator="\n"))
