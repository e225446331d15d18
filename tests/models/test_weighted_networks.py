"""Networks with AW-convolutions: what is attended, their sizes, and that the rest is the plain network's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from aabench.errors import AABenchError
from aabench.layers import AAConv2d, AWConv2d
from aabench.models import create_model, list_models
from aabench.models.registry import DETECTORS

CLASSIFIERS = [name for name in list_models() if name not in DETECTORS]
NETWORKS = [name for name in CLASSIFIERS if name.startswith("aw_")]

# awconv.md, section 3: millions at r = 4, 8, 16, 32.
SHEET = {
    ("aw_resnet18", "3x3"): (12.28, 11.98, 11.84, 11.76),
    ("aw_resnet34", "3x3"): (22.95, 22.37, 22.09, 21.94),
    ("aw_resnet50", "3x3"): (26.19, 25.87, 25.71, 25.64),
    ("aw_resnet101", "3x3"): (45.73, 45.14, 44.85, 44.70),
    ("aw_resnet101", "all"): (59.33, 51.94, 48.25, 46.40),
}
SMALL: dict[str, dict[str, Any]] = {
    "plugged_resnext": {"depth": 11, "cardinality": 2, "base_width": 16},
    "plugged_wide": {"depth": 10, "width": 1},
    "plugged_cifar": {"depth": 11, "width": 16},
    "plugged_pre": {"depth": 11, "width": 16},
    "wide": {"depth": 10, "width": 2},
    "aa_resnet": {"width": 16, "num_heads": 1},
    "resnet": {"width": 16},
}


def small(name: str, seed: int = 0, **arguments: Any) -> nn.Module:
    own = next(own for kind, own in SMALL.items() if kind in name)
    if "aa_wide" in name:
        own = {**own, "num_heads": 1}
    torch.manual_seed(seed)
    return create_model(name, input_size=32, num_classes=7, **own, **arguments)


def on_meta(name: str, **arguments: Any) -> nn.Module:
    return create_model(name, input_size=224, num_classes=1000, device="meta", **arguments)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def attended(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, AWConv2d)]


@pytest.mark.parametrize(("network", "expected"), SHEET.items(), ids=str)
def test_parameters_of_the_sheet(network: tuple[str, str], expected: tuple[float, ...]) -> None:
    name, placement = network
    found = [parameters(on_meta(name, aw_placement=placement, aw_reduction=r)) / 1e6 for r in (4, 8, 16, 32)]
    assert found == pytest.approx(expected, abs=0.005, rel=0)


# By hand at r = 16. A 3x3 convolution of c channels gets 2 c^2 / 16. ResNet-50 and 101 have them with 64, 128, 256 and
# 512 channels in 3, 4, 6 (23) and 3 blocks. ResNet-18 and 34 have two a block, in 2, 2, 2, 2 and 3, 4, 6, 3 blocks,
# but the first of a stage has c / 2 input channels: (c / 2 + c) c / 32.
@pytest.mark.parametrize(
    ("name", "plain", "added"),
    [
        ("resnet18", 11_689_512, 4 * 512 + 3 * 2_048 + 768 + 3 * 8_192 + 3_072 + 3 * 32_768 + 12_288),
        ("resnet34", 21_797_672, 6 * 512 + 7 * 2_048 + 768 + 11 * 8_192 + 3_072 + 5 * 32_768 + 12_288),
        ("resnet50", 25_557_032, 3 * 512 + 4 * 2_048 + 6 * 8_192 + 3 * 32_768),
        ("resnet101", 44_549_160, 3 * 512 + 4 * 2_048 + 23 * 8_192 + 3 * 32_768),
    ],
)
def test_parameters_by_hand(name: str, plain: int, added: int) -> None:
    assert parameters(on_meta(name)) == plain
    assert parameters(on_meta(f"aw_{name}")) == plain + added


@pytest.mark.parametrize(
    ("options", "added"),
    [
        # On ResNet-50's 16 3x3 convolutions: c / 16 hidden channels, 3 x 4 + 4 x 8 + 6 x 16 + 3 x 32 in all.
        ({"aw_bias": True}, 236 + 16 * 236),
        ({"aw_norm": True}, 2 * 236),
        ({"aw_gate": "none"}, 0),
        ({"aw_residual": False}, 0),
        ({"aw_expansion": "output"}, 0),
        # c^2 maps in place of c: (c / 16) (c^2 - c) more.
        (
            {"aw_expansion": "none"},
            3 * 4 * (4_096 - 64) + 4 * 8 * (16_384 - 128) + 6 * 16 * (65_536 - 256) + 3 * 32 * (262_144 - 512),
        ),
    ],
    ids=str,
)
def test_every_option_reaches_the_layers(options: dict[str, Any], added: int) -> None:
    assert parameters(on_meta("aw_resnet50", **options)) == 25_714_216 + added
    setting = {"aw_norm": "branch_norm", "aw_bias": "branch_bias"}
    model = small("aw_resnet50", **options)
    for name, value in options.items():
        of_layers = {m.settings[setting.get(name, name[3:])] for m in model.modules() if isinstance(m, AWConv2d)}
        assert of_layers == {value}


BLOCKS = [f"layer{stage}.{block}" for stage, depth in enumerate((3, 4, 6, 3), 1) for block in range(depth)]


@pytest.mark.parametrize("name", ["resnet50", "se_resnet50", "cbam_resnet50", "sge_resnet50", "bam_resnet50"])
def test_the_3x3_convolutions_of_the_blocks_are_attended(name: str) -> None:
    """Not the stem, the shortcuts, nor a gate's own layers, of which CBAM's are 7x7 and BAM's 3x3."""
    assert attended(on_meta(f"aw_{name}")) == [f"{block}.conv2" for block in BLOCKS]


