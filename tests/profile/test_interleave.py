"""Interleaved runs: real ones of small networks, and what their rows are taken for."""

import sys
from dataclasses import replace

import pytest

from aabench.catalog import Task, load_catalog
from aabench.errors import AABenchError
from aabench.profile import Effort, Way, interleave, measured, process
from aabench.profile.conditions import by_conditions, conditions_of
from aabench.profile.ratios import paired_ratio, run_of
from aabench.record import Measurement, fingerprint
from tests.verify.profiled import in_turns, timed

pytestmark = pytest.mark.alone

PAIR = ("resnet20-cifar10", "resnet56-cifar10")


def tasks(*names: str) -> list[Task]:
    return [load_catalog().task(name) for name in names or PAIR]


@pytest.fixture(scope="module")
def run() -> tuple[Measurement, ...]:
    """Two networks at 16 pixels, for real."""
    [rows] = interleave(tasks(), [16], Way("forward", 2), Effort(seconds=0.3))
    return rows


def test_each_network_gets_an_ordinary_row(run: tuple[Measurement, ...]) -> None:
    assert [(row.task, row.status, row.level, row.error) for row in run] == [(n, "ok", "profile", None) for n in PAIR]
    settings = {"input_size": 16, "mode": "forward", "batch": 2, "synchronised": True, "interleaved": True}
    # Six blocks more a stage of c = 16, 32, 64 channels, each of two 3x3 convolutions and two normalisations:
    # 6 (18 c^2 + 4 c) are 583,296 parameters.
    for row, params in zip(run, (269_722, 269_722 + 583_296), strict=True):
        assert row.settings.items() >= settings.items()
        assert (row.altered, row.number("params")) == ({"input_size": 16}, params)
        assert row.number("latency_ms", "median") == row.detail["latency"]["median_ms"] > 0
        assert row.number("images_per_s") == pytest.approx(2000 / row.number("latency_ms"))
        assert row.number("memory", "predicted_live") == sum(row.detail["predicted_memory"].values())
        memory, energy = row.get("memory", "allocated_peak"), row.get("energy")
        assert memory is not None
        assert energy is not None
        assert memory.reason == energy.reason == "the networks of an interleaved run share a process; profile it alone"


def test_its_rows_share_the_run_and_its_rounds(run: tuple[Measurement, ...]) -> None:
    first, second = run
    assert first.detail["interleaved"] == second.detail["interleaved"]
    assert first.detail["interleaved"]["tasks"] == list(PAIR)
    samples = [row.detail["latency"]["samples_ms"] for row in run]
    assert len(samples[0]) == len(samples[1]) >= 6
    ratio = paired_ratio(second, first)
    assert ratio.rounds == first.detail["latency"]["n"] == len(first.detail["interleaved"]["counted"])
    assert ratio.interval is not None
    assert ratio.interval[0] <= ratio.median <= ratio.interval[1]
    assert ratio.median > 1  # three times the blocks of each stage, whatever else the machine does
    assert paired_ratio(first, first) == (1.0, (1.0, 1.0), ratio.rounds)


def test_no_point_of_a_sweep_is_taken_from_it(run: tuple[Measurement, ...]) -> None:
    assert list(by_conditions(run)) == []
    assert conditions_of(run[0]).options == ("interleaved",)
    assert measured(run, Way("forward", 2), Effort(seconds=0.3)) == {}


@pytest.mark.parametrize(
    ("fate", "status", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "failed", "the measuring process ended by SIGSEGV"),
        ('print(\'{"error": "RuntimeError: no memory", "oom": true}\')', "oom", "RuntimeError: no memory"),
    ],
)
def test_a_process_that_fails_fails_all_its_networks(
    monkeypatch: pytest.MonkeyPatch, fate: str, status: str, says: str
) -> None:
    code = f"import json, os, signal, sys; json.load(sys.stdin); {fate}"
    monkeypatch.setattr(process, "WORKER", (sys.executable, "-c", code))
    [rows] = interleave(tasks(), [16], Way())
    assert [(row.status, row.error) for row in rows] == [(status, says)] * 2
    assert rows[0].number("params") == 269_722  # what was counted stays
    assert run_of(rows[0]) is None  # it has no times


def test_a_network_that_cannot_be_counted_fails_all_and_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORKER", ("false",))
    [rows] = interleave(tasks("resnet20-cifar10", "ean-dia-resnet101"), [16], Way())
    assert [row.status for row in rows] == ["failed", "failed"]
    assert all(str(row.error).startswith("ean-dia-resnet101: ") for row in rows)
    assert all("scheme is unspecified" in str(row.error) for row in rows)


@pytest.mark.parametrize(
    ("names", "way", "says"),
    [
        (("resnet20-cifar10",), Way(), "give two tasks or more, not 1"),
        (PAIR, Way(device="cuda"), "torch finds none here"),
    ],
)
def test_what_cannot_be_interleaved(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], way: Way, says: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(AABenchError, match=says):
        interleave(tasks(*names), [16], way)


def test_ratios_are_of_one_run() -> None:
    one, other = in_turns("one", new=[2.0] * 6, old=[1.0] * 6), in_turns("other", new=[2.0] * 6, old=[1.0] * 6)
    assert paired_ratio(one[0], one[1]).median == 2
    for theirs in (other[1], timed("old", 1.0, 0.1)):
        with pytest.raises(ValueError, match="are not of one interleaved run"):
            paired_ratio(one[0], theirs)


def test_rows_from_before_there_was_the_setting_were_synchronised() -> None:
    """And on the CPU it changes nothing: neither what points are compared with, nor which of them are known."""
    here = timed("net", 1.0, 0.1, settings=Way().settings() | Effort().settings())
    here = here.model_copy(update={"environment": fingerprint()})

    def with_settings(**changes: object) -> Measurement:
        settings = {k: v for k, v in {**here.settings, **changes}.items() if v is not None}
        return here.model_copy(update={"settings": settings})

    old, asked = with_settings(synchronised=None), replace(Way(), synchronised=False)
    assert "synchronised" not in old.settings
    for row in (old, here, with_settings(synchronised=False)):
        assert conditions_of(row).options == ()
        assert len(measured([row], Way(), Effort())) == len(measured([row], asked, Effort())) == 1
    old, new, other = (with_settings(device="cuda", synchronised=setting) for setting in (None, True, False))
    assert conditions_of(old) == conditions_of(new)
    assert conditions_of(other).options == ("not synchronised",)
    way = Way(device="cuda")
    assert [len(measured([row], way, Effort())) for row in (old, new, other)] == [1, 1, 0]
    assert [len(measured([row], replace(way, synchronised=False), Effort())) for row in (old, new, other)] == [0, 0, 1]
