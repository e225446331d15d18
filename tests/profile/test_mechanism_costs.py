"""What each attention mechanism costs: counts by hand, the same executed, and how memory grows with the map."""

import math
from statistics import linear_regression

import pytest
import torch
from torch import nn

from aabench.layers import AAConv2d
from aabench.layers.attention_augmented import MECHANISMS
from aabench.profile import Way, count, explain_executed
from aabench.profile.counters import flop_counter
from aabench.profile.live import LiveBytes
from aabench.profile.predict import predict
from aabench.profile.workload import workload

EACH = pytest.mark.parametrize("mechanism", MECHANISMS)


def position_of(mechanism: str) -> str:
    return "none" if mechanism in ("efficient", "linear") else "relative"


# On 6x5: n = 30, Nh = 2, d = e = 2, so d' = 13 with relative positions.
@pytest.mark.parametrize(
    ("mechanism", "size", "position", "attention", "activations"),
    [
        ("efficient", None, "none", 2 * 2 * 30 * 4, 2 * (4 + 60)),
        ("linear", None, "sine2d", 2 * (2 * 30 * 4 + 30 * 2), 2 * (4 + 60 + 30)),
        # Features of q and k; K^T V, sum K and their readings.
        ("performer", 8, "none", 2 * (2 * 30 * 8 * 2 + 30 * 8 * 5), 2 * (2 * 30 * 8 + 8 * 2 + 60 + 30)),
        ("performer", 8, "relative", 2 * (2 * 30 * 8 * 13 + 30 * 8 * 5), 2 * (2 * 30 * 8 + 8 * 2 + 60 + 30)),
        ("linformer", 8, "none", 2 * 2 * 30 * 8 * (2 + 2), 2 * (30 * 8 + 8 * 4 + 60)),
        ("linformer", 99, "relative", 2 * 2 * 30 * 30 * (13 + 2), 2 * (30 * 30 + 30 * 15 + 60)),
        # Maps of 30 x 4 twice and 4 x 4; 6 iterations of 4 products of 4 x 4 matrices.
        ("nystrom", 4, "none", 2 * (256 * (2 + 2) + 24 * 64), 2 * (256 + 24 * 16 + 2 * 8 + 60)),
        ("nystrom", 4, "relative", 2 * (256 * (13 + 2) + 24 * 64), 2 * (256 + 24 * 16 + 2 * 8 + 60)),
        ("axial", None, "relative", 2 * 30 * (6 + 5) * (2 + 2), 2 * (30 * 11 + 2 * 60)),
        # Four windows of 16 cells: 64 cells with the padding.
        ("window", 4, "relative", 2 * 64 * 16 * (2 + 2), 2 * (64 * 16 + 64 * 2)),
    ],
)
def test_attention_by_hand(mechanism: str, size: int | None, position: str, attention: int, activations: int) -> None:
    layer = AAConv2d(
        4, 8, 3,
        feature_size=(6, 5), kappa=0.5, upsilon=0.5, num_heads=2, min_key_channels=0,
        mechanism=mechanism, mechanism_size=size, position=position, device="meta",
    )  # fmt: skip
    counted = count(nn.Sequential(nn.Conv2d(3, 4, 1, device="meta"), layer), (6, 5))
    assert counted.by_kind["attention"] == attention
    assert next(row.activations for row in counted.rows if row.name == "1.core") == activations
    in_window = 4 + 4 if mechanism == "window" else 6 + 5
    assert counted.by_kind.get("relative") == (2 * 30 * in_window * 2 if position == "relative" else None)


def network(mechanism: str, side: int, **options: object) -> nn.Module:
    """One layer from 32 to 32 channels in 2 heads, d = e = 4, and a classifier of 4."""
    layer = AAConv2d(
        32, 32, 3,
        feature_size=(side, side), kappa=0.25, upsilon=0.25, num_heads=2, min_key_channels=0,
        mechanism=mechanism, **{"position": position_of(mechanism)} | options,
    )  # fmt: skip
    return nn.Sequential(nn.Conv2d(3, 32, 1), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4))


def explicit(mechanism: str) -> dict[str, str]:
    return {"attention": "explicit"} if mechanism == "exact" else {}


@EACH
def test_the_forward_pass_executes_what_the_definition_needs(mechanism: str) -> None:
    model = network(mechanism, 9, **explicit(mechanism))
    for way in (Way(batch=2), Way("train", 2, "bf16"), Way(batch=2, device="cuda")):
        found = explain_executed(model, 9, way)
        assert (found.macs, found.differences) == (count(model, 9).macs, ())
        assert found.attention_forms == ({"explicit": 1} if mechanism == "exact" else {})


@pytest.mark.parametrize("mode", ["infer", "train"])
@EACH
def test_a_real_call_takes_what_is_predicted(mechanism: str, mode: str) -> None:
    model, x = network(mechanism, 9, **explicit(mechanism)), torch.zeros(2, 3, 9, 9)
    predicted = predict(model, 9, 4, Way(mode, 2))
    call = workload(model, x, 4, mode, "fp32")
    with LiveBytes() as live:
        live.hold_model(model)
        live.hold("inputs", [x])
        if mode == "train":
            call()
        with flop_counter() as counter:
            call()
    assert (predicted.flops, predicted.peak) == (counter.get_total_flops(), live.peak)
    assert predicted.traffic > predicted.peak


@pytest.mark.parametrize(
    ("mechanism", "attention", "mode", "least", "most"),
    [
        ("exact", "explicit", "infer", 3.8, 4.2),
        ("exact", "fused", "infer", 2.5, 3.1),
        ("efficient", "auto", "infer", 1.9, 2.1),
        ("efficient", "auto", "train", 1.9, 2.1),
        ("linear", "auto", "infer", 1.9, 2.1),
        ("linear", "auto", "train", 1.9, 2.1),
        ("window", "auto", "infer", 1.9, 2.1),
        # n (H + W): their relative positions.
        ("performer", "auto", "infer", 2.5, 3.1),
        ("linformer", "auto", "infer", 2.5, 3.1),
        ("nystrom", "auto", "infer", 2.5, 3.1),
        ("axial", "auto", "infer", 2.5, 3.1),
    ],
)
def test_growth_of_predicted_memory(mechanism: str, attention: str, mode: str, least: float, most: float) -> None:
    assert least <= exponent(mechanism, Way(mode), attention=attention) <= most


def exponent(mechanism: str, way: Way, **options: object) -> float:
    """Of the side, fitted over 64 to 512."""
    sides, peaks = (64, 128, 256, 512), []
    for side in sides:
        with torch.device("meta"):
            model = network(mechanism, side, **options)
        peaks.append(predict(model, side, 4, way).peak)
    return linear_regression([math.log(side) for side in sides], [math.log(peak) for peak in peaks]).slope


@pytest.mark.parametrize("mechanism", ["performer", "linformer", "nystrom"])
def test_without_relative_positions_memory_grows_as_the_tokens(mechanism: str) -> None:
    assert exponent(mechanism, Way(), position="none") <= 2.1
