"""A detector's backbone: a classifier of this registry without its classifier, whose stages give their outputs.

Offered are the residual networks with ImageNet's stem, whose four stages have strides 4, 8, 16 and 32: plain, gated,
augmented (AA), plugged (EAN) and, of each, the form with AW-convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from aabench.layers import AAConv2d
from aabench.models import attention_weighted, plugged_resnet, resnet
from aabench.models.classifier import Staged
from aabench.models.parts import Network, joint_signature
from aabench.models.plugged import PluggedNetwork
from aabench.terms import Size

STRIDES = (4, 8, 16, 32)
"""Pixels between the cells of each stage's output."""
NORMS = ("batch", "frozen")

_WITHOUT_AW: dict[str, Network] = {
    **resnet.NETWORKS,
    **{name: plugged_resnet.NETWORKS[name] for name in ("plugged_resnet50", "plugged_resnet101")},
}
BACKBONES: dict[str, Network] = {
    **_WITHOUT_AW,
    **{name: attention_weighted.NETWORKS[name] for name in (f"aw_{own}" for own in _WITHOUT_AW)},
}
"""Name of the classifier -> its builder."""
ANY_SIZE: dict[str, Network] = {
    name: network for name, network in BACKBONES.items() if not name.removeprefix("aw_").startswith("aa_")
}
"""Those of them that take images of any size: whose :class:`Backbone` is not ``is_bound``, told without building it."""


class Backbone(nn.Module):
    """The stages of a classifier.

    Args:
        body: the classifier; what only its classifier needs is taken out of it.
        norm: ``batch``, or ``frozen``: its batch normalisations have no parameters and no running means, but constants.

    Raises:
        ValueError: no such norm; a supernet, whose scheme changes from step to step.
    """

    def __init__(self, body: Staged, norm: str) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm is one of {', '.join(NORMS)}, not {norm!r}")
        if isinstance(body, PluggedNetwork) and body.is_supernet:
            raise ValueError("a detector's backbone has one scheme; scheme random is for a search of classifiers")
        for name in body.classifier:
            delattr(body, name)
        if norm == "frozen":
            _freeze(body)
        self.body = body
        self.channels = body.channels
        self.is_bound = any(isinstance(module, AAConv2d) for module in body.modules())
        """Whether it takes images of one size only: AA's tables and encodings are made for one map size."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) -> the outputs of the four stages, (N, channels[i], ceil(H / 4), ceil(W / 4)) first.

        Raises:
            ValueError: images of another size than an augmented network was built for.
        """
        if self.is_bound and tuple(x.shape[-2:]) != tuple(self.body.input_size):
            built, given = ("x".join(map(str, size)) for size in (self.body.input_size, x.shape[-2:]))
            raise ValueError(
                f"this backbone's attention was built for images of {built} pixels and got {given}: "
                "create it with that input_size, or resize or pad the images to its own"
            )
        return tuple(self.body.features(x))


def _freeze(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            setattr(module, name, FrozenBatchNorm2d(child.num_features, child.eps))
        else:
            _freeze(child)


def build_backbone(network: Network, input_size: Size, norm: str, arguments: dict[str, Any]) -> Backbone:
    """The backbone of a classifier.

    Args:
        network: of :data:`BACKBONES`.
        input_size: (H, W) of the images.
        norm: see :class:`Backbone`.
        arguments: the network's own.

    Raises:
        ValueError: an argument that does not fit.
    """
    body = network(input_size=input_size, num_classes=1, **arguments)  # the classifier is taken out again
    assert isinstance(body, Staged)
    return Backbone(body, norm)


class OnBackbone:
    """Builds a detector on the backbone of a classifier, with the backbone's arguments beside its own.

    Args:
        detector: (network, *, input_size, num_classes, arguments of its own) -> the detector; it passes others on.
        network: builds the classifier.
    """

    def __init__(self, detector: Callable[..., nn.Module], network: Network) -> None:
        self._build = partial(detector, network)
        joint = joint_signature(network, self._build)
        known = [parameter for name, parameter in joint.parameters.items() if name != "stem"]  # always ImageNet's
        self.__signature__ = joint.replace(parameters=known)

    def __call__(self, **arguments: Any) -> nn.Module:
        """The detector.

        Raises:
            ValueError: an argument that does not fit.
        """
        return self._build(**arguments)
