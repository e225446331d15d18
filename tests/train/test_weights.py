"""Weights of whatever origin into a model: all of them, or none and a list of what does not fit."""

import json

import pytest
import torch
from torch import nn

from aabench.alter import read_changes
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.train import load_weights


def net(num_classes=10, channels=4):
    model = nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.Flatten(), nn.Linear(8, num_classes))
    model.num_classes = num_classes
    return model


@pytest.fixture
def file(tmp_path):
    return tmp_path / "w.pt"


def assert_same(model, other):
    for name, value in other.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("entry", [None, "state_dict", "model", "ema"])
def test_wrappings(file, prefix, entry):
    source, model = net(), net()
    weights = {prefix + name: value for name, value in source.state_dict().items()}
    torch.save(weights if entry is None else {entry: weights, "epoch": 3, "note": "x"}, file)
    assert load_weights(model, file) == (entry or "state dict")
    assert_same(model, source)


def test_averaged_weights_come_first(file):
    plain, averaged, model = net(), net(), net()
    torch.save({"model": plain.state_dict(), "ema": averaged.state_dict()}, file)
    assert load_weights(model, file) == "ema"
    assert_same(model, averaged)


def test_no_averaged_weights_is_no_weights(file):
    plain, model = net(), net()
    torch.save({"model": plain.state_dict(), "ema": None}, file)
    assert load_weights(model, file) == "model"
    assert_same(model, plain)


def test_old_files_without_batch_counters(file):
    source, model = net(), net()
    torch.save({k: v for k, v in source.state_dict().items() if "num_batches" not in k}, file)
    load_weights(model, file)
    assert torch.equal(model[0].weight, source[0].weight)


def test_whatever_does_not_fit_is_listed_and_nothing_is_loaded(file):
    weights = net().state_dict()
    weights["extra.weight"] = weights.pop("0.bias")
    weights["3.weight"] = torch.zeros(10, 9)
    torch.save({"state_dict": weights}, file)
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(AABenchError) as caught:
        load_weights(model, file)
    assert str(caught.value).startswith(
        f"{file} does not fit the model: 1 missing (0.bias); 1 unexpected (extra.weight); "
        "1 mis-shaped (3.weight (10, 9) instead of (10, 8)); "
    )
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_long_lists_are_cut_and_counted(file):
    torch.save({f"layer{number}": torch.zeros(1) for number in range(13)}, file)
    with pytest.raises(AABenchError, match=r"13 unexpected \(layer0, .*layer9, and 3 more\)") as caught:
        load_weights(net(), file)
    assert "layer10" not in str(caught.value)


def test_another_class_count_has_its_own_line(file):
    torch.save(net(num_classes=10).state_dict(), file)
    with pytest.raises(AABenchError, match="is for 10 classes and the task's data set has 100"):
        load_weights(net(num_classes=100), file)


def test_another_class_count_of_a_real_model(file):
    torch.save(create_model("resnet20_cifar", input_size=32, num_classes=10).state_dict(), file)
    with pytest.raises(AABenchError, match="is for 10 classes and the task's data set has 100"):
        load_weights(create_model("resnet20_cifar", input_size=32, num_classes=100), file)


def test_another_width_is_no_matter_of_classes(file):
    torch.save(net(channels=6).state_dict(), file)
    with pytest.raises(AABenchError, match=r"6 mis-shaped \(0.weight \(6, 3, 3, 3\) instead of \(4, 3, 3, 3\)"):
        load_weights(net(channels=4), file)


@pytest.mark.parametrize(
    ("content", "got"),
    [([1, 2], "a list"), (torch.zeros(2), "a Tensor"), ({}, "nothing in it"), ({"epoch": 3}, "a dict with epoch")],
)
def test_what_holds_no_weights(file, content, got):
    torch.save(content, file)
    with pytest.raises(AABenchError, match=f"holds no weights: .*got .*{got}"):
        load_weights(net(), file)


BOTTLENECKS = {"input_size": 32, "num_classes": 7, "depth": 11, "width": 16}


def aw(**arguments):
    """A network of three bottlenecks with AW-convolutions."""
    return create_model("aw_plugged_cifar_resnet", **BOTTLENECKS, **arguments)


