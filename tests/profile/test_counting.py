"""Counts against numbers derived by hand, and against the known totals of torchvision's networks."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from aabench.errors import AABenchError
from aabench.layers import BAM, CBAM, GALA, AAConv2d, GatherExcite, SqueezeExcite
from aabench.models import create_model
from aabench.profile import count
from aabench.profile import formulas as formulas_module
from aabench.profile.formulas import Work


# ResNet-34 by hand: stem 118,013,952; a 3x3 convolution within any stage 115,605,504, 29 of them; one that enters a
# stage 57,802,752 and its projection 6,422,528, three of each; classifier 512,000.
@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [("resnet34", 21_797_672, 3_663_761_408), ("resnet50", 25_557_032, 4_089_184_256)],
)
def test_torchvision_networks_have_their_known_totals(name: str, params: int, macs: int) -> None:
    with torch.device("meta"):
        model = getattr(torchvision.models, name)()
    counted = count(model, 224)
    assert (counted.params, counted.macs, counted.output_shape) == (params, macs, (1, 1000))
    assert counted.in_convention("flops") == counted.in_convention("aa-paper") == 2 * macs
    assert counted.attention_share == 0


def test_convolutions_and_linear_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2, padding=1),  # 9x7 -> 5x4
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 8, (3, 1), padding=(2, 0), dilation=2, groups=4),  # 5x4 -> 5x4
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    counted = count(model, (9, 7), batch=2)
    assert [(row.name, row.type, row.params, row.macs) for row in counted.rows] == [
        ("0", "Conv2d", 3 * 12 * 9 + 12, 2 * 20 * 12 * 27),
        ("1", "BatchNorm2d", 24, 0),
        ("3", "Conv2d", 8 * 3 * 3 + 8, 2 * 20 * 8 * 9),
        ("6", "Linear", 90, 2 * 80),
    ]
    assert counted.macs == 12_960 + 2_880 + 160
    assert counted.output_shape == (2, 10)


def augmented(**options: object) -> AAConv2d:
    """F_in 3, F_out 8 on a 6x5 map: n = 30, Nh = 2, dk = dv = 4, so d = e = 2."""
    settings = {"kappa": 0.5, "upsilon": 0.5, "num_heads": 2, "min_key_channels": 0} | options
    return AAConv2d(3, 8, 3, feature_size=(6, 5), **settings)


@pytest.mark.parametrize("attention", ["explicit", "fused", "auto"])
@pytest.mark.parametrize("batch", [1, 3])
def test_augmented_convolution_by_hand(attention: str, batch: int) -> None:
    counted = count(augmented(attention=attention), (6, 5), batch)
    assert counted.by_kind == {
        "conv": batch * (30 * 4 * 27 + 30 * 3 * 12 + 30 * 4 * 4),
        "relative": batch * 1_320,  # 2 heads x 30 queries x (6 + 5) x 2
        "attention": batch * 7_200,  # 2 heads x 900 pairs x (2 + 2)
    }
    assert counted.macs == batch * 13_320
    assert counted.in_convention("flops") == batch * 26_640
    assert counted.in_convention("aa-paper") == batch * (2 * 4_800 + 7_200)
    assert counted.attention_share == pytest.approx(8_520 / 13_320)


def test_one_channel_a_head_is_counted_too() -> None:
    # 4 heads x 30 queries x (6 + 5) x 1; 4 heads x 900 pairs x (1 + 1).
    by_kind = count(augmented(num_heads=4), (6, 5)).by_kind
    assert (by_kind["relative"], by_kind["attention"]) == (1_320, 7_200)


@pytest.mark.parametrize(
    ("options", "size", "attention", "relative"),
    [
        ({"position": "none"}, (6, 5), 7_200, 0),
        ({"position": "coordconv"}, (6, 5), 7_200, 0),
        ({"stride": 2}, (6, 5), 2 * 81 * 4, 2 * 9 * 6 * 2),  # 3x3 map
        ({"pooled": True}, (6, 5), 2 * 81 * 4, 2 * 9 * 6 * 2),
    ],
)
def test_variants_of_the_attention_map(
    options: dict[str, object], size: tuple[int, int], attention: int, relative: int
) -> None:
    by_kind = count(augmented(**options), size).by_kind
    assert (by_kind["attention"], by_kind.get("relative", 0)) == (attention, relative)


def test_activations_of_an_augmented_convolution_by_hand() -> None:
    rows = {row.name: row.activations for row in count(augmented(), (6, 5)).rows}
    assert rows == {
        "conv": 30 * 4,
        "qkv": 30 * 12,
        "position": 2 * 30 * (6 + 5),
        "core": 2 * 900 + 2 * 30 * 2,  # Q K^T; A V
        "out": 30 * 4,
    }
    assert count(augmented(attention="fused"), (6, 5), batch=3).activations == 3 * sum(rows.values()) == 3 * 3_180


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("resnet34", {"width": 16}),
        ("se_resnet50", {"width": 16}),
        ("bam_resnet50", {"width": 16}),
        ("cbam_resnet50", {"width": 16}),
        ("gala_resnet50", {"width": 16}),
        ("aa_resnet50", {"width": 16, "num_heads": 1, "attention": "explicit"}),
        ("aa_wide_resnet", {"depth": 10, "width": 2, "num_heads": 2, "attention": "explicit"}),
        ("ge_wide_resnet", {"depth": 10, "width": 2}),
    ],
)
def test_activations_are_those_of_fvcore_on_the_explicit_form(name: str, arguments: dict[str, Any]) -> None:
    model = create_model(name, input_size=64, num_classes=10, **arguments).eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.* is deprecated")
        from fvcore.nn import ActivationCountAnalysis
    analysis = ActivationCountAnalysis(model, torch.zeros(1, 3, 64, 64)).unsupported_ops_warnings(False)
    with torch.no_grad():
        assert count(model, 64).activations == analysis.uncalled_modules_warnings(False).total()


@pytest.mark.parametrize(("layer", "macs"), [(SqueezeExcite(3, reduction=3), 6), (GatherExcite(), 0)])
def test_gates_count_pooling_and_scaling_apart_from_multiply_adds(layer: nn.Module, macs: int) -> None:
    counted = count(nn.Sequential(layer), (4, 5))
    assert counted.by_kind["gate"] == 60 + 60
    assert counted.macs == macs
    assert counted.in_convention("flops") == 2 * macs
    assert counted.in_convention("aa-paper") == 2 * macs + 120


@pytest.mark.parametrize(
    ("layer", "passes", "macs"),
    [
        # One hidden channel. Channels 3 + 3; on 20 cells: 1x1 3, twice 3x3 9, 1x1 1.
        (BAM(3, reduction=3), 2, 6 + 20 * (3 + 2 * 9 + 1)),
        # The MLP of 3 + 3 twice; on 20 cells: 7x7 over two maps.
        (CBAM(3, reduction=3), 6, 2 * 6 + 20 * 98),
        # Channels 3 + 3; on 20 cells: 1x1 3, then 1.
        (GALA(3, reduction=3), 2, 6 + 20 * 4),
    ],
    ids=["bam", "cbam", "gala"],
)
def test_gates_of_table_2_by_hand(layer: nn.Module, passes: int, macs: int) -> None:
    counted = count(nn.Sequential(layer), (4, 5), batch=2)
    assert counted.by_kind == {"conv": 2 * macs, "gate": 2 * passes * 60}
    assert counted.in_convention("aa-paper") == 2 * (2 * macs + passes * 60)


# What they add to ResNet-50's 4,089,184,256. 1,257,472 is C^2 / 16 summed over the 16 blocks; a stage has 3 blocks of
# 256 channels on 3,136 cells, 4 of 512 on 784, 6 of 1024 on 196, 3 of 2048 on 49: 13,867 cells in all.
@pytest.mark.parametrize(
    ("name", "added"),
    [
        # Channels 8,192 + 32,768 + 131,072; then Ch + 2 x 9 h^2 + h a cell after each of the first three stages.
        ("bam_resnet50", 172_032 + 3_136 * 8_720 + 784 * 34_848 + 196 * 139_328),
        ("cbam_resnet50", 2 * 2 * 1_257_472 + 13_867 * 98),
        # Ch + h a cell for the local path.
        ("gala_resnet50", 2 * 1_257_472 + 9_408 * 4_112 + 3_136 * 16_416 + 1_176 * 65_600 + 147 * 262_272),
    ],
)
def test_gated_resnet50s_by_hand(name: str, added: int) -> None:
    model = create_model(name, input_size=224, num_classes=1000, device="meta")
    assert count(model, 224).macs == 4_089_184_256 + added


# What they add to ResNet-50 with biases: a bias adds no multiply-add. A stage has C channels and 3, 4, 6, 3 blocks; the
# elements of its maps are 802,816 a block in the first, and half of that in each further one.
MAPS = 802_816 * (3 + 4 / 2 + 6 / 4 + 3 / 8)


@pytest.mark.parametrize(
    ("arguments", "macs", "gate"),
    [
        ({"attention": "se"}, 2 * 1_257_472, 2 * MAPS),
        ({"attention": "se", "sharing": "org"}, 2 * 1_257_472, 2 * MAPS),
        ({"attention": "sge"}, 0, 3 * MAPS),
        ({"attention": "sge", "scheme": "4,11,19,3"}, 0, 3 * 802_816 * (1 + 3 / 2 + 3 / 4 + 2 / 8)),
        # Both maps of DIA hold C m + 4 C m multiply-adds: m = C / 20, rounded down, is 12, 25, 51 and 102.
        (
            {"attention": "dia", "reduction": 20, "scheme": "6,3,50,3"},
            10 * (2 * 256 * 12 + 2 * 512 * 25 + 3 * 1024 * 51 + 2 * 2048 * 102),
            2 * 802_816 * (2 + 2 / 2 + 3 / 4 + 2 / 8),
        ),
    ],
)
def test_attention_plugged_into_resnet50_by_hand(arguments: dict[str, Any], macs: int, gate: float) -> None:
    counted = count(create_model("plugged_resnet50", input_size=224, num_classes=1000, device="meta", **arguments), 224)
    assert counted.macs == 4_089_184_256 + macs
    assert counted.by_kind.get("gate", 0) == gate


def test_counting_allocates_nothing_and_is_linear_in_the_batch() -> None:
    model = create_model("aa_resnet50", input_size=1024, num_classes=10, device="meta")
    # One explicit attention map of the first augmented stage at this batch takes 128 TiB.
    assert count(model, 1024, batch=262_144).macs == 262_144 * count(model, 1024).macs


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(augmented(attention="fused"), nn.BatchNorm2d(8)).train()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count(model, (6, 5))
    assert model.training
    assert model[0].core.attention == "fused"
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Calls(nn.Module):
    """A module that does what a test says."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def test_multiply_adds_without_a_closed_formula_are_an_error_that_names_them() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Calls(lambda x: x @ x))  # 4 channels x 5x5 x 5
    with pytest.raises(AABenchError, match=r"no closed formula for module '1' \(Calls\), operator .*bmm.* 500 .* 500 "):
        count(model, 5)


