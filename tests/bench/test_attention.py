"""The exact AA layer: the form that ``auto`` chooses must not be slower than the other one."""

import pytest
import torch

from aabench.layers import AAConv2d
from aabench.layers.attention_core import choose
from tests.bench.interleave import interleave


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("side", [7, 14, 28, 32, 56, 64])
def test_auto_is_the_faster_form(benchmark, side, mode):
    aa = AAConv2d(256, 256, 3, feature_size=(side, side), kappa=0.5, upsilon=0.5, num_heads=8, min_key_channels=0)
    x = torch.randn(2, 256, side, side)
    chosen = choose(torch.empty(2, 8, side**2, 16, device="meta", requires_grad=mode == "training"))
    other = {"explicit": "fused", "fused": "explicit"}[chosen]

    def run(form):
        aa.attention = form
        if mode == "training":
            aa(x).sum().backward()
        else:
            with torch.inference_mode():
                aa(x)

    seconds = interleave({"auto": lambda: run("auto"), other: lambda: run(other)}, rounds=31 if side < 30 else 5)
    ratio = seconds["auto"] / seconds[other]
    benchmark.extra_info.update(
        chosen=chosen, auto_ms=seconds["auto"] * 1e3, other_ms=seconds[other] * 1e3, ratio=ratio
    )
    benchmark.pedantic(run, args=("auto",), rounds=1)
    assert ratio <= 1.05
