"""The exact AA layer: fused against explicit, and what augmenting costs a network. Each in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.measure import measure

BATCH = {7: 8, 14: 8, 28: 8, 32: 8, 56: 2, 64: 2}


def compare(benchmark: Any, candidates: tuple[str, str], **asked: Any) -> tuple[float, float]:
    """(time, memory) of the first candidate over the second."""
    found = measure(benchmark, candidates, **asked)
    first, second = candidates
    ratios = {kind: found[kind][first] / found[kind][second] for kind in ("seconds", "bytes")}
    benchmark.extra_info.update({f"{kind}_ratio": ratio for kind, ratio in ratios.items()})
    return ratios["seconds"], ratios["bytes"]


def layer(benchmark: Any, side: int, mode: str, candidates: tuple[str, str], **asked: Any) -> tuple[float, float]:
    rounds = 21 if side < 30 else 7
    return compare(benchmark, candidates, what="layer", side=side, batch=BATCH[side], mode=mode, rounds=rounds, **asked)


@pytest.mark.parametrize(
    ("side", "time", "memory"), [(14, 0.95, 0.75), (28, 0.55, 0.25), (32, 0.35, 0.2), (56, 0.5, 0.1)]
)
def test_a_training_step_of_the_fused_form(benchmark, side, time, memory):
    ratios = layer(benchmark, side, "train", ("fused", "explicit"))
    assert ratios[0] <= time
    assert ratios[1] <= memory


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize(("mode", "time"), [("infer", 0.7), ("train", 0.48)])
def test_the_fused_form_where_freed_memory_is_kept(benchmark, side, mode, time):
    assert layer(benchmark, side, mode, ("fused", "explicit"), allocator="warm")[0] <= time


@pytest.mark.parametrize("allocator", ["default", "warm"])
@pytest.mark.parametrize("mode", ["infer", "train"])
@pytest.mark.parametrize("side", [14, 28])  # below, auto is the explicit form
def test_auto_is_not_slower_than_explicit(benchmark, side, mode, allocator):
    assert layer(benchmark, side, mode, ("auto", "explicit"), allocator=allocator)[0] <= 1.05


@pytest.mark.parametrize("allocator", ["default", "warm"])
@pytest.mark.parametrize(
    ("side", "mode", "time", "memory"), [(224, "train", 1.35, 1.3), (448, "infer", 2.5, 1.6)], ids=["224", "448"]
)
def test_augmenting_resnet50(benchmark, side, mode, time, memory, allocator):
    ratios = compare(
        benchmark,
        ("aa_resnet50", "resnet50"),
        what="network",
        side=side,
        batch=8,
        mode=mode,
        rounds=5,
        allocator=allocator,
    )
    assert ratios[0] <= time
    assert ratios[1] <= memory
