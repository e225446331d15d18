"""The adapter: a TOML file, data and no code, that tells the audit how to build a layer and read its weights."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aabench.errors import AABenchError

Word = Literal[
    "in_channels",
    "out_channels",
    "kernel_size",
    "padding",
    "dk",
    "dv",
    "dk_per_head",
    "dv_per_head",
    "kappa",
    "upsilon",
    "num_heads",
    "height",
    "width",
    "side",
    "feature_size",
    "relative",
]
"""What the audit can put into a constructor's argument; ``side`` is the one number of a layer for square maps."""

Literals = bool | int | float | str | list[int]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Switch(_Part):
    """An argument that turns relative positions on and off by values of its own."""

    on: Literals
    off: Literals


class Weights(_Part):
    """Dotted names of modules (with a ``weight``) or parameters. What the layer lacks is left out.

    ``qkv`` is one projection whose output channels come in ``order``; or ``q``, ``k`` and ``v`` stand apart.
    """

    qkv: str | None = None
    q: str | None = None
    k: str | None = None
    v: str | None = None
    order: Literal["qkv", "qvk", "kqv", "kvq", "vqk", "vkq"] = "qkv"
    output: str | None = None
    conv: str | None = None
    row_table: str | None = None
    column_table: str | None = None
    table_layout: Literal["offset-channel", "channel-offset", "head-offset-channel"] = "offset-channel"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        apart = [self.q, self.k, self.v]
        if self.qkv is None and None in apart:
            raise ValueError("name qkv, or all of q, k and v")
        if self.qkv is not None and apart != [None, None, None]:
            raise ValueError("name qkv, or q, k and v, not both")
        if (self.row_table is None) != (self.column_table is None):
            raise ValueError("name row_table and column_table, or neither")
        return self


class Trial(_Part):
    """The layer that is built: small, with channels that tell heads, keys and values apart. All of it is ours."""

    in_channels: int = Field(default=10, ge=1)
    out_channels: int = Field(default=24, ge=1)
    kernel_size: int = Field(default=3, ge=1)
    num_heads: int = Field(default=3, ge=1)
    dk: int = Field(default=18, ge=1)
    dv: int = Field(default=12, ge=1)

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.dk % self.num_heads or self.dv % self.num_heads:
            raise ValueError(f"{self.num_heads} heads do not divide dk = {self.dk} and dv = {self.dv}")
        if self.dv > self.out_channels:
            raise ValueError(f"dv = {self.dv} of {self.out_channels} output channels")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size = {self.kernel_size} is even; only odd ones keep a map's size")
        return self


class Adapter(_Part):
    """How to build a layer and read its weights.

    Args:
        constructor: the layer's argument -> what the audit puts there; for relative positions also a :class:`Switch`.
        fixed: the layer's argument -> its value, whatever the audit does.
        weights: where the weights are.
        trial: other channels than the audit's own, for a layer that does not take those.
    """

    constructor: dict[str, Word | Switch]
    fixed: dict[str, Literals] = Field(default_factory=dict)
    weights: Weights
    trial: Trial = Trial()

    @model_validator(mode="after")
    def _once(self) -> Self:
        if twice := sorted(self.constructor.keys() & self.fixed.keys()):
            raise ValueError(f"{', '.join(twice)} stands in [constructor] and in [fixed]")
        return self

    @property
    def switches_relative(self) -> bool:
        """Whether relative positions can be turned off."""
        return any(what == "relative" or isinstance(what, Switch) for what in self.constructor.values())


def load_adapter(path: Path) -> Adapter:
    """Read an adapter.

    Raises:
        AABenchError: it cannot be read, or has a fault; names file and key.
    """
    try:
        return Adapter.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AABenchError(f"adapter {path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "adapter"
        raise AABenchError(f"adapter {path}: {key}: {first['msg'].removeprefix('Value error, ')}") from error
