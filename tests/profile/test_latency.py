"""Timing of calls whose duration is known."""

import time

import pytest

from aabench.profile import Latency, measure_latency


def test_quartiles_of_known_samples() -> None:
    latency = Latency((5.0, 1.0, 4.0, 2.0, 3.0), "repeats")
    assert (latency.median_ms, latency.quartiles_ms) == (3.0, (2.0, 4.0))


def test_samples_are_milliseconds_of_single_calls() -> None:
    latency = measure_latency(lambda: time.sleep(0.02), seconds=1, repeats=4)
    assert (len(latency.samples_ms), latency.stopped_by) == (4, "repeats")
    assert min(latency.samples_ms) >= 20
    assert latency.median_ms < 200


def test_time_stops_it_but_not_before_three_samples() -> None:
    calls: list[float] = []
    latency = measure_latency(lambda: calls.append(time.sleep(0.03) or 0), seconds=0.01, repeats=1000)  # type: ignore[func-returns-value]
    assert (len(latency.samples_ms), latency.stopped_by) == (3, "time")
    assert len(calls) == 3 + 1  # one warm-up call


def test_warm_up_calls_are_not_samples() -> None:
    durations = iter([0.2] + [0.0] * 100_000)
    latency = measure_latency(lambda: time.sleep(next(durations)), seconds=0.4, repeats=50)
    assert max(latency.samples_ms) < 200


@pytest.mark.parametrize("repeats", [3, 7])
def test_repeats_are_the_most_samples(repeats: int) -> None:
    assert len(measure_latency(lambda: None, seconds=0.4, repeats=repeats).samples_ms) == repeats
