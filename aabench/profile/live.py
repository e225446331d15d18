"""Bytes of live tensors, counted at each operator: what a computation needs, whatever the allocator does with it."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from aabench.profile.operators import is_question, tensors_in


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Counts the storages that operators make while it is entered, until the last tensor on them is gone.

    Tensors made before do not count unless they are given to :meth:`hold`; views and in-place results count once. What
    a kernel allocates and frees inside itself is not seen. Under FakeTensorMode (entered first) it counts what would be
    live, with no allocation.

    Each storage is of one kind: ``activations`` if a forward pass made it, ``temporaries`` if a backward pass did,
    ``gradients`` once it is that of a parameter given to :meth:`hold_model`, ``optimizer`` if the optimizer's step made
    it; and what was held is of the kind named there.

    >>> with LiveBytes() as live:
    ...     ones = torch.ones(1000)
    ...     twos = ones + ones
    ...     del ones
    >>> live.current, live.peak
    (4000, 8000)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        """The most bytes live after any operator."""
        self.peak_by_kind: dict[str, int] = {}
        """What they were then, by kind."""
        self._now: Counter[str] = Counter()
        self._tracked: dict[int, tuple[int, str]] = {}
        self._stepping = False
        self._hooks = ExitStack()

    @property
    def current(self) -> int:
        """Bytes live now."""
        return self._now.total()

    def hold(self, kind: str, tensors: Iterable[Tensor]) -> None:
        """Count tensors that were made before, as long as they live."""
        for tensor in tensors:
            self._track(tensor.untyped_storage(), kind)
        self._note_peak()

    def hold_model(self, model: nn.Module) -> None:
        """Count a model's parameters and buffers, and know its gradients for what they are."""
        self.hold("parameters", model.parameters())
        self.hold("buffers", model.buffers())
        for parameter in model.parameters():
            if parameter.requires_grad:
                hook = parameter.register_post_accumulate_grad_hook(self._enter_gradient)  # type: ignore[no-untyped-call]
                self._hooks.callback(hook.remove)

    def __enter__(self) -> Self:
        self._hooks.callback(register_optimizer_step_pre_hook(lambda *_: self._step(True)).remove)
        self._hooks.callback(register_optimizer_step_post_hook(lambda *_: self._step(False)).remove)
        return super().__enter__()  # type: ignore[no-any-return, no-untyped-call]

    def __exit__(self, *exception: Any) -> None:
        self._hooks.close()
        super().__exit__(*exception)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operator, then enter what it made."""
        if is_question(func):
            return NotImplemented
        given = {_storage(tensor) for tensor in tensors_in(args, kwargs)}
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            storage = tensor.untyped_storage()
            if storage._cdata not in given:
                self._track(storage, self._phase())
        self._note_peak()
        return result

    def _phase(self) -> str:
        if self._stepping:
            return "optimizer"
        in_backward: bool = torch._C._current_graph_task_id() != -1
        return "temporaries" if in_backward else "activations"

    def _step(self, begins: bool) -> None:
        self._stepping = begins

    def _enter_gradient(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        key = _storage(parameter.grad)
        if key in self._tracked:
            size, kind = self._tracked[key]
            self._tracked[key] = size, "gradients"
            self._now[kind] -= size
            self._now["gradients"] += size

    def _note_peak(self) -> None:
        if self.current > self.peak:
            self.peak = self.current
            self.peak_by_kind = {kind: size for kind, size in self._now.items() if size}

    def _track(self, storage: torch.UntypedStorage, kind: str) -> None:
        key = storage._cdata
        if key in self._tracked:
            return
        self._tracked[key] = storage.nbytes(), kind
        self._now[kind] += storage.nbytes()
        weakref.finalize(storage, self._release, key).atexit = False

    def _release(self, key: int) -> None:
        size, kind = self._tracked.pop(key)
        self._now[kind] -= size


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
