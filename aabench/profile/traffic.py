"""Bytes that operators read and write: the other half of arithmetic intensity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from aabench.profile.operators import is_question, tensors_in


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Sums, over the operators run while it is entered, the bytes of their inputs and of their results.

    It is what would move if nothing stayed in a cache from one operator to the next, and each operator read and wrote
    everything once. Operators that only make another view of a tensor move nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operator, then add what it moved."""
        if is_question(func):
            return NotImplemented
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(_bytes(tensor) for tensor in tensors_in(args, kwargs, result))
        return result


def _bytes(tensor: Tensor) -> int:
    """Of the tensor's elements; an expanded tensor has no more than its storage."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
