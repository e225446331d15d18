"""Every network of the registry: its published size, its shapes, its errors."""

import pytest
import torch
import torchvision
from torch import nn

from aabench.errors import AABenchError
from aabench.layers import BAM, CBAM, GALA
from aabench.models import (
    attention_weighted,
    cifar_resnet,
    create_model,
    eaa_resnet,
    faster_rcnn,
    list_models,
    mnasnet,
    plugged_preresnet,
    plugged_resnet,
    resnet,
    retinanet,
    squeezenet,
    wide_resnet,
)
from aabench.models.registry import DETECTORS

CLASSIFIERS = [name for name in list_models() if name not in DETECTORS]
"""Detectors have files of their own."""
SMALL = {
    "plugged_resnext": {"depth": 11, "cardinality": 2, "base_width": 8},
    "plugged_wide": {"depth": 10, "width": 1},
    "plugged_cifar": {"depth": 11, "width": 16},
    "plugged_pre": {"depth": 11, "width": 16},
    "squeezenet": {},
    "wide": {"depth": 10, "width": 2},
    "cifar": {},
    "mnasnet": {"width": 0.25},
    "resnet": {"width": 16},
}
AA_SMALL = {"num_heads": 1}


def small(name, size=32):
    arguments = next(arguments for kind, arguments in SMALL.items() if kind in name)
    return create_model(
        name, input_size=size, num_classes=7, **arguments, **(AA_SMALL if name.startswith(("aa", "aw_aa")) else {})
    )


def parameters(name, input_size=224, num_classes=1000, **arguments):
    model = create_model(name, input_size=input_size, num_classes=num_classes, device="meta", **arguments)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_forward_and_every_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    model = small(name)
    out = model(torch.randn(2, 3, 32, 32))
    assert out.shape == (2, 7)
    out.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_builds_on_meta(name):
    model = create_model(name, input_size=64, num_classes=10, device="meta")
    assert all(p.is_meta for p in model.parameters())
    assert model(torch.empty(3, 3, 64, 64, device="meta")).shape == (3, 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("resnet34", 21_797_672), ("resnet50", 25_557_032), ("resnet101", 44_549_160), ("resnet152", 60_192_808)],
)
def test_plain_networks_have_torchvisions_parameters(name, expected):
    assert parameters(name) == expected


def test_squeezenet_has_torchvisions_parameters_and_its_least_size():
    assert parameters("squeezenet1_0") == 1_248_424
    assert create_model("squeezenet1_0", input_size=21, num_classes=7).eval()(torch.randn(1, 3, 21, 21)).shape == (1, 7)
    with pytest.raises(AABenchError, match=r"squeezenet1_0 at 20x21 pixels: .* at least 21 pixels a side"):
        create_model("squeezenet1_0", input_size=(20, 21), num_classes=7)


def test_resnet34_with_a_projection_in_every_group():
    assert parameters("resnet34", extra_projection=True) == 21_797_672 + 64 * 64 + 2 * 64


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "squeezenet1_0"])
def test_plain_networks_compute_what_torchvision_computes(name):
    torch.manual_seed(0)
    oracle = torchvision.models.get_model(name, num_classes=10).eval()
    model = create_model(name, input_size=64, num_classes=10).eval()
    model.load_state_dict(oracle.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), oracle(x))


@pytest.mark.parametrize(
    ("name", "arguments", "millions"),
    [
        ("aa_resnet34", {"extra_projection": True}, 20.749),
        ("aa_resnet50", {}, 25.809),
        ("aa_resnet101", {}, 45.387),
        ("aa_resnet152", {}, 61.614),
        ("aa_resnet50", {"kappa": 0.25, "upsilon": 0.25}, 24.304),
        ("aa_resnet50", {"kappa": 0.5, "upsilon": 0.5}, 22.343),
        ("aa_resnet50", {"kappa": 0.75, "upsilon": 0.75}, 20.735),
        ("aa_resnet50", {"kappa": 1.0, "upsilon": 1.0}, 19.384),
        ("se_resnet50", {"gate_bias": True}, 28.088),
        ("se_resnet101", {"gate_bias": True}, 49.327),
    ],
)
def test_imagenet_parameters_of_the_sheet(name, arguments, millions):
    assert round(parameters(name, **arguments) / 1e6, 3) == millions


@pytest.mark.parametrize(
    ("name", "arguments", "millions"),
    [
        ("wide_resnet", {}, 36.278),
        ("ge_wide_resnet", {}, 36.278),
        ("aa_wide_resnet", {}, 36.054),
        ("aa_wide_resnet", {"kappa": 0.1, "upsilon": 0.05, "num_heads": 4}, 36.170),
    ],
)
def test_wide_resnet_parameters_of_the_sheet(name, arguments, millions):
    assert round(parameters(name, 32, 100, **arguments) / 1e6, 3) == millions


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("se_resnet50", {"gate_bias": True}, 28_088_024),
        ("cbam_resnet50", {}, 28_089_624),
        ("bam_resnet50", {}, 25_915_099),
        # SE with biases; the local path in 16 blocks of 15,104 channels, 944 hidden ones in all: sum of C^2 / 16
        # weights and 944 biases, then 944 weights and 16 biases; a and m, 15,104 each. Printed as 29.4 M.
        ("gala_resnet50", {}, 28_088_024 + 1_257_472 + 944 + 944 + 16 + 2 * 15_104),
    ],
)
def test_gated_resnet50s_have_their_known_parameters(name, arguments, expected):
    assert parameters(name, **arguments) == expected


