"""Sweeps in the report: tables, charts, what ran out of memory, what was only predicted."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence

import pytest

from aabench.errors import AABenchError
from aabench.record import Log, Measurement
from aabench.report.plots import Chart, svg
from aabench.report.profiles import profile_chart, profiles
from aabench.report.trials import trials
from aabench.report.troubles import troubles

Point = Callable[..., Measurement]


def lines_of(lines: Sequence[str], below: str = "") -> list[dict[str, str]]:
    """The first table below a line that starts so."""
    start = next(i for i, line in enumerate(lines) if line.startswith(below)) if below else 0
    first = next(i for i in range(start, len(lines)) if lines[i].startswith("|"))
    cells = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in re.split(r"(?<!\\\\)\|", line)[1:-1]])
    return [dict(zip(cells[0], values, strict=True)) for values in cells[2:]]


def texts_of(chart: Chart) -> set[str]:
    root = ElementTree.fromstring(svg(chart))
    return {"".join(element.itertext()).strip() for element in root.iter() if "text" in element.tag}


def test_a_point_shows_prediction_and_measurement_side_by_side(swept: Point) -> None:
    lines, _ = profiles([swept(0, "aa-resnet50", 64), swept(1, "aa-resnet50", 256)])
    first, second = lines_of(lines)
    assert first == {
        "task": "`aa-resnet50`",
        "side": "64",
        "parameters": "25.557 M",
        "MACs (model)": "0.349 G",
        "attention": "25.0 %",
        "activations": "0.901 M",
        "latency": "14.10 ms",
        "95 % interval": "13.85 to 14.35",
        "quartiles (n)": "13.60 to 14.60 (20)",
        "stopped by": "precision",
        "images/s": "70.9",
        "FLOPs/byte": "31.2",
        "memory (predicted_live)": "102.0 MiB",
        "memory (allocated_peak)": "127.5 MiB",
        "ratio": "0.800",
        "memory (rss_peak)": "50.0 MiB",
    }
    assert second["stopped by"] == "time"
    assert "- no energy: no GPU" in lines


def test_a_point_without_memory_stays_in_its_table_and_is_marked_in_the_plot(swept: Point) -> None:
    lines, (chart,) = profiles([swept(0, "a", 64), swept(1, "a", 128, status="oom"), swept(2, "b", 64)])
    shown = lines_of(lines)[1]
    assert (shown["side"], shown["latency"], shown["memory (predicted_live)"]) == (
        "128",
        "**out of memory**",
        "108.0 MiB",
    )
    assert (shown["memory (allocated_peak)"], shown["ratio"], shown["images/s"]) == ("-", "-", "-")
    latency, memory, macs = chart.panels
    assert [(mark.name, mark.x) for mark in latency.marks] == [("a", (128.0,)), ("b", ())]
    assert memory.marks == latency.marks
    assert macs.marks == ()  # it is counted all the same
    assert macs.series[0].x == (64.0, 128.0)
    assert "in the grey strip: out of memory" in texts_of(chart)
    assert "128" in texts_of(chart)  # a tick where no value is


def test_nothing_is_said_of_memory_that_did_not_run_out(swept: Point) -> None:
    assert "in the grey strip: out of memory" not in texts_of(profile_chart([swept(0, "a", 64), swept(1, "a", 128)]))


def test_memory_is_a_predicted_line_with_measured_points_on_it(swept: Point) -> None:
    chart = profile_chart([swept(0, "a", 64), swept(1, "a", 128), swept(2, "a", 256, status="oom")])
    memory = chart.panels[1]
    assert memory.y_label == "memory of all tensors (MiB)"
    assert [(series.look, series.x, series.y) for series in memory.series] == [
        ("line", (64.0, 128.0, 256.0), (102.0, 108.0, 132.0)),
        ("points", (64.0, 128.0), (127.5, 135.0)),
    ]
    assert {"memory, line: predicted", "memory, points: measured"} <= texts_of(chart)


def test_all_points_without_memory_are_still_a_chart(swept: Point) -> None:
    chart = profile_chart([swept(0, "a", 64, status="oom"), swept(1, "a", 128, status="oom")])
    assert [panel.y_label for panel in chart.panels] == ["memory of all tensors (MiB)", "GMACs"]
    assert svg(chart) == svg(chart)


def test_ways_of_running_do_not_mix(swept: Point) -> None:
    rows = [
        swept(0, "a", 64),
        swept(1, "a", 64, compile=True),
        swept(2, "a", 64, channels_last=True),
        swept(3, "a", 64, allocator="warm"),
    ]
    rows.append(swept(4, "a", 64).model_copy(update={"environment": {"cpu": "A CPU", "allocator": "MALLOC_X=1"}}))
    lines, charts = profiles(rows)
    assert [line for line in lines if line.startswith("### ")] == [
        "### inference, batch 1, fp32, cpu: A CPU, threads 2, torch 2.15.0",
        "### inference, batch 1, fp32, cpu: A CPU, threads None, torch None, MALLOC_X=1",
        "### inference, batch 1, fp32, cpu, channels last: A CPU, threads 2, torch 2.15.0",
        "### inference, batch 1, fp32, cpu, compiled: A CPU, threads 2, torch 2.15.0",
        "### inference, batch 1, fp32, cpu, warm allocator: A CPU, threads 2, torch 2.15.0",
    ]
    assert len({chart.file for chart in charts}) == 5


def test_rows_of_version_1_ran_in_the_plain_way(swept: Point) -> None:
    new = swept(0, "a", 64)
    settings = {k: v for k, v in new.settings.items() if k not in ("compile", "channels_last", "allocator")}
    old = swept(1, "a", 128).model_copy(update={"schema_version": 1, "settings": settings | {"input_size": 128}})
    assert len(profiles([new, old])[1]) == 1


def test_a_predicted_point_hides_no_measured_one(swept: Point) -> None:
    rows = [swept(0, "a", 64), swept(1, "a", 64, "predict"), swept(2, "a", 128, "predict")]
    lines, (measured, predicted) = profiles(rows)
    assert [shown["latency"] for shown in lines_of(lines, "### inference")] == ["14.10 ms"]
    assert [shown["side"] for shown in lines_of(lines, "### predicted: inference")] == ["64", "128"]
    assert "latency" not in lines_of(lines, "### predicted: inference")[0]
    assert [panel.y_label for panel in predicted.panels] == ["memory of all tensors (MiB)", "GMACs", "activations (M)"]
    assert predicted.name.startswith("predicted-")
    assert profile_chart(rows) == measured
    assert profile_chart(rows[1:]) == predicted


def test_a_chart_of_nothing_or_of_several_ways(swept: Point) -> None:
    with pytest.raises(AABenchError, match="nothing to draw"):
        profile_chart([swept(0, "a", 64, status="failed")])
    with pytest.raises(AABenchError, match=r"these are 2: inference, .*; inference, .*compiled"):
        profile_chart([swept(0, "a", 64), swept(1, "a", 64, compile=True)])


def test_trials_under_a_memory_limit_are_no_points_of_a_sweep(swept: Point) -> None:
    limit = {"memory_limit": 200 * 2**20}
    fits = swept(0, "a", 64, batch=4, **limit)
    fits = fits.model_copy(update={"detail": {**fits.detail, "process_peak": 150 * 2**20}})
    grown = swept(1, "a", 64, batch=5, **limit)
    grown = grown.model_copy(update={"detail": {**grown.detail, "process_peak": 201 * 2**20}})
    rows = [grown, fits, swept(2, "a", 64, status="oom", batch=6, **limit)]
    assert profiles(rows) == ([], [])
    shown = lines_of(trials(rows))
    assert [(line["batch"], line["fits"], line["peak of the process"]) for line in shown] == [
        ("4", "yes", "150.0 MiB"),
        ("5", "**no**", "201.0 MiB"),
        ("6", "**no**", "-"),
    ]
    assert shown[0]["memory"] == "200.0 MiB"
    assert trials([swept(3, "a", 64)]) == []


def test_running_out_of_memory_is_a_result_with_its_context(swept: Point) -> None:
    lines = troubles(Log((swept(0, "a", 64), swept(1, "a", 128, status="oom"))))
    assert "## Rows that are no measurement" not in lines
    assert lines_of(lines, "## Points that ran out of memory") == [
        {
            "row": "`row1`",
            "task": "`a`",
            "side": "128",
            "way of running": "inference, batch 1, fp32, cpu: A CPU, threads 2, torch 2.15.0",
            "predicted for its tensors": "108.0 MiB",
            "status": "oom",
            "how it ended": "the measuring process ended by SIGKILL",
        }
    ]
