"""Charts as SVG: one style, no timestamps, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from textwrap import fill

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

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


@dataclass(frozen=True)
class Series:
    """A named line."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``log``: both axes are logarithmic, and every x has its tick."""

    y_label: str
    x_label: str
    series: tuple[Series, ...]
    log: bool = False


@dataclass(frozen=True)
class Chart:
    """Panels side by side under one legend, with ``name`` for a file name."""

    name: str
    title: str
    panels: tuple[Panel, ...]

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
    names = list(dict.fromkeys(series.name for panel in chart.panels for series in panel.series))
    looks = dict(zip(names, _looks(len(names)), strict=True))
    labels = [fill(name, _LEGEND_CHARACTERS * len(chart.panels), subsequent_indent="    ") for name in names]
    rows = sum(label.count("\n") + 1 for label in labels)
    size = (_WIDTH * len(chart.panels), _HEIGHT + _LEGEND_ROW * rows)
    figure = Figure(figsize=size, layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, len(chart.panels), squeeze=False)[0]
    for axis, panel in zip(axes, chart.panels, strict=True):
        _draw(axis, panel, looks)
    handles = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend([handles[name] for name in names], labels, loc="outside lower left")
    figure.suptitle(chart.title, x=0.01, ha="left", fontsize=10)
    return figure


_Look = tuple[str, str]


def _looks(count: int) -> list[_Look]:
    """A colour and a line style each; the style changes when the colours are used up."""
    colours = cycle(COLOURS)
    return [(next(colours), _LINE_STYLES[i // len(COLOURS) % len(_LINE_STYLES)]) for i in range(count)]


def _draw(axis: Axes, panel: Panel, looks: dict[str, _Look]) -> None:
    for series in panel.series:
        colour, dashes = looks[series.name]
        marker = "o" if len(series.x) <= 16 else ""
        axis.plot(series.x, series.y, dashes, color=colour, marker=marker, markersize=3, label=series.name)
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    if panel.log and panel.series:
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_locator(FixedLocator(_ticks(panel.series)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter("{x:g}")  # 0.1 and 100, not 10^-1 and 10^2


def _ticks(series: Sequence[Series]) -> list[float]:
    """Every x, or as many of them, evenly chosen, as have room."""
    every = sorted({x for line in series for x in line.x})
    return every[:: -(-len(every) // 8)]
