"""ResNet-18 attention augmented: the networks of EAANet's abstract (sheet eaanet.md, sections 1 and 2).

The paper's body is not at hand. What is augmented, and how, is the sheet's own choice (`derived`): both 3x3
convolutions of every block in the last three stages, at full resolution, kappa = v = 0.25, 8 heads, and no least key
channels.
"""

from __future__ import annotations

from aabench.models.parts import Network, augmented, conv3x3, no_gate
from aabench.models.resnet import BasicBlock, ResNet
from aabench.terms import Size


class BothConvsBlock(BasicBlock):
    """Both of its 3x3 convolutions may be augmented."""

    second_augmented = True


def _aa_resnet18(
    *,
    input_size: Size,
    num_classes: int,
    width: int = 64,
    stem: str = "imagenet",
    kappa: float = 0.25,
    upsilon: float = 0.25,
    num_heads: int = 8,
    min_key_channels: int = 0,
    position: str = "relative",
    pooled: bool = False,
    mechanism: str = "exact",
    mechanism_size: int | None = None,
    attention: str = "auto",
) -> ResNet:
    conv = augmented(
        kappa=kappa,
        upsilon=upsilon,
        num_heads=num_heads,
        min_key_channels=min_key_channels,
        position=position,
        pooled=pooled,
        mechanism=mechanism,
        mechanism_size=mechanism_size,
        attention=attention,
    )
    return ResNet(
        BothConvsBlock,
        (2, 2, 2, 2),
        (conv3x3, conv, conv, conv),
        no_gate,
        no_gate,
        width=width,
        stem=stem,
        input_size=input_size,
        num_classes=num_classes,
    )


NETWORKS: dict[str, Network] = {"aa_resnet18": _aa_resnet18}
