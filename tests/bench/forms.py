"""A process of its own for one allocator: times candidates by turns, and takes their memory. JSON in, JSON out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from aabench import allocator
from aabench.layers import AAConv2d, AWConv2d
from aabench.layers.weighted_convolution import choose
from aabench.models import create_model
from aabench.profile.memory import allocated_peak
from aabench.profile.workload import workload
from tests.bench.interleave import interleave


def benchmarked_layer(attention: str, side: int) -> nn.Module:
    """128 -> 128 channels, Nh 8, dk 160, dv 24."""
    layer = AAConv2d(128, 128, 3, feature_size=(side, side), kappa=0.2, upsilon=0.2, num_heads=8, attention=attention)
    assert (layer.key_channels, layer.value_channels) == (160, 24)
    return layer


def layer_call(attention: str, asked: dict[str, Any]) -> Callable[[], None]:
    return module_call(benchmarked_layer(attention, asked["side"]), 128, asked)


def convolution_call(form: str, asked: dict[str, Any]) -> Callable[[], None]:
    """An AWConv2d of equal widths in a form, or the ``plain`` convolution."""
    channels = asked["channels"]
    if form == "plain":
        return module_call(nn.Conv2d(channels, channels, 3, padding=1, bias=False), channels, asked)
    return module_call(weighted(form, asked), channels, asked)


def weighted(form: str, asked: dict[str, Any]) -> AWConv2d:
    channels, expansion = asked["channels"], asked["expansion"]
    return AWConv2d(channels, channels, 3, padding=1, bias=False, form=form, expansion=expansion)


def chosen(asked: dict[str, Any]) -> str:
    """The form that an AWConv2d takes by itself."""
    layer = weighted("auto", asked)
    x = torch.randn(asked["batch"], asked["channels"], asked["side"], asked["side"])
    return choose(layer.weight, layer.attention_map(x), x.shape, layer.groups)


def module_call(layer: nn.Module, channels: int, asked: dict[str, Any]) -> Callable[[], None]:
    x = torch.randn(asked["batch"], channels, asked["side"], asked["side"], requires_grad=True)

    def infer() -> None:
        with torch.inference_mode():
            layer(x)

    def train() -> None:
        torch.autograd.backward(layer(x).sum())
        layer.zero_grad(set_to_none=True)
        x.grad = None

    return {"infer": infer, "train": train}[asked["mode"]]


def network_call(name: str, asked: dict[str, Any]) -> Callable[[], None]:
    model = create_model(name, input_size=asked["side"], num_classes=1000)
    x = torch.randn(asked["batch"], 3, asked["side"], asked["side"])
    return workload(model, x, 1000, asked["mode"])


def peak(call: Callable[[], None]) -> int:
    """Bytes that torch allocated in a call like those before it, inside operators too, and that were live at once."""
    found = allocated_peak(call)
    assert found.bytes is not None
    return found.bytes - found.baseline


def main() -> None:
    asked = json.loads(sys.argv[1])
    if asked["allocator"] == "warm":
        allocator.warm()
    torch.manual_seed(0)
    make = {"layer": layer_call, "convolution": convolution_call, "network": network_call}[asked["what"]]
    candidates = asked["candidates"]
    found: dict[str, Any] = {}
    if asked["what"] == "convolution":
        found["chosen"] = chosen(asked)
        candidates = dict.fromkeys([*candidates, found["chosen"]])
    calls = {name: make(name, asked) for name in candidates}
    found["seconds"] = interleave(calls, asked["rounds"])
    found["bytes"] = {name: peak(call) for name, call in calls.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