@pytest.mark.parametrize("name", ["resnet50", "se_resnet50", "cbam_resnet50", "bam_resnet50"])
def test_all_are_the_1x1_convolutions_too(name: str) -> None:
    found = attended(on_meta(f"aw_{name}", aw_placement="all"))
    assert found == [f"{block}.conv{number}" for block in BLOCKS for number in (1, 2, 3)]


def test_both_convolutions_of_a_basic_block_are_attended() -> None:
    depths = enumerate((2, 2, 2, 2), 1)
    assert attended(on_meta("aw_resnet18")) == [
        f"layer{stage}.{block}.conv{number}" for stage, depth in depths for block in range(depth) for number in (1, 2)
    ]


@pytest.mark.parametrize("placement", ["3x3", "all"])
def test_of_augmented_convolutions_the_convolution_branch_is_attended(placement: str) -> None:
    model = on_meta("aw_aa_resnet50", aw_placement=placement)
    found = attended(model)
    inside = {f"{name}.conv" for name, module in model.named_modules() if isinstance(module, AAConv2d)}
    assert len(inside) == 4 + 6 + 3
    assert inside <= set(found)
    around = [f"{block}.conv{number}" for block in BLOCKS for number in (1, 3)] if placement == "all" else []
    assert set(found) - inside == {f"layer1.{block}.conv2" for block in range(3)} | set(around)


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("aw_plugged_cifar_resnet", ["conv2"]),
        ("aw_plugged_resnext", ["conv2"]),
        ("aw_plugged_preresnet", ["conv2"]),
        ("aw_plugged_wide_resnet", ["conv1", "conv2"]),
        ("aw_wide_resnet", ["conv1", "conv2"]),
    ],
)
def test_of_three_stages_with_a_block_each(name: str, each: list[str]) -> None:
    blocks = [f"stages.{stage}.blocks.0" if "plugged" in name else f"layer{stage + 1}.0" for stage in range(3)]
    model = small(name)
    assert attended(model) == [f"{block}.{conv}" for block in blocks for conv in each]
    groups = {m.groups for m in model.modules() if isinstance(m, AWConv2d)}
    assert groups == ({2} if "resnext" in name else {1})


def test_a_shortcut_that_is_a_convolution_alone_is_not_attended() -> None:
    model = small("aw_plugged_preresnet", aw_placement="all")
    assert type(model.stages[1].blocks[0].downsample) is nn.Conv2d
    assert not [name for name in attended(model) if "downsample" in name]


