"""Numbers for people: base units in, scaled text out."""

from __future__ import annotations

from aabench.record import Measurement

MISSING = "-"
"""Stands where there is no number."""

_SCALES: dict[str, tuple[float, str]] = {
    "parameters": (1e6, "{:,.3f} M"),
    "MACs": (1e9, "{:,.3f} G"),
    "FLOPs": (1e9, "{:,.3f} G"),
    "bytes": (2**20, "{:,.1f} MiB"),
    "%": (1, "{:.2f} %"),
    "points": (1, "{:+.2f} points"),
    "ms": (1, "{:,.2f} ms"),
    "images": (1, "{:,.0f} images"),
    "images/s": (1, "{:,.1f} images/s"),
}


def show(value: float | int | None, unit: str | None) -> str:
    """A value in base units as text, e.g. 25809448 parameters as ``25.809 M``."""
    if value is None:
        return MISSING
    scale, form = _SCALES.get(unit or "", (1, f"{{:,.4g}} {unit or ''}"))
    return form.format(value / scale).strip()


def show_value(row: Measurement, metric: str, convention: str | None = None) -> str:
    """A row's value of a metric as text; the reason where there is none."""
    value = row.get(metric, convention)
    if value is None:
        return MISSING
    return show(value.value, value.unit) if value.value is not None else f"{MISSING} ({value.reason})"


def run_name(row: Measurement) -> str:
    """The task and what was changed of it: ``aa-wrn-28-10 (depth 10, width 2)``."""
    changes = ", ".join(f"{key} {value}" for key, value in sorted(row.altered.items()))
    return f"{row.task} ({changes})" if changes else row.task
