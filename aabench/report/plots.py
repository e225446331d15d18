"""Charts as SVG: one style, no timestamps, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from textwrap import fill
from typing import Any, Literal

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from aabench.report.heat_map import HeatMap, draw_heat_map

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's, which colour-blind readers tell apart."""

STYLE = {
    "svg.hashsalt": "aabench",  # else the ids of clip paths are random
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "path.simplify": False,
}
_LINE_STYLES = ("-", "--", ":", "-.")
_WIDTH, _HEIGHT, _LEGEND_ROW = 3.6, 2.9, 0.22  # inches
_LEGEND_CHARACTERS = 42
"""That fit below one panel."""


Look = Literal["joined", "line", "points"]
"""``joined``: points with a line through them. ``line``: a prediction. ``points``: measured, beside a prediction."""


@dataclass(frozen=True)
class Series:
    """A named line. Series of one name share their colour, and the legend's entry."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    look: Look = field(default="joined", kw_only=True)


@dataclass(frozen=True)
class Mark:
    """Where a series has no value because memory ran out: crosses at the top of a logarithmic panel."""

    name: str
    x: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``log``: both axes are logarithmic, and every x has its tick."""

    y_label: str
    x_label: str
    series: tuple[Series, ...]
    log: bool = False
    marks: tuple[Mark, ...] = ()

    @property
    def names(self) -> list[str]:
        """Of its series and marks."""
        return [series.name for series in self.series] + [mark.name for mark in self.marks]


@dataclass(frozen=True)
class Chart:
    """Panels side by side under one legend, with ``name`` for a file name."""

    name: str
    title: str
    panels: tuple[Panel | HeatMap, ...]

    @property
    def with_lines(self) -> list[Panel]:
        """The panels that the legend is of."""
        return [panel for panel in self.panels if isinstance(panel, Panel)]

    @property
    def file(self) -> str:
        """Where the report links to, relative to its folder."""
        return f"plots/{self.name}.svg"


def svg(chart: Chart) -> bytes:
    """Draw a chart."""
    with style.context(STYLE, after_reset=True):
        buffer = io.BytesIO()
        _figure(chart).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _figure(chart: Chart) -> Figure:
    names = list(dict.fromkeys(name for panel in chart.with_lines for name in panel.names))
    looks = dict(zip(names, _looks(len(names)), strict=True))
    labels = [fill(name, _LEGEND_CHARACTERS * len(chart.panels), subsequent_indent="    ") for name in names]
    keys = _keys(chart)
    rows = sum(label.count("\n") + 1 for label in labels) + len(keys)
    size = (_WIDTH * len(chart.panels), _HEIGHT + _LEGEND_ROW * rows)
    figure = Figure(figsize=size, layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, len(chart.panels), squeeze=False)[0]
    for axis, panel in zip(axes, chart.panels, strict=True):
        if isinstance(panel, HeatMap):
            draw_heat_map(axis, panel)
        else:
            _draw(axis, panel, looks)
    figure.legend(
        [*(_handle(looks[name]) for name in names), *keys.values()], [*labels, *keys], loc="outside lower left"
    )
    figure.suptitle(chart.title, x=0.01, ha="left", fontsize=10)
    return figure


_Look = tuple[str, str]


def _looks(number: int) -> list[_Look]:
    """A colour and a line style each; the style changes when the colours are used up."""
    colours = cycle(COLOURS)
    return [(next(colours), _LINE_STYLES[i // len(COLOURS) % len(_LINE_STYLES)]) for i in range(number)]


def _handle(look: _Look) -> Line2D:
    return Line2D([], [], color=look[0], linestyle=look[1], marker="o", markersize=_DOT)  # type: ignore[arg-type]


def _keys(chart: Chart) -> dict[str, Line2D]:
    """What lines alone, points alone and crosses mean, where a chart has them."""
    used = {series.look for panel in chart.with_lines for series in panel.series}
    keys = {}
    if "line" in used:
        keys["memory, line: predicted"] = Line2D([], [], color="black")
    if "points" in used:
        keys["memory, points: measured"] = Line2D([], [], color="black", linestyle="", marker="o", markersize=_DOT)
    if any(mark.x for panel in chart.with_lines for mark in panel.marks):
        keys["in the grey strip: out of memory"] = Line2D([], [], color="black", **_CROSS)
    return keys


_DOT = 3
_CROSS: dict[str, Any] = {"linestyle": "", "marker": "x", "markersize": 5, "markeredgewidth": 1.5}


def _draw(axis: Axes, panel: Panel, looks: dict[str, _Look]) -> None:
    for series in panel.series:
        colour, dashes = looks[series.name]
        marked = series.look == "points" or (series.look == "joined" and len(series.x) <= 16)
        axis.plot(
            series.x,
            series.y,
            linestyle="" if series.look == "points" else dashes,
            color=colour,
            marker="o" if marked else "",
            markersize=_DOT,
        )
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    if panel.log and panel.series:
        _log_scales(axis, panel)
        _draw_marks(axis, panel.marks, looks)


def _log_scales(axis: Axes, panel: Panel) -> None:
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.xaxis.set_major_locator(FixedLocator(_ticks([*panel.series, *panel.marks])))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:g}")
    values = [y for series in panel.series for y in series.y]
    narrow = max(values) < _NARROW * min(values)
    axis.yaxis.set_major_locator(MaxNLocator(6) if narrow else LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter("{x:g}")  # 0.1 and 100, not 10^-1 and 10^2


_NARROW = 5
"""Below this ratio of the largest to the smallest value 1, 2 and 5 are too few ticks."""
_STRIP = "#eeeeee"
_MARK_ROW, _MOST_MARKED = 0.05, 0.4
"""Height of a row of crosses, and the most that all rows take, as shares of the panel."""


def _draw_marks(axis: Axes, marks: Sequence[Mark], looks: dict[str, _Look]) -> None:
    """Crosses in a grey strip at the top of the panel, a row for each name, above all curves: they have no value."""
    marked = [mark for mark in marks if mark.x]
    if not marked:
        return
    row = min(_MARK_ROW, _MOST_MARKED / len(marked))
    height = row * len(marked)
    bottom, top = axis.get_ylim()
    axis.set_ylim(bottom, bottom * (top / bottom) ** (1 / (1 - height)))
    axis.add_patch(Rectangle((0, 1 - height), 1, height, transform=axis.transAxes, color=_STRIP, linewidth=0, zorder=2))
    for number, mark in enumerate(marked):
        heights = [1 - (number + 0.5) * row] * len(mark.x)
        colour = looks[mark.name][0]
        axis.plot(
            mark.x, heights, transform=axis.get_xaxis_transform(), color=colour, clip_on=False, zorder=3, **_CROSS
        )


def _ticks(lines: Sequence[Series | Mark]) -> list[float]:
    """Every x, or as many of them, evenly chosen, as have room."""
    every = sorted({x for line in lines for x in line.x})
    return every[:: -(-len(every) // 8)]