def test_every_residual_network_has_a_form_with_aw_convolutions() -> None:
    others = {"mnasnet", "squeezenet", "resnet20_cifar", "resnet56_cifar"}  # without blocks of these kinds
    plain = [n for n in CLASSIFIERS if not n.startswith("aw_") and not any(kind in n for kind in others)]
    assert [f"aw_{name}" for name in plain] == NETWORKS


@pytest.mark.parametrize("placement", ["3x3", "all"])
@pytest.mark.parametrize("name", [n for n in NETWORKS if not n.endswith(("34", "101", "152"))])  # deeper ones
def test_with_the_same_seed_shared_weights_are_the_plain_networks(name: str, placement: str) -> None:
    plain = small(name.removeprefix("aw_")).state_dict()
    model = small(name, aw_placement=placement).state_dict()
    more = model.keys() - plain.keys()
    assert {name.rpartition(".")[2] for name in more} == {"weight", "_extra_state"}
    assert all(".attention." in name or name.endswith("_extra_state") for name in more)
    assert [name for name, tensor in plain.items() if not torch.equal(tensor, model[name])] == []


def test_closed_gates_leave_the_plain_network() -> None:
    plain, model = small("resnet18").eval(), small("aw_resnet18", aw_gate="none").eval()
    for module in model.modules():
        if isinstance(module, AWConv2d):
            nn.init.zeros_(module.attention.expand.weight)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("placement", ["3x3", "all"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("aw_se_resnet50", {}),
        ("aw_cbam_resnet50", {}),
        ("aw_sge_resnet50", {"groups": 16}),
        ("aw_aa_resnet50", {}),
        ("aw_plugged_cifar_resnet", {"attention": "se", "reduction": 4}),
        ("aw_plugged_cifar_resnet", {"attention": "dia", "reduction": 4}),
        ("aw_plugged_wide_resnet", {"attention": "cbam", "reduction": 4}),
    ],
    ids=str,
)
def test_beside_other_attention_every_parameter_gets_a_gradient(
    name: str, arguments: dict[str, Any], placement: str
) -> None:
    # A hidden layer of one channel is often one that ReLU cuts off.
    model = small(name, aw_placement=placement, aw_reduction=2, **arguments)
    out = model(torch.randn(4, 3, 32, 32))
    assert out.shape == (4, 7)
    out.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    branches = [n for n, p in model.named_parameters() if ".attention.expand" in n and p.grad.any()]
    assert len(branches) == len(attended(model))


def test_a_checkpoint_of_another_setting_is_refused() -> None:
    state = small("aw_resnet18", aw_gate="tanh").state_dict()
    with pytest.raises(ValueError, match=r"for other settings: gate tanh instead of sigmoid$"):
        small("aw_resnet18").load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("aw_resnet50", {"aw_placement": "5x5"}, "aw_placement is one of 3x3, all, not '5x5'"),
        ("aw_resnet50", {"aw_reduction": 0}, "reduction is between 1 and the 16 channels, got 0"),
        ("aw_resnet50", {"aw_reduction": 17}, "reduction is between 1 and the 16 channels, got 17"),
        ("aw_resnet50", {"aw_gate": "relu"}, "gate is one of sigmoid, tanh, none, not 'relu'"),
        ("aw_resnet50", {"aw_expansion": "both"}, "expansion is one of input, output, none, not 'both'"),
        (
            "aw_plugged_resnext",
            {"aw_expansion": "output"},
            "expansion output gives one map for each of 32 input channels, and with groups=2 a kernel has 16: "
            "choose expansion input or none",
        ),
    ],
)
def test_what_cannot_be_built_says_why(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AABenchError) as error:
        small(name, **arguments)
    assert str(error.value) == f"model {name} at 32x32 pixels: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aw_reduction": 2.5}, r"model aw_resnet50: aw_reduction=2\.5: Input should be a valid integer"),
        ({"aw_residual": "no"}, "model aw_resnet50: aw_residual='no': Input should be a valid boolean"),
        (
            {"aw_form": "taps"},
            "takes no argument 'aw_form'; it takes width, extra_projection, stem, aw_reduction, aw_expansion, aw_gate, "
            "aw_residual, aw_norm, aw_bias, aw_placement$",
        ),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AABenchError, match=message):
        create_model("aw_resnet50", input_size=32, num_classes=10, **arguments)
