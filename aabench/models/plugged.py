"""Residual networks with attention plugged into their blocks (EAN): which module, how it is shared, where it is.

A block gives its residual branch and its shortcut; the attention of its stage, where it is connected, scales the branch
before the two are joined. *Org*: a module for each connected block. *Share*: one for all connected blocks of a stage.
*EAN* is share with a scheme that leaves blocks out. Modules are never shared across stages. A *supernet* has modules
for all blocks, and connects others in each training step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from aabench.layers import CBAM, DenseImplicitAttention, SpatialGroupEnhance, SqueezeExcite
from aabench.layers.dense_implicit_attention import State
from aabench.models.classifier import Staged, initialise
from aabench.models.parts import joint_signature
from aabench.models.scheme import Scheme, bits, flags, from_flags, parse_scheme
from aabench.terms import Size

CONNECTED = 0.5
"""Probability of each connection in a supernet's training step."""
Attention = Callable[[int], nn.Module]
"""channels -> the module that is plugged in."""


class Plug(NamedTuple):
    """What is plugged in, and how.

    Attributes:
        attention: makes the module; None for the plain network.
        sharing: ``org`` or ``share``.
        scheme: as :func:`~aabench.models.scheme.parse_scheme` reads it, or ``random`` for a supernet.
    """

    attention: Attention | None
    sharing: str
    scheme: str


def plug(attention: str, sharing: str, scheme: str, reduction: int, groups: int) -> Plug:
    """Check the arguments of a network, and bring them together.

    Args:
        attention: ``none``, ``se``, ``sge``, ``dia`` or ``cbam``.
        sharing: ``org`` or ``share``.
        scheme: see :mod:`aabench.models.scheme`, or ``random`` for a supernet; ``all`` for the plain network.
        reduction: r of SE, DIA and CBAM.
        groups: of SGE.

    Raises:
        ValueError: no such attention or sharing, DIA in the form org, a scheme without attention.
    """
    known: dict[str, Attention | None] = {
        "none": None,
        "se": lambda channels: SqueezeExcite(channels, reduction),
        "sge": lambda channels: SpatialGroupEnhance(channels, groups),
        "dia": lambda channels: DenseImplicitAttention(channels, reduction),
        "cbam": lambda channels: CBAM(channels, reduction),
    }
    if attention not in known:
        raise ValueError(f"attention is one of {', '.join(known)}, not {attention!r}")
    if sharing not in ("org", "share"):
        raise ValueError(f"sharing is org or share, not {sharing!r}")
    if attention == "dia" and sharing == "org":
        raise ValueError("DIA has no form org: its state runs from block to block; use sharing share")
    if attention == "none" and scheme != "all":
        raise ValueError(f"scheme {scheme!r} says where attention is plugged in, and attention is none")
    return Plug(known[attention], sharing, scheme)


class Block(nn.Module, ABC):
    """A residual block in two parts, between which attention can be plugged in. ``out_channels``: of both parts."""

    out_channels: int

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C_in, H, W) -> residual branch and shortcut, each (N, C_out, H / stride, W / stride)."""

    @abstractmethod
    def join(self, branch: Tensor, shortcut: Tensor) -> Tensor:
        """The block's output. The branch is written over."""


