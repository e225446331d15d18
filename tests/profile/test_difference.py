"""How far a mechanism is from exact attention at equal weights."""

from typing import Any

import pytest
import torch

from aabench.layers import AAConv2d
from aabench.models import create_model
from aabench.profile.difference import output_difference


def point(model: str = "aa_resnet18", side: int = 32, **arguments: Any) -> dict[str, Any]:
    if model == "aa_resnet18":
        arguments = {"width": 32, "num_heads": 2, "stem": "cifar", **arguments}
    return {"model": model, "input_size": side, "num_classes": 10, "device": "cpu", "arguments": arguments}


def difference(given: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    size = {name: given[name] for name in ("input_size", "num_classes")}
    return output_difference(create_model(given["model"], **size, **given["arguments"]), given)


@pytest.mark.parametrize("attention", ["explicit", "fused"])
@pytest.mark.parametrize("position", ["relative", "none", "sine2d"])
def test_both_exact_forms_are_exact_but_for_rounding(attention: str, position: str) -> None:
    found = difference(point(attention=attention, position=position))
    assert 0 < found.value < 1e-6
    assert (found.metric, found.unit) == ("output_difference", "relative")


def test_the_average_of_the_values_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """With keys of 0 exact attention is the mean; a mechanism that gives twice as much is 1 away from it."""
    given = point(position="none")
    model = create_model("aa_resnet18", input_size=32, num_classes=10, **given["arguments"])
    layer = next(m for m in model.modules() if isinstance(m, AAConv2d))
    with torch.no_grad():
        layer.qkv.weight[: 2 * layer.key_channels].zero_()
    layer.core.register_forward_hook(lambda core, args, out: 2 * args[2].mean(2, keepdim=True).expand_as(out))
    found = output_difference(model, given)
    assert found is not None
    assert found.value == pytest.approx(1, abs=1e-5)


def test_more_landmarks_come_closer() -> None:
    few, many = (difference(point(mechanism="nystrom", mechanism_size=m)).value for m in (2, 200))
    assert many < few / 2


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"pooled": True}, "position.column_table, position.row_table"),
        ({"mechanism": "linformer"}, "core.key_projection, core.value_projection"),
    ],
)
def test_other_weights_have_no_difference_at_equal_ones(arguments: dict[str, Any], names: str) -> None:
    found = difference(point(**arguments))
    assert (found.value, found.reason) == (None, f"its weights are not those of exact attention: {names}")


def test_a_map_too_large_and_a_network_without_attention() -> None:
    # The first augmented convolution halves the map, from 130 to 65 cells a side.
    assert difference(point(side=130)).reason == "4,225 tokens are more than 4,096"
    assert difference(point("resnet18")) is None