@pytest.mark.parametrize("size", [4, 6])
def test_broadcast_products_are_seen_alike_by_both_tools(size: int) -> None:
    product = Calls(lambda x: x.new_empty(7, size) @ x)  # 3 channels, 7 x size x size
    with pytest.raises(AABenchError, match=f"{21 * size**2} multiply-adds by FlopCounterMode and {21 * size**2} by"):
        count(nn.Sequential(product), size)


def test_an_operator_unknown_to_fvcore_is_an_error_that_names_it() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Calls(lambda x: torch.cdist(x, x)))
    with pytest.raises(AABenchError, match=r"module '1': operator aten::cdist is known neither"):
        count(model, 5)


def test_fused_attention_that_counting_cannot_make_explicit_is_an_error() -> None:
    model = nn.Sequential(Calls(lambda x: nn.functional.scaled_dot_product_attention(x, x, x)))
    with pytest.raises(AABenchError, match=r"module '0': operator aten::scaled_dot_product_attention"):
        count(model, 5)


def test_a_model_that_fvcore_cannot_trace_is_an_error() -> None:
    model = nn.Sequential(Calls(lambda x: torch.conv1d(x.flatten(2), x.new_empty(2, 3, 3))))
    with pytest.raises(AABenchError, match="fvcore cannot trace Sequential"):
        count(model, 5)


