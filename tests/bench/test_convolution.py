"""AW-convolution: its forms against the plain convolution and the trick by hand. Each in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.measure import measure

NOISE = 1.05
"""Of a median over the rounds, here."""


def layers(
    benchmark: Any, candidates: tuple[str, ...], channels: int, side: int, mode: str, expansion: str = "input"
) -> dict[str, Any]:
    rounds = 5 if channels * side > 10_000 else 11
    asked = {"channels": channels, "side": side, "batch": 8, "mode": mode, "rounds": rounds, "expansion": expansion}
    found = measure(benchmark, candidates, what="convolution", **asked)
    seconds, peak = found["seconds"], found["bytes"]
    benchmark.extra_info.update(
        seconds_ratio=seconds["auto"] / seconds["grouped"],
        seconds_over_plain=seconds["auto"] / seconds["plain"],
        bytes_ratio=peak["auto"] / peak["grouped"],
        excess_ratio=(peak["auto"] - peak["plain"]) / (peak["grouped"] - peak["plain"]),
    )
    return found


@pytest.mark.parametrize("side", [56, 28, 14])
@pytest.mark.parametrize("channels", [64, 128, 256])
def test_a_training_step_against_grouped_convolution(benchmark, channels, side):
    found = layers(benchmark, ("auto", "grouped", "plain"), channels, side, "train")
    assert found["seconds"]["auto"] <= NOISE * found["seconds"]["grouped"]
    if channels == 256:
        assert benchmark.extra_info["excess_ratio"] <= 0.5


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(("channels", "side"), [(64, 14), (256, 14), (512, 14), (512, 7)])
def test_auto_is_the_fastest_form(benchmark, channels, side, mode):
    forms = ("grouped", "chunked", "taps")
    seconds = layers(benchmark, ("auto", "plain", *forms), channels, side, mode)["seconds"]
    assert seconds["auto"] <= 1.1 * min(seconds[form] for form in forms)


@pytest.mark.parametrize("expansion", ["output", "none"])
@pytest.mark.parametrize("channels", [64, 256])
def test_auto_is_the_faster_form_where_taps_do_not_apply(benchmark, channels, expansion):
    forms = ("grouped", "chunked")
    seconds = layers(benchmark, ("auto", "plain", *forms), channels, 14, "train", expansion)["seconds"]
    assert seconds["auto"] <= 1.1 * min(seconds[form] for form in forms)
