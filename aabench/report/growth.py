"""The report's section on growth: the law of each cost, where attention overtakes convolution, where tasks cross."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from aabench.profile.conditions import by_conditions
from aabench.profile.laws import Crossing, Curve, Overtaking, Pair, crossings, growth_laws, overtaking
from aabench.profile.scaling import EXACT, NOISY, Coefficient
from aabench.record import Measurement
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import MISSING, with_prefix

_INTRODUCTION = (
    "Each law is a sum of powers of the side s in pixels, fitted to relative errors. Coefficients are in the metric's "
    "unit per power of a pixel, with 95 % Student intervals; `≈ 0` where the interval holds 0, with its upper end. "
    "p, n, µ, m, k, M, G, T are the usual factors from 1e-12 to 1e12. `off by` is the largest relative residual: a law "
    f"of counts holds up to {EXACT:g}, one of times and memory up to {100 * NOISY:g} % (ours). `last octave` is the "
    "local exponent from half the largest side to the largest."
)
_POWERS = {0: "1", 2: "s²", 3: "s³", 4: "s⁴"}


def growth(rows: Sequence[Measurement]) -> list[str]:
    """The lines: of each way of running the laws, and below them what follows from them."""
    lines: list[str] = []
    for conditions, points in by_conditions(rows):
        curves = growth_laws(points)
        if curves:
            lines += [f"### {conditions.title}", "", *_laws(curves), "", *_overtaking(points), *_crossings(curves)]
    return ["## Growth", "", _INTRODUCTION, "", *lines] if lines else []


def _laws(curves: Sequence[Curve]) -> list[str]:
    used = [e for e in _POWERS if any(e in curve.law.exponents for curve in curves)]
    lines = []
    for curve in curves:
        law = curve.law
        exact = curve.metric.tolerance == EXACT
        terms = {c.exponent: _coefficient(c, exact=exact) for c in law.coefficients}
        lines.append(
            {
                "task": code(curve.task),
                "metric": curve.metric.label,
                "unit": curve.unit,
                "sides": f"{law.sides[0]:g} to {law.sides[1]:g} ({law.points})",
                **{_POWERS[e]: terms.get(e, "") for e in used},
                "off by": MISSING if law.residual is None else _relative(law.residual),
                "last octave": _octave(curve),
                "holds": "yes" if law.holds else bold("no"),
                "remark": "; ".join(filter(None, (law.reason, curve.note))),
            }
        )
    return table(pd.DataFrame(lines, dtype=object), right=[*(_POWERS[e] for e in used), "off by", "last octave"])


def _coefficient(c: Coefficient, *, exact: bool) -> str:
    if not c.distinguishable:
        return "≈ 0" if exact else f"≈ 0 (to {with_prefix(c.high, 0)})"
    return with_prefix(c.value, c.half_width)


def _relative(residual: float) -> str:
    return f"{100 * residual:.2g} %" if residual >= EXACT else "0 %"


def _octave(curve: Curve) -> str:
    found = curve.last_octave
    if found is None:
        return MISSING
    half = "" if found.interval is None else f" ± {(found.interval[1] - found.interval[0]) / 2:.3f}"
    return f"{found.value:.3f}{half} ({found.sides[0]:g} to {found.sides[1]:g})"


def _overtaking(rows: Sequence[Measurement]) -> list[str]:
    lines = [
        {
            "task": code(of.task),
            "attention takes more from": _side(of.crossing),
            "by the points": _between(of),
            "remark": _remark(of.crossing),
        }
        for of in overtaking(rows)
    ]
    if not lines:
        return []
    title = "Where attention (with its relative logits) takes more of the model's MACs than convolution:"
    return [title, "", *table(pd.DataFrame(lines, dtype=object)), ""]


def _crossings(curves: Sequence[Curve]) -> list[str]:
    pairs = crossings(curves)
    crosses = [pair.crossing.side is not None or bool(pair.between) for pair in pairs]
    found = [pair for pair, yes in zip(pairs, crosses, strict=True) if yes]
    lines = [
        {
            "metric": pair.metric.label,
            "less up to there": code(pair.tasks[0]),
            "less from there": code(pair.tasks[1]),
            "side": _side(pair.crossing),
            "by the points": _between(pair),
            "remark": _remark(pair.crossing),
        }
        for pair in found
    ]
    title = "Where two tasks cross:"
    shown = [title, "", *table(pd.DataFrame(lines, dtype=object)), ""] if lines else []
    return shown + _parallel([pair for pair, yes in zip(pairs, crosses, strict=True) if not yes])


def _parallel(pairs: Sequence[Pair]) -> list[str]:
    """Pairs that do not cross, by the reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        key = (pair.metric.label, pair.crossing.reason or "")
        groups.setdefault(key, []).append(f"`{pair.tasks[0]}` and `{pair.tasks[1]}`")
    lines = [
        {"metric": metric, "pairs": len(names), "why": reason, "which": _some(names)}
        for (metric, reason), names in groups.items()
    ]
    if not lines:
        return []
    return ["Pairs without a crossing:", "", *table(pd.DataFrame(lines, dtype=object), right=["pairs"]), ""]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _side(crossing: Crossing) -> str:
    if crossing.side is None:
        return MISSING
    low, high = ("…" if end is None else f"{end:,.0f}" for end in (crossing.low, crossing.high))
    width = "" if low == high else f" ({low} to {high})"
    return f"{crossing.side:,.0f}{width}"


def _between(found: Pair | Overtaking) -> str:
    return "; ".join(f"{low:g} to {high:g}" for low, high in found.between) or MISSING


def _remark(crossing: Crossing) -> str:
    return crossing.reason or ("extrapolated" if crossing.extrapolated else "")
