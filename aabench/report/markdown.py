"""Markdown as GitHub renders it: tables and what goes into them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

_ESCAPES = str.maketrans({"|": "\\|", "<": "&lt;", "*": "\\*", "\n": " ", "\r": " "})


def escape(text: object) -> str:
    """Text that stands in a table cell as it is. None is empty."""
    return "" if text is None else str(text).translate(_ESCAPES)


def table(frame: pd.DataFrame, right: Sequence[str] = ()) -> list[str]:
    """The lines of a table. Cells are escaped: what is marked up is marked up by :func:`bold` or :func:`code`.

    Args:
        frame: one row a line; its column names are the header.
        right: columns aligned to the right.
    """
    columns = [str(column) for column in frame.columns]
    rule = ["---:" if column in right else "---" for column in columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)]


class Markup(str):
    """Markdown that a table takes as it is."""

    __slots__ = ()


def bold(text: str) -> Markup:
    """The text in bold."""
    return Markup(f"**{escape(text)}**")


def code(text: str) -> Markup:
    """The text as code."""
    return Markup(f"`{text}`")


def _cell(value: object) -> str:
    return str(value) if isinstance(value, Markup) else escape(value)
