import pandas as pd
import pytest

from aabench.report.markdown import bold, code, escape, table
from aabench.report.numbers import show


def test_a_cell_cannot_break_its_table() -> None:
    frame = pd.DataFrame({"why": ["a | b\nc <d> *e*", None]}, dtype=object)
    assert table(frame) == ["| why |", "| --- |", "| a \\| b c &lt;d> \\*e\\* |", "|  |"]


def test_markup_stands_as_it_is_and_its_text_is_escaped() -> None:
    frame = pd.DataFrame({"a": [bold("x|y")], "b": [code("task-1")]}, dtype=object)
    assert table(frame, right=["a"]) == ["| a | b |", "| ---: | --- |", "| **x\\|y** | `task-1` |"]
    assert escape(None) == ""


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (25_809_392, "parameters", "25.809 M"),
        (8_326_000_000, "FLOPs", "8.326 G"),
        (3 * 2**20, "bytes", "3.0 MiB"),
        (81.6, "%", "81.60 %"),
        (1.3, "points", "+1.30 points"),
        (12_345.678, "ms", "12,345.68 ms"),
        (9173, "images", "9,173 images"),
        (3.14159, "nats", "3.142 nats"),
        (2.5, None, "2.5"),
        (None, "ms", "-"),
    ],
)
def test_numbers_are_scaled_for_people(value: float | None, unit: str | None, shown: str) -> None:
    assert show(value, unit) == shown