@pytest.mark.parametrize(("name", "layer"), [("cbam_resnet50", CBAM), ("gala_resnet50", GALA)])
def test_a_gate_ends_every_block(name, layer):
    model = create_model(name, input_size=224, num_classes=10, device="meta")
    found = [n for n, m in model.named_modules() if isinstance(m, layer)]
    stages = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
    assert found == [f"{stage}.{block}.gate" for stage, blocks in stages.items() for block in range(blocks)]


def test_galas_gates_start_open():
    model = small("gala_resnet50")
    x = torch.randn(2, 64, 4, 4)
    for block in model.layer1:
        torch.testing.assert_close(block.gate(x), 0.7615942 * x)  # tanh(1)


def test_bam_stands_between_the_stages():
    model = create_model("bam_resnet50", input_size=64, num_classes=10)
    seen = []
    for name, module in model.named_modules():
        if (name.startswith("layer") and "." not in name) or isinstance(module, BAM):
            module.register_forward_pre_hook(lambda m, args, name=name: seen.append((name, tuple(args[0].shape[1:]))))
    model.eval()(torch.zeros(1, 3, 64, 64))
    assert seen == [
        ("layer1", (64, 16, 16)),
        ("gate1", (256, 16, 16)),
        ("layer2", (256, 16, 16)),
        ("gate2", (512, 8, 8)),
        ("layer3", (512, 8, 8)),
        ("gate3", (1024, 4, 4)),
        ("layer4", (1024, 4, 4)),
    ]


def test_attention_sits_where_the_paper_puts_it():
    model = create_model("aa_resnet50", input_size=224, num_classes=10, device="meta")
    augmented = {n: m.attention_size for n, m in model.named_modules() if hasattr(m, "attention_size")}
    stages = [name.split(".")[0] for name in augmented]
    assert {s: stages.count(s) for s in stages} == {"layer2": 4, "layer3": 6, "layer4": 3}
    assert all(name.endswith("conv2") for name in augmented)
    assert set(augmented.values()) == {(14, 14), (7, 7)}
    assert augmented["layer2.0.conv2"] == (14, 14)
    basic = create_model("aa_resnet34", input_size=224, num_classes=10, device="meta")
    assert all(n.endswith("conv1") for n, m in basic.named_modules() if hasattr(m, "attention_size"))


def test_wide_resnet_attends_without_pooling_in_every_block():
    model = create_model("aa_wide_resnet", input_size=32, num_classes=100, device="meta")
    sizes = [m.attention_size for m in model.modules() if hasattr(m, "attention_size")]
    assert sizes == [(32, 32)] * 4 + [(16, 16)] * 4 + [(8, 8)] * 4


def test_non_square_input():
    model = small("aa_resnet50", size=(64, 96))
    assert model(torch.randn(1, 3, 64, 96)).shape == (1, 7)


def test_another_size_is_an_error_that_names_both():
    with pytest.raises(ValueError, match="built for 32x32 images and got 64x48"):
        small("aa_resnet50")(torch.randn(1, 3, 64, 48))


def test_no_two_networks_have_one_name():
    modules = (
        attention_weighted,
        cifar_resnet,
        eaa_resnet,
        faster_rcnn,
        mnasnet,
        plugged_preresnet,
        plugged_resnet,
        resnet,
        retinanet,
        squeezenet,
        wide_resnet,
    )
    assert sum(len(module.NETWORKS) for module in modules) == len(list_models())


def test_wildcards():
    assert list_models("aa_resnet*") == ["aa_resnet101", "aa_resnet152", "aa_resnet18", "aa_resnet34", "aa_resnet50"]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("aa_resnet51", {}, r"unknown model 'aa_resnet51'; did you mean aa_resnet50"),
        ("resnet50", {"kappa": 0.2}, "resnet50 takes no argument 'kappa'; it takes width, extra_projection, stem$"),
        (
            "resnet50",
            {"gate": nn.Identity},
            "no argument 'gate'; it takes width, extra_projection, stem$",
        ),
        ("aa_resnet50", {"kappa": "abc"}, "model aa_resnet50: kappa='abc': Input should be a valid number"),
        ("aa_resnet18", {"pooled": "false"}, "model aa_resnet18: pooled='false': Input should be a valid boolean"),
        (
            "aa_resnet18",
            {"mechanism_size": 2.5},
            r"mechanism_size=2\.5: Input should be a valid integer",
        ),
        ("aa_resnet50", {"num_heads": 0}, "num_heads is at least 1, not 0"),
        ("aa_mnasnet_a1", {"num_heads": 0}, "num_heads is at least 1, not 0"),
        ("aa_resnet50", {"kappa": -1.0, "min_key_channels": -5}, "kappa=-1.0, upsilon=0.1 of .* each must be at least"),
        ("aa_resnet50", {"width": 4}, "aa_resnet50 at 32x32 pixels: kappa=0.2, upsilon=0.1 of 8 channels in 8 heads"),
        ("wide_resnet", {"depth": 27}, r"6 n \+ 4 layers, not 27"),
    ],
)
def test_wrong_requests(name, arguments, message):
    with pytest.raises(AABenchError, match=message):
        create_model(name, input_size=32, num_classes=10, **arguments)
