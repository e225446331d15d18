"""The report's section on networks timed in turns: of each run a table of ratios to its first network."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from aabench.profile.conditions import Conditions, conditions_of
from aabench.profile.ratios import Ratio, paired_ratio, run_of
from aabench.record import Measurement
from aabench.report.markdown import code, table
from aabench.report.numbers import MISSING, show_number

_INTRODUCTION = (
    "The networks of a table stood in one process, and each was called once a round, in an order drawn anew: they saw "
    "the same machine. `ratio` is the median, over the rounds, of a network's time over the first one's, with its 95 % "
    "interval; it is over the rounds of one process, and another process may differ by about a percent. Rounds in "
    "which the machine was `disturbed` do not count, as long as six others are left. Such times are under other "
    "conditions than a point's in a process of its own: the two are not mixed."
)


def interleaved(rows: Sequence[Measurement]) -> list[str]:
    """The lines: of each way of running, side and set of networks the newest run."""
    runs: dict[str, list[Measurement]] = {}
    for row in rows:
        name = run_of(row)
        if name is not None:
            runs.setdefault(name, []).append(row)
    newest = {_key(run): run for run in runs.values()}
    lines: list[str] = []
    for (conditions, side, _), run in sorted(newest.items(), key=lambda item: item[0]):
        lines += [f"### {conditions.title}, {side} pixels", "", *_table(run), ""]
    return ["## Profile, networks in turns", "", _INTRODUCTION, "", *lines] if lines else []


def _key(run: Sequence[Measurement]) -> tuple[Conditions, int, tuple[str, ...]]:
    first = run[0]
    return conditions_of(first), int(first.settings["input_size"]), tuple(first.detail["interleaved"]["tasks"])


def _table(run: Sequence[Measurement]) -> list[str]:
    """In the run's order; its first network may be missing where logs were cut, and then there are no ratios."""
    order = run[0].detail["interleaved"]["tasks"]
    of = {row.task: row for row in run}
    first = of.get(order[0])
    lines = []
    for row in (of[task] for task in order if task in of):
        latency = row.detail["latency"]
        ratio = None if first is None else paired_ratio(row, first)
        lines.append(
            {
                "task": code(row.task),
                "latency": show_number(row, "latency_ms"),
                "ratio": MISSING if ratio is None else f"{ratio.median:.3f}",
                "95 % interval": MISSING if ratio is None or row is first else _interval(ratio),
                "rounds": f"{latency['n']} of {len(latency['samples_ms'])}",
                "disturbed": f"{latency['disturbed']:.0%}",
                "stopped by": latency["stopped_by"],
            }
        )
    frame = pd.DataFrame(lines, dtype=object)
    return table(frame, right=["latency", "ratio", "95 % interval", "rounds", "disturbed"])


def _interval(ratio: Ratio) -> str:
    return MISSING if ratio.interval is None else "{:.3f} to {:.3f}".format(*ratio.interval)
