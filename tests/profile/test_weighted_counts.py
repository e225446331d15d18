"""Counts of AWConv2d: against numbers by hand, in every form, and what a pass of each form executes."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from aabench.errors import AABenchError
from aabench.layers import AWConv2d
from aabench.profile import Way, count, explain_executed


@pytest.mark.parametrize("form", ["auto", "grouped", "chunked", "taps"])
def test_a_layer_by_hand(form: str) -> None:
    """3 to 4 channels, 5 x 7 to 3 x 4, batch 2; one hidden channel, on the 3 x 3 pixels of the pooled map."""
    counted = count(nn.Sequential(AWConv2d(3, 4, 3, 2, 1, reduction=3, form=form)), (5, 7), batch=2)
    assert {row.name: (row.params, row.macs) for row in counted.rows} == {
        "0": (4 * 27 + 4, 2 * 12 * 4 * 27),
        "0.attention.reduce": (3, 2 * 9 * 3),
        "0.attention.expand": (4, 2 * 9 * 4),
    }
    assert counted.output_shape == (2, 4, 3, 4)
    # Pooling, an operation a pixel and channel; scaling 4 x 3 x 3 x 3 of the kernel for each sample.
    assert counted.by_kind == {"conv": 2 * (1_296 + 27 + 36), "gate": 2 * (3 * 35 + 108)}
    assert counted.in_convention("flops") == 2 * 2 * 1_359
    assert counted.in_convention("aa-paper") == 2 * 2 * 1_359 + 2 * 213


# 3 to 6 channels from 9 x 9, with one hidden channel: cells of the output, taps times inputs, cells of A0, maps of A.
@pytest.mark.parametrize(
    ("options", "cells", "taps", "pooled", "maps"),
    [
        ({}, 49, 27, 9, 6),
        ({"stride": 2, "padding": 1}, 25, 27, 9, 6),
        ({"stride": (1, 3), "padding": (0, 2)}, 7 * 4, 27, 9, 6),
        ({"dilation": 2}, 25, 27, 9, 6),
        ({"groups": 3}, 49, 9, 9, 6),
        ({"kernel_size": 1}, 81, 3, 1, 6),
        ({"kernel_size": (2, 3)}, 56, 18, 6, 6),
        ({"expansion": "output"}, 49, 27, 9, 3),
        ({"expansion": "none"}, 49, 27, 9, 18),
        ({"expansion": "none", "groups": 3}, 49, 9, 9, 6),
        ({"gate": "tanh", "residual": False}, 49, 27, 9, 6),
        ({"branch_norm": True, "branch_bias": True}, 49, 27, 9, 6),
        ({"padding": 1, "padding_mode": "reflect"}, 81, 27, 9, 6),
    ],
    ids=str,
)
def test_all_options_by_hand(options: dict[str, Any], cells: int, taps: int, pooled: int, maps: int) -> None:
    layer = AWConv2d(3, 6, **{"kernel_size": 3, "reduction": 3, "device": "meta"} | options)
    assert {row.name: row.macs for row in count(nn.Sequential(layer), 9).rows if row.macs} == {
        "0": cells * 6 * taps,
        "0.attention.reduce": pooled * 3,
        "0.attention.expand": pooled * maps,
    }


def test_the_layer_is_left_in_its_form() -> None:
    layer = AWConv2d(3, 4, 3, reduction=3, form="taps")
    count(nn.Sequential(layer), 5)
    assert layer.form == "taps"


def test_padding_by_name_has_no_formula() -> None:
    with pytest.raises(AABenchError, match=r"no closed formula for module '0' \(AWConv2d\) with padding='same'"):
        count(nn.Sequential(AWConv2d(3, 4, 3, padding="same", reduction=3)), 5)


@pytest.mark.parametrize("mode", ["infer", "train"])
@pytest.mark.parametrize(
    ("form", "operator"),
    [
        ("grouped", "convolution"),
        ("chunked", "aabench.chunked_convolution"),
        ("taps", "aabench.tap_convolution"),
    ],
)
def test_every_form_executes_what_the_definition_needs(form: str, operator: str, mode: str) -> None:
    layer = AWConv2d(3, 4, 3, 2, 1, reduction=3, form=form)
    found = explain_executed(nn.Sequential(layer), (5, 7), Way(mode, 2))
    executed = {line.operator: line.executed for line in found.operators}
    convolution, branch = 12 * 4 * 27, 9 * 3 + 9 * 4  # of an image
    if form == "grouped":
        assert executed == {"convolution": convolution + branch}
    else:
        assert executed == {operator: convolution, "convolution": branch}
    assert found.differences == ()
