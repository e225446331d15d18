"""The report's section on searches for a scheme (EAN): what was found, at what cost, and how the search went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from aabench.record import Measurement
from aabench.report.heat_map import HeatMap
from aabench.report.markdown import code, table
from aabench.report.numbers import MISSING, run_name, show_number
from aabench.report.plots import Chart, Panel, Series

_INTRODUCTION = (
    "Each search scores schemes by the weights of one supernet, on training images held out from it. The found scheme "
    "was chosen by these images, so that its top-1 on them flatters it: what it is worth shows when it is trained. The "
    "reward is without the curiosity bonus. `image forwards` are whole networks times images: `as published` every "
    "scheme that a step asks for is run as a whole; `executed`, none is run twice, what schemes of a step have in "
    "common is run once, and those that differ at the last two blocks only are scored besides."
)
_RIGHT = (
    *("seed", "steps", "top-1 (held out)", "sparsity", "reward", "asked for", "scored"),
    *("image forwards as published", "executed", "ratio"),
)
_MEAN, _BEST, _BASELINE = "mean reward of a step", "greatest reward so far", "baseline (of rewards with bonus)"


def searches(rows: Sequence[Measurement]) -> tuple[list[str], list[Chart]]:
    """(lines, charts) of the newest finished search of each task, alteration, method and seed."""
    found = [row for row in rows if row.level == "search" and row.status == "ok"]
    newest = list({(run_name(row), row.detail["method"], row.seed): row for row in found}.values())
    if not newest:
        return [], []
    charts = list(_charts(newest))
    lines = ["## Searches for a scheme", "", _INTRODUCTION, ""]
    lines += [*table(pd.DataFrame([_line(row) for row in newest], dtype=object), right=_RIGHT), ""]
    for chart in charts:
        lines += [f"![{chart.title}]({chart.file})", ""]
    return lines, charts


def _line(row: Measurement) -> dict[str, object]:
    detail, scheme = row.detail, row.detail["scheme"]
    published, executed = (row.number("image_forwards", kind) for kind in ("as-published", "executed"))
    return {
        "task": code(run_name(row)),
        "method": detail["method"],
        "seed": MISSING if row.seed is None else row.seed,
        "steps": len(detail["history"]),
        "scheme": code(scheme["bits"]),
        "stages": scheme["integers"],
        "chosen as": detail["found_by"],
        "top-1 (held out)": show_number(row, "top1", "held-out"),
        "sparsity": show_number(row, "sparsity"),
        "reward": f"{row.number('reward'):.3f}",
        "asked for": detail["requested"],
        "scored": detail["evaluated"],
        "image forwards as published": f"{published:,.0f}",
        "executed": f"{executed:,.0f}",
        "ratio": f"{published / executed:.2f}",
    }


def _charts(rows: Sequence[Measurement]) -> Iterator[Chart]:
    """One of each search. Those that differ in what was altered only are numbered."""
    names: Counter[str] = Counter()
    for row in rows:
        name = f"search-{row.task}-{row.detail['method']}-seed{row.seed}"
        names[name] += 1
        number = f"-{names[name]}" if names[name] > 1 else ""
        title = f"{run_name(row)}: {row.detail['method']}, seed {row.seed}"
        yield Chart(f"{name}{number}", title, (_rewards(row), *_probabilities(row)))


def _rewards(row: Measurement) -> Panel:
    history: list[dict[str, Any]] = row.detail["history"]
    lines = {
        _MEAN: [fmean(step["rewards"]) for step in history],
        _BEST: [step["best"] for step in history],
        _BASELINE: [step["baseline"] for step in history if step["baseline"] is not None],
    }
    steps = tuple(float(step["step"]) for step in history)
    return Panel("reward (%)", "step", tuple(Series(name, steps, tuple(y)) for name, y in lines.items() if y))


def _probabilities(row: Measurement) -> list[HeatMap]:
    """How sure the controller was of each connection, after each step; other methods have no controller."""
    history = row.detail["history"]
    if history[0]["probabilities"] is None:
        return []
    blocks = tuple(zip(*(step["probabilities"] for step in history), strict=True))
    stages = tuple(len(stage) for stage in row.detail["scheme"]["bits"].split())
    return [HeatMap("block", "step", "probability that it is connected", blocks, stages)]
