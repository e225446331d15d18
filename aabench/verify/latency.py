"""Verdicts on latency: the increase over a baseline, in % of it, in the way and on the machine that the paper names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aabench.catalog import Claim, Sweep
from aabench.catalog.schema import Quantity
from aabench.profile.conditions import Conditions, conditions_of
from aabench.profile.ratios import paired_ratio, run_of
from aabench.record import Measurement
from aabench.verify.place import place_value
from aabench.verify.points import Curves, command, curves, eager, failures, fits, is_of
from aabench.verify.statistics import Interval
from aabench.verify.verdict import Judgement, Verdict

LATENCY_MARGIN = 2.0
"""Points by which a measured increase in % may miss the printed one and still verify it, with its whole interval.

Ours: no paper states a tolerance. A profile times each median to about 2 % of it unless told otherwise.
"""


@dataclass(frozen=True)
class Increase:
    """Of the task's latency over the baseline's, in %."""

    way: Conditions
    value: float
    interval: Interval | None
    """95 %; None for too few calls."""
    rows: tuple[Measurement, ...]
    """The task's and the baseline's."""
    rounds: int | None = None
    """Of the interleaved run that they are of; None for two points, each timed by itself."""

    def __str__(self) -> str:
        interval = self.interval
        return f"{self.value:+.1f} %" + (f" [{interval.low:+.1f}, {interval.high:+.1f}]" if interval else "")


def judge_latency(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Verdict:
    """Judge an increase in latency, or that there is a decrease, by what was timed in the way of the claim's sweep.

    The newest interleaved run of both networks counts, and only without one the newest pair of points. Pairs of another
    batch or data type, or from another machine, say nothing of the paper's number: the claim is blocked by what they
    lack, or not run where the machine at hand can do better; the increase that they show stands in the reason.
    """
    found = [*_newest_first(_of_runs(claim, sweep, rows)), *_newest_first(_of_points(claim, sweep, rows))]
    own = next((of for of in found if fits(of.way, sweep)), None)
    if own is not None:
        return _decided(claim, sweep, own)
    near = next((of for of in found if eager(of.way)), None)
    aside = f"not comparable: {near} over {claim.baseline} ({near.way.title})" if near else ""
    if near is None or sweep.gpu is None:
        where = f"on one {sweep.gpu} GPU, " if sweep.gpu else ""
        reason = f"{where}{command(claim, sweep, predict=False)} measures it{failures(claim, sweep, rows)}"
        return Verdict(claim=claim, status="not-run", reason="; ".join(filter(None, (reason, aside))))
    reason = f"needs one {sweep.gpu} GPU, batch {sweep.batch}, {sweep.dtype}; {aside}"
    return Verdict(claim=claim, status="blocked", reason=reason, rows=tuple(row.id for row in near.rows))


def _newest_first(found: Iterator[Increase]) -> list[Increase]:
    return sorted(found, key=lambda of: max(row.time for row in of.rows), reverse=True)


def _of_runs(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Iterator[Increase]:
    """By each interleaved run that has both networks: the ratios round by round."""
    runs: dict[str, dict[str, Measurement]] = {}
    for row in rows:
        run = run_of(row)
        if run is not None and is_of(row, claim, sweep):
            runs.setdefault(run, {})[row.task] = row
    for pair in runs.values():
        ours, theirs = pair.get(claim.task), pair.get(claim.baseline or "")
        if ours is not None and theirs is not None:
            ratio = paired_ratio(ours, theirs)
            yield _increase(conditions_of(ours), ratio.median, ratio.interval, (ours, theirs), ratio.rounds)


def _of_points(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Iterator[Increase]:
    """By each pair of points of one way of running.

    The medians' intervals are taken for independent: half-widths of the logarithms add in squares, as in
    :func:`aabench.profile.scaling.local_exponents`.
    """
    for of in curves(claim, sweep, rows, _latency):
        ratio, interval = of.ours[0] / of.theirs[0], _half(of)
        ends = None if interval is None else (ratio * math.exp(-interval), ratio * math.exp(interval))
        yield _increase(of.way, ratio, ends, of.rows)


def _latency(row: Measurement) -> float | int | None:
    value = row.get("latency_ms", "median")
    return None if value is None else value.value


def _half(of: Curves) -> float | None:
    """Half the width of the interval of the ratio's logarithm, where both medians have one."""
    intervals = [row.detail.get("latency", {}).get("interval_ms") for row in of.rows]
    if any(interval is None for interval in intervals):
        return None
    return math.hypot(*(math.log(high / low) / 2 for low, high in intervals))


def _increase(
    way: Conditions,
    ratio: float,
    ends: tuple[float, float] | None,
    rows: tuple[Measurement, ...],
    rounds: int | None = None,
) -> Increase:
    value, percent = 100 * (ratio - 1), [100 * (end - 1) for end in ends or ()]
    return Increase(way, value, Interval(value, *percent) if percent else None, rows, rounds)


def _decided(claim: Claim, sweep: Sweep, of: Increase) -> Verdict:
    status, why = _order(of.interval) if claim.value is None else _place(claim.value, of.interval)
    rounds = "" if of.rounds is None else f", {of.rounds} rounds"
    same = "" if sweep.synchronised or of.way.device == "cuda" else "; on a CPU there is nothing to wait for"
    return Verdict(
        claim=claim,
        status=status,
        reason=f"{of} over {claim.baseline} {why} ({of.way.title}{rounds}{same})",
        measured=of.value,
        unit="%",
        convention="median" if of.rounds is None else "median of the rounds' ratios",
        interval=None if of.interval is None else (of.interval.low, of.interval.high),
        n=of.rounds,
        n_of=None if of.rounds is None else "rounds",
        rows=tuple(row.id for row in of.rows),
    )


_TOO_FEW: tuple[Judgement, str] = ("underpowered", "decides nothing: too few calls for an interval")


def _order(interval: Interval | None) -> tuple[Judgement, str]:
    """Which of the two takes less, for a claim that the task does: (status, why)."""
    if interval is None:
        return _TOO_FEW
    if interval.high < 0:
        return "verified", "lies below 0"
    if interval.low > 0:
        return "contradicted", "lies above 0"
    return "underpowered", "holds 0: which of the two takes less is open"


def _place(claimed: Quantity, interval: Interval | None) -> tuple[Judgement, str]:
    """Where the interval lies to the claim: (status, why)."""
    if interval is None:
        return _TOO_FEW
    decided = place_value(claimed, interval, LATENCY_MARGIN)
    if decided[0] == "consistent" and interval.width > abs(claimed.value):
        return "underpowered", f"is {interval.width:.1f} points wide, and the claimed increase is {claimed}"
    return decided
