"""SGD or RMSProp over the model's parameters, in groups with and without weight decay."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from aabench.catalog import Recipe


def make_optimizer(model: nn.Module, recipe: Recipe, lr: float) -> torch.optim.Optimizer:
    """The recipe's optimizer, at the (peak) learning rate ``lr``.

    RMSProp is torch's: the mean square starts at 0, and epsilon is added to its root.
    """
    groups = parameter_groups(model, recipe.weight_decay, recipe.decay_norm_and_bias)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=recipe.momentum, nesterov=recipe.nesterov)
    assert recipe.mean_square_decay is not None  # the recipe was checked for them
    assert recipe.epsilon is not None
    return torch.optim.RMSprop(
        groups, lr=lr, alpha=recipe.mean_square_decay, eps=recipe.epsilon, momentum=recipe.momentum
    )


def parameter_groups(model: nn.Module, weight_decay: float, decay_norm_and_bias: bool) -> list[dict[str, Any]]:
    """All parameters that are trained, each in one group.

    Without ``decay_norm_and_bias`` those with one dimension (biases, and the scales and shifts of normalisation) get
    no weight decay. AA's relative position tables have two dimensions and are decayed like any other weight; the
    papers do not say.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if decay_norm_and_bias:
        return [{"params": parameters, "weight_decay": weight_decay}]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
