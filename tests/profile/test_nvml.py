"""Energy, clocks and company of a GPU, as a made-up NVML tells them; and the reason where it tells nothing."""

import os
import sys
from types import SimpleNamespace

import pytest
import torch

from aabench.profile import energy, machine, nvml


class NVMLError(Exception):
    pass


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A GPU that uses 300 W, throttled by heat, with this process and two others on it."""
    clock = SimpleNamespace(now=100.0)

    def handle(uuid: str) -> str:
        assert uuid == "GPU-12-34"
        return "the one"

    library = SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        nvmlClocksThrottleReasonGpuIdle=1,
        nvmlClocksThrottleReasonHwThermalSlowdown=64,
        nvmlClocksThrottleReasonSwPowerCap=4,
        nvmlClocksThrottleReasonNone=0,
        nvmlClocksThrottleReasonAll=127,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetTotalEnergyConsumption=lambda h: round(300_000 * clock.now),
        nvmlDeviceGetClockInfo=lambda h, which: {1: 1980, 2: 2619}[which],
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda h: 64 | 1,
        nvmlDeviceGetComputeRunningProcesses=lambda h: [SimpleNamespace(pid=pid) for pid in (os.getpid(), 1, 2)],
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(uuid="12-34"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(energy.time, "perf_counter", lambda: clock.now)
    library.clock = clock
    return library


def test_energy_is_what_the_gpu_used_by_the_number_of_calls(gpu: SimpleNamespace) -> None:
    def call() -> None:
        gpu.clock.now += 0.25

    found = energy.measure_energy(call, "cuda", seconds=0.1)
    assert found.calls == 8  # two seconds at the least
    assert found.joules == pytest.approx(300 * 0.25)


def test_the_state_of_the_gpu(gpu: SimpleNamespace) -> None:
    assert machine.state("cuda")["gpu"] == {
        "clocks_mhz": {"sm": 1980, "memory": 2619},
        "throttling": ["HwThermalSlowdown"],
        "other_processes": 2,
    }
    assert "gpu" not in machine.state("cpu")


def test_a_counter_that_is_not_there_is_none_with_the_reason(gpu: SimpleNamespace) -> None:
    def unsupported(handle: str) -> int:
        raise NVMLError("Not Supported")

    gpu.nvmlDeviceGetTotalEnergyConsumption = unsupported
    gpu.nvmlDeviceGetCurrentClocksThrottleReasons = unsupported
    found = energy.measure_energy(lambda: None, "cuda", seconds=1)
    assert (found.joules, found.reason) == (None, "NVML: Not Supported")
    assert machine.state("cuda")["gpu"]["throttling"] == {"unavailable": "NVML: Not Supported"}


def test_without_the_library_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(nvml.Unavailable, match="nvidia-ml-py is not installed"):
        nvml.ask(nvml.energy_mj)


def test_a_cpu_has_no_such_counter() -> None:
    found = energy.measure_energy(lambda: None, "cpu", seconds=1)
    assert (found.joules, found.reason) == (None, "only NVML's energy counter is read, which GPUs have")
