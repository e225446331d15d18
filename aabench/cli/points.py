"""The points of a sweep on the terminal, one line each as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aabench.record import Measurement

_LEFT = f"{'task':<26} {'side':>5} {'params':>11} {'GMACs':>9} {'predicted':>10}"
PREDICTED_HEADER = f"{_LEFT} {'FLOPs/byte':>10}"
MEASURED_HEADER = f"{_LEFT} {'allocated':>10} {'median ms':>10} {'95 % interval':>20} {'n':>5} {'images/s':>9}"


def line(point: Measurement) -> str:
    """A row of level ``predict`` or ``profile`` under its header.

    ``!``: time ran out before the interval closed; ``~``: the machine was disturbed all the time.
    """
    name = f"{point.task:<26} {point.settings['input_size']:>5}"
    if point.status != "ok":
        return f"{name} {'out of memory' if point.status == 'oom' else point.status}: {point.error}"
    left = f"{name} {point.number('params'):>11,} {point.number('macs', 'model') / 1e9:>9.3f}"
    left += f" {_mib(point, 'predicted_live'):>10}"
    if point.level == "predict":
        intensity = point.get("arithmetic_intensity")
        return f"{left} {'-' if intensity is None or intensity.value is None else f'{intensity.value:.1f}':>10}"
    timing = point.detail["latency"]
    interval = "{:.2f}..{:.2f}".format(*timing["interval_ms"]) if timing["interval_ms"] else "-"
    interval += ("" if timing["stopped_by"] == "precision" else "!") + ("" if timing["quiet"] else "~")
    return (
        f"{left} {_mib(point, 'allocated_peak'):>10} {point.number('latency_ms'):>10.2f} {interval:>20} "
        f"{timing['n']:>5} {point.number('images_per_s'):>9.1f}"
    )


def _mib(point: Measurement, convention: str) -> str:
    value = point.get("memory", convention)
    return "-" if value is None or value.value is None else f"{value.value / 2**20:,.0f} MiB"