class Stage(nn.Module):
    """The blocks of one stage, and the attention that is plugged into them.

    Args:
        blocks: of equal width.
        attention: makes a module for the stage's width; None for none.
        connected: the blocks that it is plugged into. Modules are made for these only.
        shared: one module for all of them, or one each.

    Attributes:
        connected: as given; it may be changed to leave out some of them.
    """

    def __init__(
        self, blocks: Sequence[Block], attention: Attention | None, connected: tuple[bool, ...], shared: bool
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.out_channels = blocks[-1].out_channels
        self.connected = connected if attention is not None else (False,) * len(blocks)
        self.shared = shared
        self.attention = nn.ModuleDict()
        """``shared``, or by the index of its block."""
        for index, there in enumerate(self.connected):
            if there and attention is not None and self._owner(index) not in self.attention:
                self.attention[self._owner(index)] = attention(blocks[index].out_channels)

    def _owner(self, index: int) -> str:
        return "shared" if self.shared else str(index)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H / stride, W / stride)."""
        state = None
        for index, connected in enumerate(self.connected):
            branch, shortcut = self.blocks[index](x)
            x, state = self.join(index, connected, branch, shortcut, state)
        return x

    def join(
        self, index: int, connected: bool, branch: Tensor, shortcut: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """What a block's two parts become, with its attention or without: the output, and DIA's new state.

        The state runs over connected blocks only, and is None before the first one. The branch is written over.
        """
        if connected:
            module = self.attention[self._owner(index)]
            if isinstance(module, DenseImplicitAttention):
                branch, state = module(branch, state)
            else:
                branch = module(branch)
        block = self.blocks[index]
        assert isinstance(block, Block)
        return block.join(branch, shortcut), state


class Skeleton(NamedTuple):
    """A network without attention.

    Attributes:
        stem: images (N, 3, H, W) -> the first stage's input.
        stages: the blocks of each.
        tail: the last stage's output -> logits (N, num_classes).
    """

    stem: nn.Module
    stages: Sequence[Sequence[Block]]
    tail: nn.Module


class PluggedNetwork(Staged):
    """A skeleton with attention plugged into its blocks.

    A supernet connects all blocks but in training, where :meth:`reconnect` draws the scheme of each step.

    Args:
        skeleton: the network without attention.
        plugged: what is plugged into the blocks.

    Raises:
        ValueError: the scheme does not fit the stages.
    """

    classifier = ("tail",)

    def __init__(self, skeleton: Skeleton, plugged: Plug, *, input_size: Size, num_classes: int) -> None:
        super().__init__(input_size, num_classes)
        self.is_supernet = plugged.scheme == "random"
        scheme = "all" if self.is_supernet else plugged.scheme
        built = parse_scheme(scheme, [len(blocks) for blocks in skeleton.stages])
        shared = plugged.sharing == "share"
        self.stem = skeleton.stem
        self.stages = nn.ModuleList(
            Stage(blocks, plugged.attention, connected, shared)
            for blocks, connected in zip(skeleton.stages, built, strict=True)
        )
        self.tail = skeleton.tail
        self._built = self.scheme
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        last = deque(self.features(x), maxlen=1).pop()
        logits: Tensor = self.tail(last)
        return logits

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """Images (N, 3, H, W), of any size -> the output of stage after stage, as a detector takes them."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            yield x

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each stage's output."""
        return tuple(stage.out_channels for stage in self.stages_in_order)

    def reconnect(self) -> None:
        """Of a supernet, for the next training step: each block is connected with probability 1/2, by torch's global
        generator. In any other network nothing changes.
        """
        if self.is_supernet:
            row = torch.rand(sum(self.depths)) < CONNECTED
            self.scheme = from_flags(row.tolist(), self.depths)

    def train(self, mode: bool = True) -> Self:
        """Sets the mode; a supernet that leaves training connects all blocks again."""
        if self.is_supernet and not mode:
            self.scheme = self._built
        return super().train(mode)

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return tuple(len(stage.connected) for stage in self.stages_in_order)

    @property
    def scheme(self) -> Scheme:
        """The blocks that attention is plugged into now."""
        return tuple(stage.connected for stage in self.stages_in_order)

    @scheme.setter
    def scheme(self, scheme: Scheme) -> None:
        """Connect these blocks only.

        Raises:
            ValueError: it is of other stages, or connects a block that the network was built without attention for.
        """
        if [len(stage) for stage in scheme] != list(self.depths):
            raise ValueError(f"scheme {bits(scheme)} does not fit stages of {', '.join(map(str, self.depths))} blocks")
        if any(asked and not there for asked, there in zip(flags(scheme), flags(self._built), strict=True)):
            raise ValueError(f"scheme {bits(scheme)} connects blocks that {bits(self._built)} was built without")
        for stage, connected in zip(self.stages_in_order, scheme, strict=True):
            stage.connected = connected

    @property
    def stages_in_order(self) -> list[Stage]:
        """The stages, as what they are."""
        return [stage for stage in self.stages if isinstance(stage, Stage)]


class Pluggable:
    """Builds the network of a skeleton, with the arguments of :func:`plug` beside the skeleton's own.

    Args:
        skeleton: ``num_classes=`` and its own keyword arguments -> the network without attention.
    """

    def __init__(self, skeleton: Callable[..., Skeleton]) -> None:
        self._skeleton = skeleton
        self.__signature__ = joint_signature(skeleton, self.__call__)

    def __call__(
        self,
        *,
        input_size: Size,
        num_classes: int,
        attention: str = "none",
        sharing: str = "share",
        scheme: str = "all",
        reduction: int = 16,
        groups: int = 64,
        **own: Any,
    ) -> PluggedNetwork:
        """The network.

        Raises:
            ValueError: an argument that does not fit.
        """
        plugged = plug(attention, sharing, scheme, reduction, groups)
        skeleton = self._skeleton(num_classes=num_classes, **own)
        return PluggedNetwork(skeleton, plugged, input_size=input_size, num_classes=num_classes)
