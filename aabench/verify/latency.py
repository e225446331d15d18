"""Verdicts on latency: the increase over a baseline, in % of it, in the way and on the machine that the paper names."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aabench.catalog import Claim, Sweep
from aabench.catalog.schema import Quantity
from aabench.record import Measurement
from aabench.verify.place import place_value
from aabench.verify.points import Curves, command, curves, eager, failures, fits
from aabench.verify.statistics import Interval
from aabench.verify.verdict import Judgement, Verdict

LATENCY_MARGIN = 2.0
"""Points by which a measured increase in % may miss the printed one and still verify it, with its whole interval.

Ours: no paper states a tolerance. A profile times each median to about 2 % of it unless told otherwise.
"""


def judge_latency(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Verdict:
    """Judge an increase in latency by the newest pair of points of the claim's sweep.

    Pairs of another batch or data type, or from another machine, say nothing of the paper's number: the claim is
    blocked by what they lack, and the increase that they show stands in the reason.
    """
    found = sorted(curves(claim, sweep, rows, _latency), key=lambda of: max(row.time for row in of.rows), reverse=True)
    own = next((of for of in found if fits(of.way, sweep)), None)
    if own is not None:
        return _decided(claim, own)
    near = next((of for of in found if eager(of.way)), None)
    if near is None:
        where = f"on one {sweep.gpu}, " if sweep.gpu else ""
        reason = f"{where}{command(claim, sweep, predict=False)} measures it{failures(claim, sweep, rows)}"
        return Verdict(claim=claim, status="not-run", reason=reason)
    needs = (*([f"one {sweep.gpu}"] if sweep.gpu else []), f"batch {sweep.batch}", sweep.dtype)
    reason = (
        f"needs {', '.join(needs)}; not comparable: {_show(_increase(near))} over {claim.baseline} ({near.way.title})"
    )
    return Verdict(claim=claim, status="blocked", reason=reason, rows=near.ids)


def _latency(row: Measurement) -> float | int | None:
    value = row.get("latency_ms", "median")
    return None if value is None else value.value


def _increase(of: Curves) -> tuple[float, Interval | None]:
    """The increase at the sweep's one side, in %, and its 95 % interval, where both medians have one.

    The medians' intervals are taken for independent: half-widths of the logarithms add in squares, as in
    :func:`aabench.profile.scaling.local_exponents`.
    """
    ratio = of.ours[0] / of.theirs[0]
    intervals = [row.detail.get("latency", {}).get("interval_ms") for row in of.rows]
    if any(interval is None for interval in intervals):
        return 100 * (ratio - 1), None
    half = math.hypot(*(math.log(high / low) / 2 for low, high in intervals))
    low, high = (100 * (ratio * math.exp(sign * half) - 1) for sign in (-1, 1))
    return 100 * (ratio - 1), Interval(100 * (ratio - 1), low, high)


def _decided(claim: Claim, of: Curves) -> Verdict:
    value, interval = increase = _increase(of)
    assert claim.value is not None  # the schema: a claim on a latency is a delta
    status, why = _place(claim.value, interval)
    return Verdict(
        claim=claim,
        status=status,
        reason=f"{_show(increase)} over {claim.baseline} {why} ({of.way.title})",
        measured=value,
        unit="%",
        convention="median",
        interval=None if interval is None else (interval.low, interval.high),
        rows=of.ids,
    )


def _place(claimed: Quantity, interval: Interval | None) -> tuple[Judgement, str]:
    """Where the interval lies to the claim: (status, why)."""
    if interval is None:
        return "underpowered", "decides nothing: too few calls for an interval"
    decided = place_value(claimed, interval, LATENCY_MARGIN)
    if decided[0] == "consistent" and interval.width > abs(claimed.value):
        return "underpowered", f"is {interval.width:.1f} points wide, and the claimed increase is {claimed}"
    return decided


def _show(increase: tuple[float, Interval | None]) -> str:
    value, interval = increase
    return f"{value:+.1f} %" + (f" [{interval.low:+.1f}, {interval.high:+.1f}]" if interval else "")
