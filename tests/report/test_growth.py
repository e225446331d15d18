"""The section on growth, over points whose laws are known."""

from collections.abc import Callable

import pytest

from aabench.catalog import load_catalog
from aabench.record import Log, Measurement, Value
from aabench.report import render
from aabench.report.growth import growth
from aabench.report.numbers import with_prefix

Point = Callable[..., Measurement]
SIDES = (32, 64, 128, 256, 512)


def line(lines: list[str], *starts: str) -> list[str]:
    (found,) = [text for text in lines if text.startswith(f"| {' | '.join(starts)} |")]
    return [cell.strip() for cell in found.split("|")[1:-1]]


@pytest.fixture
def rows(swept: Point) -> list[Measurement]:
    return [swept(number, "aa", side) for number, side in enumerate(SIDES)]


def test_laws_with_their_coefficients(rows: list[Measurement]) -> None:
    lines = growth(rows)
    assert lines[0] == "## Growth"
    macs = line(lines, "`aa`", "macs (model)")
    assert macs[2:8] == ["MACs", "32 to 512 (5)", "≈ 0", "81 k", "", "1"]
    # (81,000 + 512^2) 512^2 over (81,000 + 256^2) 256^2 is 9.367, and log2 of it 3.228
    assert macs[8:] == ["0 %", "3.228 (256 to 512)", "yes", ""]
    memory = line(lines, "`aa`", "memory (predicted_live)")
    assert memory[4:6] == ["104.9 M", "512"]
    latency = line(lines, "`aa`", "latency_ms (median)")
    assert latency[4:6] == ["10", "1 m"]
    # log2(272.144 / 75.536), known to 0.25 ms at both ends: hypot(0.25 / 75.5, 0.25 / 272.1) / log 2
    assert latency[9] == "1.849 ± 0.005 (256 to 512)"


def test_a_law_that_does_not_hold_says_why(rows: list[Measurement]) -> None:
    too_few = line(growth(rows[:2]), "`aa`", "latency_ms (median)")
    assert too_few[-2:] == ["**no**", "2 sides for 3 terms: at least 4 are needed"]


def test_overtaking_and_crossings(rows: list[Measurement], swept: Point) -> None:
    other = []
    for number, side in enumerate(SIDES):
        row = swept(10 + number, "conv", side)
        latency = Value(metric="latency_ms", value=50 + side**2 / 2000, unit="ms", convention="median")
        detail = {"operations_by_kind": {"conv": 1}, "attention_forms": {}}
        other.append(row.model_copy(update={"values": (latency,), "detail": detail}))
    lines = growth([*rows, *other])
    # s^4 = 81,000 s^2 at 284.6
    assert line(lines, "`aa`", "285") == ["`aa`", "285", "256 to 512", ""]
    # 10 + s^2 / 1000 = 50 + s^2 / 2000 at 282.8
    assert line(lines, "latency_ms (median)", "`aa`", "`conv`")[3:] == ["283", "256 to 512", ""]


def test_pairs_without_a_crossing_are_grouped_by_reason(swept: Point) -> None:
    rows = [swept(i, task, side) for i, (task, side) in enumerate((t, s) for t in "abcde" for s in SIDES)]
    found = line(growth(rows), "macs (model)", "10")
    assert found[2] == "the laws are equal"
    assert found[3] == "`a` and `b`, `a` and `c`, `a` and `d` ..."


def test_a_single_side_does_not_grow(swept: Point) -> None:
    assert growth([swept(0, "a", 64)]) == []
    assert growth([]) == []


def test_the_report_has_the_section_and_the_same_bytes_again(rows: list[Measurement]) -> None:
    first = render(Log(tuple(rows)), load_catalog())
    assert b"\n## Growth\n" in first["report.md"]
    assert render(Log(tuple(reversed(rows))), load_catalog()) == first


@pytest.mark.parametrize(
    ("value", "half_width", "shown"),
    [
        (82_229.25, 16_000, "82.23 ± 16 k"),
        (82_229.25, 1e-3, "82.23 k"),
        (-0.0049, 0.0021, "-4.9 ± 2.1 m"),
        (3e-15, 1e-15, "0.003 ± 0.001 p"),
        (0.0, 0.0, "0"),
        (12.5, 120.0, "12.5 ± 120"),
    ],
)
def test_fitted_numbers_are_scaled_for_people(value: float, half_width: float, shown: str) -> None:
    assert with_prefix(value, half_width) == shown
