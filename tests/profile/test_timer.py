"""What a time ends with: the call's return, or the end of its work on the device. The device is a stand-in."""

import pytest
import torch

from aabench.catalog import load_catalog
from aabench.errors import AABenchError
from aabench.profile import Effort, Way, interleaved, measure_latency, profile_modules, sweep
from aabench.profile.timer import timer

pytestmark = pytest.mark.alone


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """``call`` and ``sync`` in their order; an event on the device fails."""
    events: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: events.append("sync"))
    monkeypatch.setattr(torch.cuda, "Event", lambda **_: pytest.fail("an event was asked for"))
    return events


def test_without_waiting_there_is_one_synchronisation_at_the_very_end(happened: list[str]) -> None:
    found = measure_latency(lambda: happened.append("call"), "cuda", seconds=0.05, synchronised=False)
    calls = found.warmup_calls + len(found.samples_ms)
    assert happened == ["call"] * calls + ["sync"]
    assert found.probes_us == ()


@pytest.mark.parametrize("synchronised", [True, False])
def test_on_the_cpu_there_is_nothing_to_wait_for(happened: list[str], synchronised: bool) -> None:
    measure_latency(lambda: happened.append("call"), seconds=0.05, synchronised=synchronised)
    assert set(happened) == {"call"}


def test_waiting_takes_the_time_from_events(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            order.append("record")

        def synchronize(self) -> None:
            order.append("wait")

        def elapsed_time(self, end: object) -> float:
            return 12.5

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: torch.zeros(0))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: pytest.fail("no cache is asked for"))
    assert timer(lambda: order.append("call"), "cuda")() == 12.5
    assert order == ["record", "call", "record", "wait"]


def test_a_turn_fills_the_queue_and_leaves_none_to_the_next_network(
    happened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interleaved, "build_call", lambda network: lambda: happened.append(network["model"]))
    turn = interleaved._turn({"model": "net", "device": "cuda", "synchronised": False, "flush_l2": False})
    assert turn() < 10
    assert happened == ["net"] * interleaved.CALLS_IN_A_ROW + ["sync"]


def test_ways_that_cannot_be_timed_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    task = load_catalog().task("resnet20-cifar10")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    unsynchronised = Way(device="cuda", synchronised=False)
    with pytest.raises(AABenchError, match="nothing waits for --flush-l2"):
        sweep([(task, 32)], unsynchronised, Effort(flush_l2=True))
    with pytest.raises(AABenchError, match="leave --unsynchronised out"):
        profile_modules(task, 32, unsynchronised)
