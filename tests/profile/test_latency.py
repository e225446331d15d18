"""Timing of calls whose duration is known."""

import mmap
import time

import pytest
from scipy import stats

from aabench.profile import Latency, measure_latency
from aabench.profile import latency as latency_module
from aabench.profile.median import median_interval
from aabench.profile.quiet import Probe, quiet_level

pytestmark = pytest.mark.alone


def latency(*samples: float) -> Latency:
    return Latency(samples, "time", warmup_calls=1, settled=False, page_faults=0.0, system_ms=0.0)


def test_quartiles_of_known_samples() -> None:
    found = latency(5.0, 1.0, 4.0, 2.0, 3.0)
    assert (found.median_ms, found.quartiles_ms, found.interval_ms) == (3.0, (2.0, 4.0), None)


@pytest.mark.parametrize("n", [6, 7, 9, 20, 61, 99, 100, 250])
def test_the_interval_of_the_median_is_the_narrowest_of_the_binomial(n: int) -> None:
    found = median_interval(list(range(n))[::-1])
    assert found is not None
    low, high = found
    assert low == n - 1 - high
    # The median lies outside if at most `low` samples are below it, or above it.
    assert 2 * stats.binom.cdf(low - 1, n, 0.5) <= 0.05 + (0.01 if n >= 100 else 0)
    assert 2 * stats.binom.cdf(low, n, 0.5) <= 0.05 + (0.01 if n >= 100 else 0)
    assert 2 * stats.binom.cdf(low + 1, n, 0.5) > 0.05 - (0.01 if n >= 100 else 0)


def test_five_samples_have_no_such_interval() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the next probes take, in microseconds; 1 when the list is empty."""
    coming: list[float] = []
    monkeypatch.setattr(latency_module, "Probe", lambda: lambda: coming.pop(0) if coming else 1.0)
    return coming


def test_steady_calls_are_measured_for_most_of_the_time_and_stopped_by_precision(probes: list[float]) -> None:
    start = time.perf_counter()
    found = measure_latency(lambda: time.sleep(0.02), seconds=2, precision=0.2)
    assert found.stopped_by == "precision"
    assert 1.6 <= sum(found.samples_ms) / 1e3 < 1.9
    assert time.perf_counter() - start < 2.4  # with the warm-up
    assert min(found.samples_ms) >= 20
    assert found.median_ms < 200
    assert found.settled


def test_samples_beside_a_slow_probe_do_not_count(probes: list[float]) -> None:
    probes += [1.0, 1.0, 1.3, 1.0, 1.1]  # before the samples 0, 1, 2, 3, 4
    found = measure_latency(lambda: time.sleep(0.005), seconds=0.2, precision=0.5)
    assert len(found.probes_us) == len(found.samples_ms) + 1
    assert found.disturbed == pytest.approx(2 / len(found.samples_ms))
    assert found.counted_ms == found.samples_ms[:1] + found.samples_ms[3:]


def test_a_disturbed_machine_gets_twice_the_time_and_then_all_samples_count(probes: list[float]) -> None:
    start = time.perf_counter()
    found = measure_latency(lambda: time.sleep(0.01), seconds=0.4, precision=0.5, quiet_us=0.5)
    assert found.stopped_by == "time"
    assert 0.7 <= time.perf_counter() - start < 1.4
    assert (found.disturbed, found.quiet_us, found.counted_ms) == (1.0, 0.5, found.samples_ms)


def test_the_probe_takes_microseconds() -> None:
    probe = Probe()
    assert 0 < min(probe() for _ in range(5)) < 1000


def test_the_quiet_level_is_the_least_that_is_known() -> None:
    assert quiet_level([5.0, 4.0, 6.0], None) == 4.0
    assert quiet_level([1.0, *[5.0] * 19], None) == 5.0  # one lucky probe is no level
    assert quiet_level([5.0], 3.0) == 3.0
    assert quiet_level([5.0], 7.0) == 5.0


def test_unsteady_calls_are_stopped_by_time(probes: list[float]) -> None:
    durations = iter([0.001, 0.03] * 10_000)
    found = measure_latency(lambda: time.sleep(next(durations)), seconds=0.3, precision=0.01)
    assert found.stopped_by == "time"
    assert 0.3 <= sum(found.samples_ms) / 1e3 < 0.6


def test_slow_calls_are_measured_three_times_after_one_that_warms_up() -> None:
    calls: list[float] = []
    found = measure_latency(lambda: calls.append(time.sleep(0.03) or 0), seconds=0.01)  # type: ignore[func-returns-value]
    assert (len(found.samples_ms), found.stopped_by) == (3, "time")
    assert len(calls) == 3 + found.warmup_calls
    assert (found.warmup_calls, found.settled) == (2, False)  # the first one never counts


def test_warm_up_lasts_until_the_times_settle() -> None:
    durations = iter([0.2, 0.1, 0.08, 0.06, 0.04] + [0.01] * 100_000)
    found = measure_latency(lambda: time.sleep(next(durations)), seconds=4, precision=0.2)
    assert found.settled
    assert found.warmup_calls >= 5 + 5
    assert max(found.samples_ms) < 40


def test_page_faults_and_system_time_are_those_of_the_calls() -> None:
    size = 16 * 2**20

    def touch() -> None:
        with mmap.mmap(-1, size) as memory:
            memory.write(b"x" * size)

    found = measure_latency(touch, seconds=0.5)
    assert size / 4096 / 512 <= found.page_faults <= 3 * size / 4096  # a huge page is one fault
    assert found.system_ms > 0
    idle = measure_latency(lambda: None, seconds=0.1)
    assert idle.page_faults < found.page_faults / 10
