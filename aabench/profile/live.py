"""Bytes of live tensors, counted at each operator: what a computation needs, whatever the allocator does with it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Counts the storages that operators make while it is entered, until the last tensor on them is gone.

    Tensors made before do not count, views and in-place results count once. What a kernel allocates and frees inside
    itself is not seen. Under FakeTensorMode (entered first) it counts what would be live, with no allocation.

    >>> with LiveBytes() as live:
    ...     ones = torch.ones(1000)
    ...     twos = ones + ones
    ...     del ones
    >>> live.current, live.peak
    (4000, 8000)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = 0
        """Bytes live now."""
        self.peak = 0
        """The most bytes live after any operator."""
        self._tracked: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operator, then enter what it made."""
        given = {_storage(t) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and _storage(tensor) not in given:
                self._track(tensor.untyped_storage())
        self.peak = max(self.peak, self.current)
        return result

    def _track(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._tracked:
            return
        self._tracked[key] = storage.nbytes()
        self.current += storage.nbytes()
        weakref.finalize(storage, self._release, key).atexit = False

    def _release(self, key: int) -> None:
        self.current -= self._tracked.pop(key)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
