"""AW-convolution: the form that auto takes against others and the plain convolution. Each in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.measure import measure


def forms(
    benchmark: Any, others: tuple[str, ...], channels: int, side: int, mode: str, expansion: str = "input"
) -> tuple[float, float]:
    """Of the form that auto takes: (time over the fastest of the others, excess of memory over that of grouped).

    The excess is over the plain convolution's memory. If it is itself among the others it is not timed twice.
    """
    rounds = 5 if channels * side > 10_000 else 11
    asked = {"channels": channels, "side": side, "batch": 8, "mode": mode, "rounds": rounds, "expansion": expansion}
    found = measure(benchmark, ("plain", *others), what="convolution", **asked)
    seconds, peak, chosen = found["seconds"], found["bytes"], found["chosen"]
    excess = (peak[chosen] - peak["plain"]) / (peak["grouped"] - peak["plain"])
    benchmark.extra_info.update(
        over_grouped=seconds[chosen] / seconds["grouped"],
        over_plain=seconds[chosen] / seconds["plain"],
        excess_over_that_of_grouped=excess,
    )
    return seconds[chosen] / min(seconds[form] for form in others), excess


@pytest.mark.parametrize("side", [56, 28, 14])
@pytest.mark.parametrize("channels", [64, 128, 256])
def test_a_training_step_against_grouped_convolution(benchmark, channels, side):
    time, excess = forms(benchmark, ("grouped",), channels, side, "train")
    assert time <= 1.05  # 1 where auto takes that form
    if channels == 256:
        assert excess <= 0.5


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(("channels", "side"), [(64, 14), (256, 14), (512, 14), (512, 7)])
def test_auto_is_the_fastest_form(benchmark, channels, side, mode):
    assert forms(benchmark, ("grouped", "chunked", "taps"), channels, side, mode)[0] <= 1.1


@pytest.mark.parametrize("expansion", ["output", "none"])
@pytest.mark.parametrize("channels", [64, 256])
def test_auto_is_the_faster_form_where_taps_do_not_apply(benchmark, channels, expansion):
    assert forms(benchmark, ("grouped", "chunked"), channels, 14, "train", expansion)[0] <= 1.1
