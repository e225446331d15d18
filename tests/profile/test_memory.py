"""Peak resident growth of calls that take a known number of bytes, each in a fresh process."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import aabench
from aabench.profile import memory

ROOT = Path(aabench.__file__).resolve().parents[1]
MIB = 2**20


def in_fresh_processes(*codes: str) -> list[int]:
    """``rss_peak`` of the function ``call`` that each code defines; the processes run side by side."""
    running = []
    for code in codes:
        program = "import torch\nfrom aabench.profile.memory import resident_peak\n" + code
        program += "\nprint(resident_peak(call).bytes)"
        command = [sys.executable, "-c", program]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT))
    peaks = []
    for process in running:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        peaks.append(int(output))
    return peaks


def test_growth_holds_temporaries_but_not_what_was_there_before() -> None:
    [peak] = in_fresh_processes(
        "there_before = torch.ones(100 * 2**18)\n"
        "freed = torch.ones(400 * 2**18); del freed\n"  # an earlier, higher peak
        "def call():\n"
        "    first = torch.ones(100 * 2**18)\n"  # 100 MiB
        "    del first\n"
        "    return torch.ones(150 * 2**18)\n"
    )
    assert 149 * MIB <= peak < 160 * MIB  # the kernel's counters are off by a few pages a CPU


def test_fused_training_step_takes_a_sixth_of_the_explicit_one_resident() -> None:
    step = (
        "from aabench.layers import AAConv2d\n"
        "layer = AAConv2d(64, 256, 3, feature_size=(64, 64), kappa=0.5, upsilon=0.5, num_heads=8,\n"
        "                 min_key_channels=0, attention={!r})\n"
        "assert (layer.key_channels, layer.value_channels) == (128, 128)\n"
        "x = torch.randn(2, 64, 64, 64)\n"
        "def call():\n"
        "    torch.autograd.backward(layer(x).sum())\n"
    )
    fused, explicit = in_fresh_processes(step.format("fused"), step.format("explicit"))
    assert fused <= explicit / 6


def test_without_a_reset_a_call_below_an_earlier_peak_is_unknown_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_reset_high_water_mark", lambda: False)
    monkeypatch.setattr(memory, "resident_bytes", lambda field: {"VmRSS": 300, "VmHWM": 800}[field])
    peak = memory.resident_peak(lambda: None)
    assert peak.bytes is None
    assert "earlier peak of 800 bytes" in str(peak.reason)


def test_the_allocators_peak_holds_what_was_there_and_what_kernels_take_for_themselves() -> None:
    held = torch.ones(1000)
    before = memory.allocated_peak(lambda: None)
    assert before.bytes == before.baseline >= 4000
    kept = []

    def call() -> None:
        first = torch.ones(50_000) + held[0]
        del first
        kept.append(torch.ones(70_000))

    peak = memory.allocated_peak(call)
    assert peak.bytes is not None
    assert peak.bytes - peak.baseline == pytest.approx(4 * 2 * 50_000, abs=4096)  # the ones and their sum
    with pytest.raises(ZeroDivisionError):
        memory.allocated_peak(lambda: 1 / 0)
    # A median needs a copy to sort in, which no operator's result is.
    numbers = torch.rand(100_000)
    peak = memory.allocated_peak(lambda: numbers.median())
    assert peak.bytes is not None
    assert peak.bytes - peak.baseline >= 4 * 100_000
