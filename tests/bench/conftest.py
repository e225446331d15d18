"""``make bench`` writes its ratios as a page beside the JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from aabench.report.markdown import code, table

_INTRO = """# Benchmarks

Written by `make bench`. Candidates take turns in one process; a time is the median over the rounds. Times are
milliseconds, memory is what torch's allocator had live at the peak of a call, in MiB, beyond what was there before.
"""


def pytest_benchmark_update_json(config: Any, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """A table a module, next to the JSON file."""
    file: Path | None = config.getoption("benchmark_json")
    if file is None:  # saved elsewhere
        return
    modules: dict[str, list[dict[str, Any]]] = {}
    for found in output_json["benchmarks"]:
        modules.setdefault(found["fullname"].partition("::")[0], []).append(found)
    lines = [_INTRO, _machine(output_json["machine_info"])]
    for module, own in modules.items():
        frame = pd.DataFrame([_line(found) for found in own], dtype=object).fillna("")
        lines += ["", f"## {module}", "", *table(frame, right=list(frame.columns)[1:])]
    file.with_suffix(".md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _machine(info: dict[str, Any]) -> str:
    cpu = info["cpu"]
    return f"{cpu.get('brand_raw', 'unknown CPU')}, {cpu['count']} cores; Python {info['python_version']}"


def _line(found: dict[str, Any]) -> dict[str, object]:
    """Its numbers, a column each; those of all candidates in the columns ``seconds`` and ``bytes``."""
    line: dict[str, object] = {"benchmark": code(found["name"])}
    for key, value in found["extra_info"].items():
        if key in ("seconds", "bytes") and isinstance(value, dict):
            unit, factor = {"seconds": ("ms", 1e3), "bytes": ("MiB", 2.0**-20)}[key]
            line[unit] = ", ".join(f"{name} {own * factor:.1f}" for name, own in value.items())
        elif isinstance(value, str):
            line[key] = value
        elif isinstance(value, float):
            line[key.replace("_", " ")] = f"{value:.3f}"
    return line
