"""What is the largest that fits: the search on machines with a known memory, and one in real processes."""

from collections.abc import Callable
from typing import Any

import pytest

from aabench.catalog import Task, load_catalog
from aabench.errors import AABenchError, NotMeasurable
from aabench.profile import Search, Way, largest, measure_point, parse_bytes
from aabench.record import Measurement, new

MIB = 2**20


def task() -> Task:
    return load_catalog().task("resnet20-cifar10")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Sets what a point of so many images or pixels takes, really and by the prediction; gives the list of trials."""

    def build(takes: Callable[[int], float], predicted: Callable[[int], float], *, dies: bool = False) -> list[int]:
        tried = []

        def measured(task: Task, side: int, way: Way, memory_limit: int) -> Measurement:
            number = side if way.batch == 1 else way.batch
            tried.append(number)
            oom = dies and takes(number) > memory_limit
            row: dict[str, Any] = {"task": task.name, "level": "profile", "detail": {"taken": takes(number)}}
            return new(**row, status="oom", error="killed") if oom else new(**row)

        monkeypatch.setattr(largest, "measure_point", measured)
        monkeypatch.setattr(Search, "_predict", lambda self, number: predicted(number))
        return tried

    return build


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("error", [0.4, 0.97, 1.0, 1.03, 2.5])
def test_the_largest_batch_is_found_and_the_next_one_tried(
    machine: Callable[..., list[int]], error: float, dies: bool
) -> None:
    tried = machine(lambda batch: 100 + 7.5 * batch, lambda batch: error * (100 + 7.5 * batch), dies=dies)
    search = Search(task(), "batch", 1000, 32, Way(batch=2))
    rows = list(search.trials())
    assert (search.fits, search.fails) == (120, 121)  # 1000 and 1007.5
    assert len(rows) == len(tried) == len(set(tried)) <= (2 if error == 1.0 else 6)
    assert tried[0] == search.planned
    assert {120, 121} <= set(tried)
    assert tried[-2:] in ([120, 121], [121, 120]) or error != 1.0


def test_the_largest_side_is_a_multiple_of_32(machine: Callable[..., list[int]]) -> None:
    tried = machine(lambda side: 3 * side**2, lambda side: 2 * side**2)
    search = Search(task(), "res", 3 * 300**2, 32, Way())
    assert [row.status for row in search.trials()] == ["ok"] * len(tried)
    assert (search.fits, search.fails) == (288, 320)
    assert all(side % 32 == 0 for side in tried)


@pytest.mark.parametrize("dies", [True, False])
def test_a_worthless_prediction_costs_some_trials_more(machine: Callable[..., list[int]], dies: bool) -> None:
    tried = machine(lambda batch: 100 + 7.5 * batch, lambda batch: 3 if batch < 700 else 5000, dies=dies)
    search = Search(task(), "batch", 1000, 32, Way())
    assert len(list(search.trials())) == len(set(tried)) <= 2 * 10  # twice log2 of 699
    assert (search.fits, search.fails) == (120, 121)


def test_nothing_fits(machine: Callable[..., list[int]]) -> None:
    machine(lambda batch: 5000, lambda batch: 10 * batch, dies=True)
    search = Search(task(), "batch", 1000, 32, Way())
    assert {row.status for row in search.trials()} == {"oom"}
    assert (search.fits, search.fails) == (0, 1)


def test_everything_fits(machine: Callable[..., list[int]]) -> None:
    machine(lambda side: 1, lambda side: 1)
    search = Search(task(), "res", 1000, 32, Way())
    assert len(list(search.trials())) == 1
    assert (search.fits, search.fails) == (largest.LARGEST_SIDE, None)


def test_a_point_that_fails_otherwise_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = new(task="t", level="profile", status="failed", error="no such operator")
    monkeypatch.setattr(largest, "measure_point", lambda *_, **__: failed)
    monkeypatch.setattr(Search, "_predict", lambda self, number: number)
    trials = Search(task(), "batch", 1000, 32, Way()).trials()
    assert next(trials) is failed
    with pytest.raises(NotMeasurable, match="batch 1000 of resnet20-cifar10 could not be run: no such operator"):
        next(trials)


def test_a_point_beyond_its_limit_is_a_row_that_says_so() -> None:
    found = measure_point(task(), 256, Way(batch=256), memory_limit=400 * MIB)
    assert found.status == "oom"
    assert "allocate" in str(found.error)
    assert found.number("params") == 269_722
    within = measure_point(task(), 32, Way(batch=2), memory_limit=2000 * MIB)
    assert within.status == "ok"
    assert MIB < within.detail["taken"] < 200 * MIB
    assert within.get("latency_ms") is None


@pytest.mark.parametrize(
    ("text", "size"), [("24GiB", 24 * 2**30), ("800 MB", 800_000_000), ("1.5KiB", 1536), ("7B", 7)]
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["24", "GiB", "-1GiB", "0GiB", "24gib", "24GiB please", ""])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(AABenchError, match="is no amount; write 24GiB"):
        parse_bytes(text)


def test_what_cannot_be_looked_for() -> None:
    with pytest.raises(AABenchError, match="res or batch, not 'depth'"):
        Search(task(), "depth", 1, 32, Way())