@pytest.mark.parametrize(
    ("theirs", "own", "said", "change"),
    [
        ({"aw_reduction": 8}, {}, "reduction 8 instead of 16", "--set aw_reduction=8"),
        ({}, {"aw_reduction": 8}, "reduction 16 instead of 8", "--set aw_reduction=16"),
        ({"aw_expansion": "output"}, {}, "expansion output instead of input", "--set aw_expansion=output"),
        ({"aw_expansion": "none"}, {}, "expansion none instead of input", "--set aw_expansion=none"),
        ({"aw_gate": "none"}, {}, "gate none instead of sigmoid", "--set aw_gate=none"),
        ({"aw_gate": "tanh"}, {"aw_gate": "none"}, "gate tanh instead of none", "--set aw_gate=tanh"),
        ({"aw_residual": False}, {}, "residual false instead of true", "--set aw_residual=false"),
        ({"aw_norm": True}, {}, "norm true instead of false", "--set aw_norm=true"),
        ({}, {"aw_bias": True}, "bias false instead of true", "--set aw_bias=false"),
        ({"aw_placement": "all"}, {}, "placement all instead of 3x3", "--set aw_placement=all"),
        ({}, {"aw_placement": "all"}, "placement 3x3 instead of all", "--set aw_placement=3x3"),
        (
            {"aw_gate": "none", "aw_placement": "all", "aw_norm": True},
            {"aw_reduction": 4},
            "placement all instead of 3x3, reduction 16 instead of 4, gate none instead of sigmoid, "
            "norm true instead of false",
            "--set aw_placement=all --set aw_reduction=16 --set aw_gate=none --set aw_norm=true",
        ),
    ],
)
def test_weights_of_another_setting_of_aw_convolution(file, theirs, own, said, change):
    made, model = aw(**theirs), aw(**own)
    torch.save({"module." + name: value for name, value in made.state_dict().items()}, file)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(AABenchError) as caught:
        load_weights(model, file)
    assert str(caught.value) == (
        f"{file} is for other settings of AW-convolution: {said}; build the model with them ({change}), "
        "or give weights of this setting"
    )
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    rebuilt = aw(**{**own, **read_changes(change.removeprefix("--set ").split(" --set "))})
    load_weights(rebuilt, file)
    assert_same(rebuilt, made)


def test_the_placement_is_no_difference_where_there_are_no_1x1_convolutions(file):
    made, model = (
        create_model("aw_resnet18", input_size=32, num_classes=7, width=16, aw_placement=placement)
        for placement in ("all", "3x3")
    )
    torch.save(made.state_dict(), file)
    load_weights(model, file)
    assert_same(model, made)


def test_plain_weights_and_aw_convolutions(file):
    plain, model = create_model("plugged_cifar_resnet", **BOTTLENECKS), aw()
    torch.save(plain.state_dict(), file)
    with pytest.raises(AABenchError, match="the model has 3 AW-convolutions where these weights have plain ones; give"):
        load_weights(model, file)
    torch.save(model.state_dict(), file)
    with pytest.raises(AABenchError, match="these weights have 3 AW-convolutions where the model has plain ones; give"):
        load_weights(plain, file)


def test_weights_of_another_network_with_aw_convolutions(file):
    # Both have a layer1.0.conv1: of 3x3 there, and attended; of 1x1 here, and not.
    there = create_model("aw_resnet18", input_size=32, num_classes=7, width=16)
    torch.save(there.state_dict(), file)
    here = create_model("aw_resnet50", input_size=32, num_classes=7, width=16, device="meta")
    with pytest.raises(AABenchError, match=r"does not fit the model: \d+ missing .*; \d+ unexpected"):
        load_weights(here, file)


def test_the_settings_alone_may_be_written_otherwise(file):
    made, model = aw(aw_gate="tanh"), aw(aw_gate="tanh")
    weights = made.state_dict()
    name = "stages.0.blocks.0.conv2._extra_state"
    settings = json.loads(bytes(weights[name].tolist()))
    weights[name] = as_state(json.dumps(settings, indent=1, sort_keys=True))
    assert len(weights[name]) != len(made.state_dict()[name])
    torch.save(weights, file)
    load_weights(model, file)
    assert_same(model, made)


def as_state(text):
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (torch.tensor([1, 200, 3], dtype=torch.uint8), "no JSON text"),
        (torch.tensor([], dtype=torch.uint8), "no JSON text"),
        (torch.tensor([0.5]), "no JSON text"),
        (torch.tensor([300]), "no JSON text"),
        (as_state('{"reduction": 16'), "no JSON text"),
        (as_state("[16]"), "not of an AWConv2d's settings (reduction, expansion, gate, residual, branch_norm"),
        (as_state('{"reduction": 16}'), "not of an AWConv2d's settings"),
    ],
)
def test_a_damaged_setting_is_one_line(file, state, said):
    weights = aw().state_dict()
    weights["stages.2.blocks.0.conv2._extra_state"] = state
    torch.save(weights, file)
    model = aw()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(AABenchError) as caught:
        load_weights(model, file)
    text = str(caught.value)
    assert text.startswith(f"{file} is damaged: of stages.2.blocks.0.conv2, the extra state is {said}")
    assert "\n" not in text
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_weights_that_do_not_say_their_settings_are_listed_as_such(file):
    weights = aw().state_dict()
    del weights["stages.0.blocks.0.conv2._extra_state"]
    torch.save(weights, file)
    with pytest.raises(
        AABenchError, match=r"does not fit the model: 1 missing \(stages.0.blocks.0.conv2._extra_state\); give"
    ):
        load_weights(aw(), file)
