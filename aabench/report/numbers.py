"""Numbers for people: base units in, scaled text out."""

from __future__ import annotations

import math

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
    "exponent": (1, "{:+.2f}"),
    "ms": (1, "{:,.2f} ms"),
    "images": (1, "{:,.0f} images"),
    "images/s": (1, "{:,.1f} images/s"),
    "elements": (1e6, "{:,.3f} M"),
    "share": (0.01, "{:.1f} %"),
    "J": (1, "{:,.3g} J"),
    "FLOPs per byte": (1, "{:.1f} FLOPs/byte"),
    "relative": (1, "{:.2g}"),
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
    reason = "" if value is None or value.reason is None else f" ({value.reason})"
    return show_number(row, metric, convention) + reason


def show_number(row: Measurement, metric: str, convention: str | None = None) -> str:
    """As :func:`show_value`, without the reason."""
    value = row.get(metric, convention)
    return MISSING if value is None else show(value.value, value.unit)


_PREFIXES = {-4: "p", -3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}


def with_prefix(value: float, half_width: float) -> str:
    """A fitted number with its interval, e.g. 82229.25 and 16000 as ``82.23 ± 16 k``; no interval if it is rounding."""
    power = 0 if value == 0 else math.floor(math.log10(abs(value)) / 3)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    text = f"{value / 1000.0**power:.4g}"
    if half_width > 1e-6 * abs(value):
        half = half_width / 1000.0**power
        text += f" ± {half:{'.0f' if half >= 10 else '.2g'}}"
    return f"{text} {_PREFIXES[power]}".strip()


def run_name(row: Measurement) -> str:
    """The task and what was changed of it: ``aa-wrn-28-10 (depth 10, width 2)``. A protocol's setting has a name."""
    if "protocol" in row.altered:
        return f"{row.task} ({row.altered['protocol']})"
    changes = ", ".join(f"{key} {value}" for key, value in sorted(row.altered.items()))
    return f"{row.task} ({changes})" if changes else row.task
