"""Searches in the report: what was found, what it cost, and how it went."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from aabench.catalog import load_catalog
from aabench.record import Log, Measurement, Value
from aabench.report import render
from aabench.report.heat_map import HeatMap
from aabench.report.plots import Chart, Panel, svg
from aabench.report.searches import searches
from aabench.search import Step

PROBABILITIES = ((0.5, 0.5, 0.5), (0.6, 0.5, 0.4), (0.9, 0.25, 0.0))


def history(method: str) -> list[dict[str, Any]]:
    steps = []
    for number, probabilities in enumerate(PROBABILITIES, start=1):
        learns = method == "reinforce"
        step = Step(
            step=number,
            schemes=("101", "100"),
            accuracies=(60.0, 61.0),
            sparsities=(1 / 3, 2 / 3),
            rewards=(float(number), number + 1.0),
            rewards_with_bonus=(9.0, 10.0) if learns else None,
            baseline=9.5 if learns else None,
            probabilities=probabilities if learns else None,
            entropy=2.0 if learns else None,
            best=number + 1.0,
            evaluated=2,
        )
        steps.append(step.model_dump(mode="json"))
    return steps


def found(number: int, method: str = "reinforce", **fields: Any) -> Measurement:
    values = (
        Value(metric="reward", value=8.33333, unit="%"),
        Value(metric="top1", value=61.0, unit="%", convention="held-out"),
        Value(metric="sparsity", value=200 / 3, unit="%"),
        Value(metric="image_forwards", value=30_000, unit="images", convention="as-published"),
        Value(metric="image_forwards", value=8_000.0, unit="images", convention="executed"),
    )
    detail = {
        "method": method,
        "found_by": "best-reward",
        "scheme": {"bits": "1 00", "integers": "1,0"},
        "requested": 6,
        "evaluated": 2,
        "history": history(method),
    }
    content = {
        "id": f"row{number}",
        "time": f"2026-01-01T00:00:{number:02d}.000000Z",
        "task": "ean-se-resnet164",
        "level": "search",
        "status": "ok",
        "seed": 0,
        "values": values,
        "detail": detail,
    }
    return Measurement(**{**content, **fields})


def cells(lines: list[str]) -> list[list[str]]:
    rows = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def test_a_line_of_the_table() -> None:
    header, _, line = cells(searches([found(0)])[0])
    assert dict(zip(header, line, strict=True)) == {
        "task": "`ean-se-resnet164`",
        "method": "reinforce",
        "seed": "0",
        "steps": "3",
        "scheme": "`1 00`",
        "stages": "1,0",
        "chosen as": "best-reward",
        "top-1 (held out)": "61.00 %",
        "sparsity": "66.67 %",
        "reward": "8.333",
        "asked for": "6",
        "scored": "2",
        "image forwards as published": "30,000",
        "executed": "8,000",
        "ratio": "3.75",
    }


def test_the_charts_of_a_controller() -> None:
    lines, (chart,) = searches([found(0)])
    assert f"![ean-se-resnet164: reinforce, seed 0]({chart.file})" in lines
    assert chart.file == "plots/search-ean-se-resnet164-reinforce-seed0.svg"
    rewards, connections = chart.panels
    assert isinstance(rewards, Panel)
    assert {series.name: series.y for series in rewards.series} == {
        "mean reward of a step": (1.5, 2.5, 3.5),
        "greatest reward so far": (2.0, 3.0, 4.0),
        "baseline (of rewards with bonus)": (9.5, 9.5, 9.5),
    }
    assert {series.x for series in rewards.series} == {(1.0, 2.0, 3.0)}
    assert isinstance(connections, HeatMap)
    assert connections.values == ((0.5, 0.6, 0.9), (0.5, 0.5, 0.25), (0.5, 0.4, 0.0))
    assert connections.groups == (1, 2)


@pytest.mark.parametrize("method", ["random", "greedy"])
def test_a_method_without_a_controller_has_rewards_alone(method: str) -> None:
    _, (chart,) = searches([found(0, method)])
    (rewards,) = chart.panels
    assert isinstance(rewards, Panel)
    assert [series.name for series in rewards.series] == ["mean reward of a step", "greatest reward so far"]


def test_the_newest_of_each_way_of_searching() -> None:
    rows = [
        found(0),
        found(1, altered={"bonus": "own"}),
        found(2, "random"),
        found(3, seed=1),
        found(4, status="failed", values=(), detail={}, error="no supernet"),
        found(5, detail={**found(0).detail, "requested": 7}),
    ]
    lines, charts = searches(rows)
    assert [(line[0], line[1], line[2], line[10]) for line in cells(lines)[2:]] == [
        ("`ean-se-resnet164`", "reinforce", "0", "7"),
        ("`ean-se-resnet164 (bonus own)`", "reinforce", "0", "6"),
        ("`ean-se-resnet164`", "random", "0", "6"),
        ("`ean-se-resnet164`", "reinforce", "1", "6"),
    ]
    assert [chart.name.removeprefix("search-ean-se-resnet164-") for chart in charts] == [
        "reinforce-seed0",
        "reinforce-seed0-2",
        "random-seed0",
        "reinforce-seed1",
    ]


def test_no_search_no_section() -> None:
    assert searches([]) == ([], [])
    assert searches([found(0, status="failed", values=(), detail={}, error="x")]) == ([], [])


def test_the_drawing_has_the_words_and_the_same_bytes_again() -> None:
    _, (chart,) = searches([found(0)])
    drawn = svg(chart)
    assert drawn == svg(chart)
    words = {"".join(element.itertext()).strip() for element in ElementTree.fromstring(drawn).iter()}
    assert {"block", "step", "reward (%)", "probability that it is connected", "greatest reward so far"} <= words


def test_a_map_of_one_step() -> None:
    """A search of a single step has a picture too, and no stage is parted."""
    drawn = svg(Chart("one", "one", (HeatMap("block", "step", "share", ((0.5,),), (1,)),)))
    words = {"".join(element.itertext()).strip() for element in ElementTree.fromstring(drawn).iter()}
    assert {"block", "step", "share"} <= words


def test_the_report_has_supernet_and_search() -> None:
    supernet = found(
        1,
        level="supernet",
        settings={"train_set": "45,000 images"},
        values=(
            Value(metric="top1", value=55.5, unit="%", convention="held-out"),
            Value(metric="train_loss", value=1.25, unit="nats", convention="last"),
            Value(metric="steps", value=400, unit="steps"),
        ),
        detail={
            "curve": [{"step": 200, "train_loss": 2.5, "top1": None}, {"step": 400, "train_loss": 1.25, "top1": 55.5}]
        },
    )
    files = render(Log((found(0), supernet)), load_catalog())
    text = files["report.md"].decode()
    assert text.index("\n## Supernets\n") < text.index("\n## Searches for a scheme\n")
    assert "| `ean-se-resnet164` | 45,000 images | 0 | ok | 55.50 % | 1.25 nats | 400 steps |" in text
    assert {"plots/search-ean-se-resnet164-reinforce-seed0.svg", "plots/curves-supernet.svg"} <= files.keys()
