"""Sweep: how networks have to be profiled for the claims on their cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aabench.catalog.schema import Frozen, Name


class Sweep(Frozen):
    """How networks are profiled, in eager execution. Every setting has a source: a place in a sheet, or ``ours``."""

    name: Name
    mode: Literal["infer", "forward", "train"]
    """``infer`` (a forward pass in evaluation mode), ``forward`` (one in train mode) or ``train`` (a whole step)."""
    batch: Annotated[int, Field(gt=0)]
    dtype: Literal["fp32", "bf16", "fp16"]
    sides: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    """In pixels, ascending."""
    gpu: str | None = None
    """Part of the name of the one GPU that the paper measured on. None: any machine will do."""
    synchronised: bool = True
    """Whether times on a GPU end when it is done. On a CPU they always do."""
    source: dict[str, str]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.sides) != sorted(set(self.sides)):
            raise ValueError(f"sides ascend, each once; got {', '.join(map(str, self.sides))}")
        unsourced = self.settings().keys() - self.source.keys()
        if unsourced:
            raise ValueError(f"no source for {', '.join(sorted(unsourced))}")
        return self

    def settings(self) -> dict[str, Any]:
        """How to profile, by name: the fields that were set, for which a source is owed."""
        return self.model_dump(exclude={"name", "source"}, exclude_none=True, exclude_unset=True)
