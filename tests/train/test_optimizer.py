"""SGD, RMSProp and their weight decay groups."""

import pytest
import torch
from torch import nn

from aabench.models import create_model
from aabench.train.optimizer import make_optimizer, parameter_groups
from tests.train.small import recipe


@pytest.fixture(scope="module")
def model():
    arguments = {"depth": 10, "width": 1, "num_heads": 1}
    return create_model("aa_wide_resnet", input_size=8, num_classes=4, device="meta", **arguments)


def names_of(model, parameters):
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    return {name_of[parameter] for parameter in parameters}


def test_norms_and_biases_can_be_spared(model):
    decayed, spared = parameter_groups(model, 0.01, decay_norm_and_bias=False)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.01, 0.0)
    norms = {
        f"{name}.{kind}"
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for kind in ("weight", "bias")
    }
    biases = {name for name, _ in model.named_parameters() if name.endswith("bias")}
    assert names_of(model, spared["params"]) == norms | biases
    assert "layer1.0.conv1.position.row_table" in names_of(model, decayed["params"])


@pytest.mark.parametrize("decay_norm_and_bias", [True, False])
def test_every_trained_parameter_is_in_one_group(model, decay_norm_and_bias):
    groups = parameter_groups(model, 0.01, decay_norm_and_bias)
    parameters = [parameter for group in groups for parameter in group["params"]]
    assert len(parameters) == len(set(parameters))
    assert names_of(model, parameters) == {name for name, _ in model.named_parameters()}


def test_decay_for_all_is_one_group(model):
    (group,) = parameter_groups(model, 0.01, decay_norm_and_bias=True)
    assert group["weight_decay"] == 0.01


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    (group,) = parameter_groups(layer, 0.01, decay_norm_and_bias=False)
    assert names_of(layer, group["params"]) == {"weight"}


@pytest.mark.parametrize(
    ("nesterov", "after"),
    [
        # Gradient 1 + decay 0.5 x 1 = 1.5, twice (the second time at the new weight w: 1 + 0.5 w).
        # Plain: buffer 1.5, w = 1 - 0.15 = 0.85; buffer 0.9 x 1.5 + 1.425 = 2.775, w = 0.85 - 0.2775.
        (False, 0.5725),
        # Nesterov: step 1.5 + 0.9 x 1.5 = 2.85, w = 0.715; gradient 1.3575, buffer 2.7075,
        # step 1.3575 + 0.9 x 2.7075 = 3.79425, w = 0.715 - 0.379425.
        (True, 0.335575),
    ],
)
def test_two_steps_by_hand(nesterov, after):
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    optimizer = make_optimizer(layer, recipe(nesterov=nesterov, weight_decay=0.5, momentum=0.9), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.ones(1, 1)).sum().backward()
        optimizer.step()
    assert layer.weight.item() == pytest.approx(after, abs=1e-6)


def test_two_steps_of_rmsprop_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    chosen = recipe(optimizer="rmsprop", mean_square_decay=0.75, epsilon=0.25, momentum=0.5, weight_decay=0.5)
    optimizer = make_optimizer(layer, chosen, lr=0.1)
    after = []
    for slope in (1.5, 1.0):
        optimizer.zero_grad()
        (slope * layer(torch.ones(1, 1))).sum().backward()
        optimizer.step()
        after.append(layer.weight.item())
    # Gradient 1.5 + decay 0.5 x 1 = 2; mean square 0.25 x 4 = 1; 2 / (1 + 0.25) = 1.6; w = 1 - 0.16.
    # Gradient 1 + 0.5 x 0.84 = 1.42; mean square 0.75 + 0.25 x 2.0164 = 1.2541, root 1.119866;
    # 1.42 / 1.369866 = 1.036598; buffer 0.5 x 1.6 + 1.036598 = 1.836598; w = 0.84 - 0.1836598.
    assert after == [pytest.approx(0.84, abs=1e-6), pytest.approx(0.6563402, abs=1e-5)]
