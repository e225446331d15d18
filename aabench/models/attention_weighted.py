"""Residual networks with AW-convolutions (awconv.md) in the place of the convolutions of their blocks.

What else a network has stays as it is: a gate of Squeeze-and-Excite, CBAM, BAM or SGE, and of an attention augmented
convolution the attention branch, whose convolution branch is attended. Stem and shortcuts are not. The names of all
arguments of :class:`~aabench.layers.AWConv2d` begin with ``aw_`` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from torch import nn

from aabench.layers import AAConv2d, AWConv2d
from aabench.layers.attention_weighted import EXPANSIONS, GATES
from aabench.models import eaa_resnet, plugged_preresnet, plugged_resnet, resnet, wide_resnet
from aabench.models.classifier import initialise
from aabench.models.parts import Network, joint_signature
from aabench.models.plugged import Block
from aabench.models.resnet import BasicBlock, Bottleneck
from aabench.models.wide_resnet import WideBlock
from aabench.terms import Size

BLOCKS = (BasicBlock, Bottleneck, WideBlock, Block)
"""Their own convolutions are attended."""

PLACEMENTS = {"3x3": ((3, 3),), "all": ((1, 1), (3, 3))}
"""Name -> the kernels that are attended."""

GRID: Mapping[str, tuple[int | bool | str, ...]] = {
    "aw_reduction": (16, 4, 8, 32),
    "aw_expansion": EXPANSIONS,
    "aw_norm": (False, True),
    "aw_bias": (False, True),
    "aw_placement": tuple(PLACEMENTS),
}
"""Argument -> the values in question (awconv.md, section 2, table), our default first. Each changes what is counted."""

WITHOUT_TRACE: Mapping[str, tuple[bool | str, ...]] = {"aw_gate": tuple(GATES), "aw_residual": (True, False)}
"""Likewise, of the arguments that change neither parameters nor multiply-adds."""

ARGUMENTS = {
    "reduction": "aw_reduction",
    "expansion": "aw_expansion",
    "gate": "aw_gate",
    "residual": "aw_residual",
    "branch_norm": "aw_norm",
    "branch_bias": "aw_bias",
}
"""Setting of an AWConv2d -> the argument of a network that it comes from."""


class Weighted:
    """Builds a network with AW-convolutions, with their options beside the network's own arguments.

    Args:
        network: builds the network without.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.__signature__ = joint_signature(network, self.__call__)

    def __call__(
        self,
        *,
        input_size: Size,
        num_classes: int,
        aw_reduction: int = 16,
        aw_expansion: str = "input",
        aw_gate: str = "sigmoid",
        aw_residual: bool = True,
        aw_norm: bool = False,
        aw_bias: bool = False,
        aw_placement: str = "3x3",
        **own: Any,
    ) -> nn.Module:
        """The network. With equal seeds, what it shares with the network without begins with the same weights.

        Raises:
            ValueError: an argument that does not fit.
        """
        if aw_placement not in PLACEMENTS:
            raise ValueError(f"aw_placement is one of {', '.join(PLACEMENTS)}, not {aw_placement!r}")
        network = self._network(input_size=input_size, num_classes=num_classes, **own)
        options = {
            "reduction": aw_reduction,
            "expansion": aw_expansion,
            "gate": aw_gate,
            "residual": aw_residual,
            "branch_norm": aw_norm,
            "branch_bias": aw_bias,
        }
        for block in [module for module in network.modules() if isinstance(module, BLOCKS)]:
            for name, module in block.named_children():
                if isinstance(module, AAConv2d) and module.conv is not None:
                    module.conv = _attended(module.conv, options)
                elif name != "downsample" and _is_placed(module, aw_placement):
                    setattr(block, name, _attended(module, options))
        return network


def _is_placed(module: nn.Module, placement: str) -> TypeGuard[nn.Conv2d]:
    return isinstance(module, nn.Conv2d) and module.kernel_size in PLACEMENTS[placement]


def _attended(conv: nn.Conv2d, options: dict[str, Any]) -> AWConv2d:
    """The same convolution, with its weights, attended."""
    attended = AWConv2d(
        conv.in_channels,
        conv.out_channels,
        _pair(conv.kernel_size),
        _pair(conv.stride),
        conv.padding if isinstance(conv.padding, str) else _pair(conv.padding),
        _pair(conv.dilation),
        conv.groups,
        conv.bias is not None,
        conv.padding_mode,
        **options,
    )
    attended.weight, attended.bias = conv.weight, conv.bias
    initialise(attended.attention)
    return attended


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = sizes
    return rows, columns


NETWORKS: dict[str, Network] = {
    f"aw_{name}": Weighted(network)
    for known in (eaa_resnet, plugged_preresnet, plugged_resnet, resnet, wide_resnet)
    for name, network in known.NETWORKS.items()
}
"""A form with AW-convolutions of each network that is made of these blocks."""
