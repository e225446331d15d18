"""Parameters and multiply-adds of a model, counted three ways that must agree.

torch's FlopCounterMode, fvcore's trace and a closed formula a layer are compared exactly, module by module. What is
counted are the model's own multiply-adds: what the definition needs, the same for every attention backend, device
and data type. What a backend really executes (padding, position features) is :func:`executed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from aabench.errors import AABenchError
from aabench.layers import AAConv2d
from aabench.profile.conventions import MAC_KINDS, weigh
from aabench.profile.counters import ByModule, flop_counter, fvcore_macs, torch_macs
from aabench.profile.formulas import FORMULAS
from aabench.profile.meta import images, naming_the_module, shadow


@dataclass(frozen=True)
class Row:
    """One module that has parameters or operations of its own (its children have their own rows)."""

    name: str
    type: str
    params: int
    by_kind: Mapping[str, int]

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return sum(self.by_kind.get(kind, 0) for kind in MAC_KINDS)


@dataclass(frozen=True)
class Count:
    """What a model needs for one batch of images, forward."""

    params: int
    by_kind: Mapping[str, int]
    output_shape: tuple[int, ...]
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
    size = _pair(input_size)
    model = shadow(model)
    for module in model.modules():
        if isinstance(module, AAConv2d):
            module.attention = "explicit"
    x = images(model, size, batch)
    recorder = _ShapeRecorder(model)
    with recorder, naming_the_module(model, size):
        by_torch, output = torch_macs(model, x)
    by_formula = recorder.operations()
    _reconcile(model, by_torch, fvcore_macs(model, x), by_formula)
    if not isinstance(output, Tensor):
        raise AABenchError(f"{type(model).__name__} gives a {type(output).__name__}; one tensor is expected")
    totals: Counter[str] = Counter()
    for operations in by_formula.values():
        totals.update(operations)
    return Count(
        params=sum(parameter.numel() for parameter in model.parameters()),
        by_kind=dict(totals),
        output_shape=tuple(output.shape),
        rows=_rows(model, by_formula),
    )


def executed(model: nn.Module, input_size: int | tuple[int, int], batch: int = 1, device: str = "cpu") -> int:
    """Multiply-adds that the model as configured executes forward on a device, by FlopCounterMode.

    Fused attention pads its heads and carries position features, differently on CPU and CUDA. The device need not be
    there: tensors are fake, nothing is allocated.

    Raises:
        AABenchError: the network does not run at this size.
    """
    size = _pair(input_size)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        fake = shadow(model, device)
        with naming_the_module(fake, size), flop_counter() as counter:
            fake(images(fake, size, batch, device))
    return int(counter.get_total_flops()) // 2


class _ShapeRecorder:
    """While entered, records what each module with a closed formula is called on."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._calls: list[tuple[str, nn.Module, tuple[tuple[int, ...], ...]]] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        for name, module in self._model.named_modules():
            if type(module) in FORMULAS:

                def record(module: nn.Module, args: tuple[Any, ...], name: str = name) -> None:
                    shapes = tuple(tuple(a.shape) for a in args if isinstance(a, Tensor))
                    self._calls.append((name, module, shapes))

                self._hooks.append(module.register_forward_pre_hook(record))

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def operations(self) -> ByModule:
        """Operations by module and kind, by closed formula."""
        result: ByModule = {}
        for name, module, shapes in self._calls:
            try:
                operations = FORMULAS[type(module)](module, shapes)
            except NotImplementedError as error:
                raise AABenchError(
                    f"no closed formula for module {name!r} ({type(module).__name__}) with {error}; "
                    "extend aabench/profile/formulas.py"
                ) from error
            result.setdefault(name, Counter()).update(operations)
        return result


def _reconcile(model: nn.Module, by_torch: ByModule, by_fvcore: ByModule, by_formula: ByModule) -> None:
    """Raises unless the three agree on every module to the last multiply-add."""
    for name, module in model.named_modules():
        seen = {**by_torch.get(name, {}), **by_fvcore.get(name, {})}
        torch_sum, fvcore_sum = by_torch.get(name, Counter()).total(), by_fvcore.get(name, Counter()).total()
        formula_sum = sum(n for kind, n in by_formula.get(name, Counter()).items() if kind in MAC_KINDS)
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


def _rows(model: nn.Module, by_formula: ByModule) -> tuple[Row, ...]:
    rows = []
    for name, module in model.named_modules():
        params = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        operations = dict(by_formula.get(name, {}))
        if params or operations:
            rows.append(Row(name, type(module).__name__, params, operations))
    return tuple(rows)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
