"""How far a network's attention is from exact attention with the same weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from aabench.layers import AAConv2d
from aabench.models import create_model
from aabench.record import Value

MOST_TOKENS = 64 * 64
"""Of an attention map for which exact attention in float64 takes about a second (ours)."""

_OF_MECHANISM = ("mechanism", "mechanism_size", "pooled", "attention")
"""Arguments of a network that say how it attends, not what its layers look like."""


def output_difference(model: nn.Module, point: dict[str, Any]) -> Value | None:
    """The distance of the first attention layer's branch MHA(X) from the exact one, relative to that: |a - b| / |b|.

    X is normal noise; the exact branch is computed in float64. There is no number where the mechanism's weights are not
    those of exact attention, such as a projection that it learns: at equal weights is then nothing that can be said.

    Args:
        model: built from the point.
        point: the settings of a row of level ``profile``.

    Returns:
        None for a network without such a layer.
    """
    name, layer = next(((n, m) for n, m in model.named_modules() if isinstance(m, AAConv2d)), (None, None))
    if name is None or layer is None:
        return None
    exact = _exact_layer(name, point)
    reason = _why_not(layer, exact)
    value = None if reason else _distance(layer, exact)
    return Value(metric="output_difference", value=value, unit="relative", reason=reason)


def _exact_layer(name: str, point: dict[str, Any]) -> AAConv2d:
    """The layer of that name in the same network with exact attention."""
    arguments = {key: value for key, value in point["arguments"].items() if key not in _OF_MECHANISM}
    network = create_model(
        point["model"],
        input_size=point["input_size"],
        num_classes=point["num_classes"],
        device=point["device"],
        **arguments,
        attention="fused",
    )
    exact = network.get_submodule(name)
    assert isinstance(exact, AAConv2d)
    return exact


def _why_not(layer: AAConv2d, exact: AAConv2d) -> str | None:
    ours, theirs = ({name: p.shape for name, p in of.named_parameters()} for of in (layer, exact))
    other = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if other:
        return f"its weights are not those of exact attention: {', '.join(other)}"
    tokens = exact.attention_size[0] * exact.attention_size[1]
    return f"{tokens:,} tokens are more than {MOST_TOKENS:,}" if tokens > MOST_TOKENS else None


@torch.no_grad()
def _distance(layer: AAConv2d, exact: AAConv2d) -> float:
    ours = copy.deepcopy(layer).float()
    device = ours.qkv.weight.device
    exact = exact.double()
    exact.load_state_dict(ours.state_dict(), strict=False)  # a mechanism may have buffers of its own
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(1, ours.in_channels, *ours.feature_size, generator=generator, device=device)
    oracle: Tensor = exact.attend(x.double())
    return float((ours.attend(x) - oracle).norm() / oracle.norm())
