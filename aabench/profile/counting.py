"""Parameters, multiply-adds and activations of a model; multiply-adds are counted three ways that must agree.

torch's FlopCounterMode, fvcore's trace and a closed formula a layer are compared exactly, module by module. What is
counted are the model's own multiply-adds: what the definition needs, the same for every attention backend, device
and data type. What a backend really executes (padding, position features) is :mod:`aabench.profile.executed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from aabench.errors import AABenchError
from aabench.layers import AttentionCore, AWConv2d
from aabench.profile.conventions import MAC_KINDS, weigh
from aabench.profile.counters import ByModule, fvcore_macs, torch_macs
from aabench.profile.formulas import FORMULAS, Shape, Work
from aabench.profile.meta import images, naming_the_module, shadow, skip_normalisation


@dataclass(frozen=True)
class Row:
    """One module that has parameters or operations of its own (its children have their own rows)."""

    name: str
    type: str
    params: int
    by_kind: Mapping[str, int]
    activations: int
    """Elements, see :class:`aabench.profile.formulas.Work`."""

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return sum(self.by_kind.get(kind, 0) for kind in MAC_KINDS)


@dataclass(frozen=True)
class Count:
    """What a model needs for one batch of images, forward."""

    params: int
    by_kind: Mapping[str, int]
    activations: int
    """Elements of what convolutions, linear layers and attention products give, the explicit form's for every form."""
    output_shape: tuple[int, ...] | tuple[tuple[int, ...], ...]
    """Of the one tensor, or of each tensor of a tuple."""
    rows: tuple[Row, ...]

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.in_convention("macs")

    def in_convention(self, convention: str) -> int:
        """Operations in a convention: ``macs``, ``flops`` or ``aa-paper``."""
        return weigh(self.by_kind, convention)

    @property
    def attention_share(self) -> float:
        """Share of the multiply-adds that is in Q K^T, A V and relative logits (not in the projections)."""
        return (self.by_kind.get("attention", 0) + self.by_kind.get("relative", 0)) / max(1, self.macs)


def count(model: nn.Module, input_size: int | tuple[int, int], batch: int = 1) -> Count:
    """Count a model, built on meta or on any device, for images (batch, 3, H, W). Nothing is allocated or changed.

    Raises:
        AABenchError: the counters disagree, an operator or a layer with multiply-adds is not known to one of them,
            or the network does not run at this size.
    """
    size = as_pair(input_size)
    model = _countable(model)
    x = images(model, size, batch)
    recorder = FormulaRecorder(model)
    with recorder, naming_the_module(model, size):
        by_torch, output = torch_macs(model, x)
    work = recorder.work()
    _reconcile(model, by_torch, fvcore_macs(model, x), work)
    output_shape = _shape(model, output)
    totals: Counter[str] = Counter()
    for found in work.values():
        totals.update(found.operations)
    return Count(
        params=sum(parameter.numel() for parameter in model.parameters()),
        by_kind=dict(totals),
        activations=sum(found.activations for found in work.values()),
        output_shape=output_shape,
        rows=_rows(model, work),
    )


def _shape(model: nn.Module, output: Any) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
    if isinstance(output, Tensor):
        return tuple(output.shape)
    if isinstance(output, tuple) and all(isinstance(each, Tensor) for each in output):
        return tuple(tuple(each.shape) for each in output)
    raise AABenchError(
        f"{type(model).__name__} gives a {type(output).__name__}; a tensor or a tuple of them is expected"
    )


def formula_macs(model: nn.Module, input_size: int | tuple[int, int]) -> int:
    """The multiply-adds of one image by the closed formulas alone: :func:`count`'s number, unchecked, in a tenth of
    its time. Nothing is allocated or changed.

    Raises:
        AABenchError: a formula does not cover a layer's settings, or the network does not run at this size.
    """
    size = as_pair(input_size)
    model = _countable(model)
    recorder = FormulaRecorder(model)
    with torch.no_grad(), recorder, naming_the_module(model, size):
        model(images(model, size, batch=1))
    return sum(multiply_adds(work) for work in recorder.work().values())


