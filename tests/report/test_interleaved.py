"""Networks timed in turns, in the report: a table a run, and no place among the points of sweeps."""

from collections.abc import Callable, Sequence

import pytest

from aabench.errors import AABenchError
from aabench.record import Log, Measurement
from aabench.report.growth import growth
from aabench.report.interleaved import interleaved
from aabench.report.profiles import profile_chart, profiles
from aabench.report.write import render
from tests.verify.profiled import catalog, in_turns

ROUNDS = [100.0, 150.0, 90.0, 300.0, 110.0, 100.0]


def times(factor: float) -> list[float]:
    return [factor * time for time in ROUNDS]


def cells(lines: Sequence[str]) -> list[list[str]]:
    """Of all tables."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]


def test_a_table_has_the_ratios_to_the_first_network_of_the_run() -> None:
    lines = interleaved(in_turns("a", old=ROUNDS, new=times(1.25), third=[*times(2)[:5], 300.0]))
    assert "### training step, batch 8, fp32, cpu, interleaved: A CPU, threads 2, torch 2.15.0, 224 pixels" in lines
    assert cells(lines) == [
        ["`old`", "105.00 ms", "1.000", "-", "6 of 6", "25%", "time"],
        ["`new`", "131.25 ms", "1.250", "1.250 to 1.250", "6 of 6", "25%", "time"],
        ["`third`", "260.00 ms", "2.000", "2.000 to 3.000", "6 of 6", "25%", "time"],
    ]


def test_of_equal_runs_the_newest_is_shown_and_others_have_tables_of_their_own() -> None:
    runs = [
        *in_turns("a", old=ROUNDS, new=times(1.5)),
        *in_turns("b", old=ROUNDS, new=times(1.25)),
        *in_turns("c", old=ROUNDS, new=times(3), settings={"mode": "forward"}),
        *in_turns("d", old=ROUNDS, third=times(4)),
    ]
    assert [line[2] for line in cells(interleaved(runs))] == ["1.000", "3.000", "1.000", "1.250", "1.000", "4.000"]
    assert interleaved([]) == []


def test_a_run_whose_first_row_was_cut_off_has_no_ratios() -> None:
    _, second = in_turns("a", old=ROUNDS, new=times(1.5))
    assert cells(interleaved([second])) == [["`new`", "157.50 ms", "-", "-", "6 of 6", "25%", "time"]]


def test_they_are_in_no_curve(swept: Callable[..., Measurement]) -> None:
    rows = in_turns("a", old=ROUNDS, new=times(1.5))
    assert profiles(rows) == ([], [])
    assert growth(rows) == []
    with pytest.raises(AABenchError, match="nothing to draw"):
        profile_chart(rows)
    alone = [swept(0, "old", 64), swept(1, "old", 128)]
    assert profiles([*alone, *rows]) == profiles(alone)


def test_the_whole_report_holds_them() -> None:
    files = render(Log(tuple(in_turns("a", old=ROUNDS, new=times(1.25)))), catalog())
    text, values = files["report.md"].decode(), files["measurements.csv"].decode()
    assert "## Profile, networks in turns" in text
    assert "| `new` | 131.25 ms | 1.250 | 1.250 to 1.250 | 6 of 6 | 25% | time |" in text
    assert "interleaved" in values.splitlines()[0].split(",")
