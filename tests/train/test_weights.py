"""Weights of whatever origin into a model: all of them, or none and a list of what does not fit."""

import pytest
import torch
from torch import nn

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