def _countable(model: nn.Module) -> nn.Module:
    """A shadow of a model in the forms that every counter sees all multiply-adds of."""
    model = shadow(model)
    for module in model.modules():
        if isinstance(module, AttentionCore):
            module.attention = "explicit"
        elif isinstance(module, AWConv2d):
            module.form = "grouped"
    skip_normalisation(model)
    return model


@dataclass(frozen=True)
class Call:
    """A call of a module that has a closed formula."""

    name: str
    module: nn.Module
    shapes: tuple[Shape, ...]
    """Of its tensor inputs, in tuples too."""

    def work(self) -> Work:
        """By the module's closed formula.

        Raises:
            AABenchError: the formula does not cover one of its settings.
        """
        try:
            return FORMULAS[type(self.module)](self.module, self.shapes)
        except NotImplementedError as error:
            raise AABenchError(
                f"no closed formula for module {self.name!r} ({type(self.module).__name__}) with {error}; "
                "extend aabench/profile/formulas.py"
            ) from error


class FormulaRecorder:
    """While entered, records the calls of all modules that have a closed formula."""

    def __init__(self, model: nn.Module) -> None:
        self.calls: list[Call] = []
        self._model = model
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        for name, module in self._model.named_modules():
            if type(module) in FORMULAS:

                def record(module: nn.Module, args: tuple[Any, ...], name: str = name) -> None:
                    shapes = tuple(tuple(leaf.shape) for leaf in tree_leaves(args) if isinstance(leaf, Tensor))
                    self.calls.append(Call(name, module, shapes))

                self._hooks.append(module.register_forward_pre_hook(record))

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def work(self) -> dict[str, Work]:
        """Module name -> its work in all of its calls."""
        result: dict[str, Work] = {}
        for call in self.calls:
            operations, activations = call.work()
            before = result.get(call.name, Work({}, 0))
            summed = Counter(before.operations)
            summed.update(operations)
            result[call.name] = Work(dict(summed), before.activations + activations)
        return result


def _reconcile(model: nn.Module, by_torch: ByModule, by_fvcore: ByModule, work: Mapping[str, Work]) -> None:
    """Raises unless the three agree on every module to the last multiply-add."""
    for name, module in model.named_modules():
        seen = {**by_torch.get(name, {}), **by_fvcore.get(name, {})}
        torch_sum, fvcore_sum = by_torch.get(name, Counter()).total(), by_fvcore.get(name, Counter()).total()
        formula_sum = multiply_adds(work[name]) if name in work else 0
        if torch_sum == fvcore_sum == formula_sum:
            continue
        label = f"module {name or 'itself'!r} ({type(module).__name__}), operator {' / '.join(sorted(seen)) or 'none'}"
        if type(module) not in FORMULAS:
            raise AABenchError(
                f"no closed formula for {label}, which holds {torch_sum:,} multiply-adds by FlopCounterMode and "
                f"{fvcore_sum:,} by fvcore; enter its type in aabench/profile/formulas.py"
            )
        raise AABenchError(
            f"the counters disagree on {label}: FlopCounterMode {torch_sum:,}, fvcore {fvcore_sum:,}, "
            f"closed formula {formula_sum:,} multiply-adds"
        )


def multiply_adds(work: Work) -> int:
    """Those of its operations that are."""
    return sum(n for kind, n in work.operations.items() if kind in MAC_KINDS)


def _rows(model: nn.Module, work: Mapping[str, Work]) -> tuple[Row, ...]:
    rows = []
    for name, module in model.named_modules():
        params = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        operations, activations = work.get(name, Work({}, 0))
        if params or operations:
            rows.append(Row(name, type(module).__name__, params, operations, activations))
    return tuple(rows)


def as_pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """A side, or (H, W) -> (H, W)."""
    return (size, size) if isinstance(size, int) else size
