"""What modes that see every operator ask of each: quick, since a training step has some ten thousand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def tensors_in(*values: Any) -> Iterator[Tensor]:
    """The tensors among an operator's arguments or results, in their order, those in lists, tuples and dicts too.

    Torch's own ``tree_leaves`` gives the same, and takes longer than the operator itself on a fake tensor.
    """
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from tensors_in(*value)
        elif isinstance(value, dict):
            yield from tensors_in(*value.values())


def is_question(operator: Any) -> bool:
    """Whether it only asks a fake tensor for its device or layout, as two calls of three do.

    A mode answers such a call with NotImplemented, which leaves it to the tensor.
    """
    return bool(operator.namespace == "prim")
