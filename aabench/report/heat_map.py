"""HeatMap: a panel of shades, for a share that many rows have at many steps."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator


@dataclass(frozen=True)
class HeatMap:
    """One pair of axes with a shade for each share, the first row on top. Its key is a bar beside it.

    Attributes:
        y_label: what the rows are, counted from 1.
        x_label: what the columns are, counted from 1.
        key: what the shades mean.
        values: from 0 to 1, row by row.
        groups: how many rows belong together, from the top; a line parts them.
    """

    y_label: str
    x_label: str
    key: str
    values: tuple[tuple[float, ...], ...]
    groups: tuple[int, ...] = ()


_SHADES = "cividis"
"""Equally readable in grey and to colour-blind readers."""


def draw_heat_map(axis: Axes, panel: HeatMap) -> None:
    """Draw it, with rows and columns counted from 1."""
    rows, columns = len(panel.values), len(panel.values[0])
    extent = (0.5, columns + 0.5, rows + 0.5, 0.5)
    image = axis.imshow(
        panel.values, vmin=0, vmax=1, cmap=_SHADES, aspect="auto", interpolation="nearest", extent=extent
    )
    axis.grid(visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axis.yaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axis.set_xlim(0.5, columns + 0.5)
    axis.set_ylim(rows + 0.5, 0.5)
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    end = 0
    for group in panel.groups[:-1]:
        end += group
        axis.axhline(end + 0.5, color="white", linewidth=1)
    figure = axis.get_figure()
    assert figure is not None  # the axis is one of a figure's
    bar = figure.colorbar(image, ax=axis, label=panel.key)
    bar.ax.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