def test_a_formula_that_disagrees_is_an_error_with_the_three_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formulas_module.FORMULAS, nn.Linear, lambda module, shapes: Work({"linear": 119}, 0))
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 10))
    with pytest.raises(
        AABenchError,
        match=r"module '1' \(Linear\), operator .*addmm.*: FlopCounterMode 120, fvcore 120, closed formula 119",
    ):
        count(model, 2)


def test_a_layer_setting_without_a_formula_is_an_error() -> None:
    with pytest.raises(AABenchError, match=r"no closed formula for module '0' \(Conv2d\) with padding='same'"):
        count(nn.Sequential(nn.Conv2d(3, 4, 3, padding="same")), 5)


def test_a_size_too_small_names_the_module_that_ran_out_of_pixels() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.Sequential(nn.Conv2d(4, 4, 5)))
    with pytest.raises(AABenchError, match=r"8x8 pixels: 1\.0 \(Conv2d\) on an input of 1x4x2x2 fails: .*larger size"):
        count(model, 8)


def test_another_size_than_the_model_was_built_for_is_an_error_that_names_both() -> None:
    model = create_model("aa_resnet50", input_size=64, num_classes=10, device="meta")
    with pytest.raises(AABenchError, match=r"32x32 pixels: .*built for 64x64"):
        count(model, 32)


def test_an_output_that_is_no_tensor_is_an_error() -> None:
    model = nn.Sequential(Calls(lambda x: [x, x]))  # type: ignore[arg-type,return-value]
    with pytest.raises(AABenchError, match="gives a list; a tensor or a tuple of them"):
        count(model, 5)
