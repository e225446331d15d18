"""Multiply-adds that a forward pass really executes, beside those of the definition, and why they differ.

The pass runs once, on fake tensors: they have shapes and a device, and no memory, so the device need not be there.
What is counted is each operator that reaches torch's dispatcher, by the formulas of FlopCounterMode; what the
definition needs comes from the closed formula of the layer that the operator ran in. Fused attention counts as the
operator ``scaled_dot_product_attention``, whatever kernel torch takes for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from aabench.errors import AABenchError
from aabench.layers import AttentionCore
from aabench.layers.chunked_attention import OPERATOR as CHUNKED
from aabench.profile.counters import flop_counter
from aabench.profile.counting import Call, FormulaRecorder, as_pair, multiply_adds
from aabench.profile.formulas import Shape
from aabench.profile.meta import images, naming_the_module, shadow, skip_normalisation
from aabench.profile.way import Way
from aabench.profile.workload import DTYPES

FUSED = "scaled_dot_product_attention"


@dataclass(frozen=True)
class Difference:
    """An operator's multiply-adds for one image.

    Attributes:
        operator: torch's name; with the module, where the difference could not be explained.
        model: what the definition needs of the layers that it ran in.
        executed: what it executed.
        why: reason -> multiply-adds: ``position features``, ``padding``, ``unexplained``. They sum to executed - model.
    """

    operator: str
    model: int
    executed: int
    why: Mapping[str, int]


@dataclass(frozen=True)
class Executed:
    """What a forward pass executes.

    Attributes:
        macs: multiply-adds for one image: the batch's, divided by its size.
        operators: all operators with multiply-adds, the largest first.
        attention_forms: ``explicit`` or ``fused`` -> how many attention layers ran in that form.
    """

    macs: int
    operators: tuple[Difference, ...]
    attention_forms: Mapping[str, int]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The operators that execute more, or less, than the definition needs."""
        return tuple(operator for operator in self.operators if operator.why)


def explain_executed(model: nn.Module, input_size: int | tuple[int, int], way: Way = Way()) -> Executed:
    """What a forward pass executes, run eagerly in a way; the model may be on meta or anywhere, and is left as it is.

    Attention that is ``auto`` takes its form by the number of tokens. In train mode at bf16 and fp16 the weights are
    cast where the real pass runs under autocast: operators with multiply-adds see the same shapes and data types.

    Raises:
        AABenchError: the network does not run at this size, or its operators do not grow with the batch.
    """
    size = as_pair(input_size)
    training = way.mode != "infer"
    # Layers know two devices, CPU and others, and a torch without CUDA breaks down on fake tensors of a CUDA device.
    device = "cpu" if way.device == "cpu" else "meta"
    with FakeTensorMode(allow_non_fake_inputs=True), torch.set_grad_enabled(training):
        fake = shadow(model, device, DTYPES[way.dtype], alike_are_one=True).train(training)
        if not training:  # in training, a map may be too small for it
            skip_normalisation(fake)
        formulas, run = FormulaRecorder(fake), _Run(fake)
        with naming_the_module(fake, size), formulas, run.recording():
            fake(images(fake, size, way.batch, device))
    operators = _explain(fake, formulas, run)
    return Executed(
        macs=_per_image(sum(line.executed for line in operators), way.batch),
        operators=tuple(_of_one_image(line, way.batch) for line in operators),
        attention_forms=dict(Counter(run.forms.values())),
    )


class _Run:
    """What happens in a forward pass, by the innermost module that it happens in."""

    def __init__(self, model: nn.Module) -> None:
        self.macs: dict[str, Counter[str]] = defaultdict(Counter)
        """Module name -> operator -> multiply-adds."""
        self.fused: dict[str, list[tuple[Shape, Shape]]] = defaultdict(list)
        """Module name -> shapes of the queries and values given to fused attention, call by call."""
        self.forms: dict[str, str] = {}
        """Name of an attention layer -> its form."""
        self._model = model
        self._formulas = flop_counter().flop_registry
        self._inside: list[str] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """While entered, what the model does is recorded."""
        hooks = []
        for name, module in self._model.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda m, args, name=name: self._enter(name, m)))
            hooks.append(module.register_forward_hook(lambda m, args, output: self._leave()))
        try:
            with _Functions(self), _Operators(self):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, name: str, module: nn.Module) -> None:
        self._inside.append(name)
        if isinstance(module, AttentionCore):
            self.forms[name] = "explicit"

    def _leave(self) -> None:
        self._inside.pop()

    def fused_attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """What a fused kernel executes, by its arguments' shapes as FlopCounterMode has it; and a result of its shape.

        It does not run: torch would ask the device for the kernel, and without one take another that is not fused.
        """
        name = self._inside[-1]
        self.fused[name].append((tuple(query.shape), tuple(value.shape)))
        if name in self.forms:
            self.forms[name] = "fused"
        pairs = prod(query.shape[:-1]) * key.shape[-2]
        self.macs[name][FUSED] += pairs * (query.shape[-1] + value.shape[-1])
        return query[..., :1].expand(*query.shape[:-1], value.shape[-1])

    def enter_operator(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Count an operator that was run."""
        formula = self._formulas.get(func.overloadpacket)
        if func.overloadpacket is CHUNKED and self._inside[-1] in self.forms:
            self.forms[self._inside[-1]] = "fused"
        if formula is not None:
            operator = str(func.overloadpacket).removeprefix("aten.")
            self.macs[self._inside[-1]][operator] += formula(*args, **kwargs, out_val=result) // 2


class _Functions(TorchFunctionMode):
    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            return self._run.fused_attention(*args[:3])
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    def __init__(self, run: _Run) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._run = run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._run.enter_operator(func, args, kwargs or {}, result)
        return result


def _explain(model: nn.Module, formulas: FormulaRecorder, run: _Run) -> list[Difference]:
    """One line an operator for the whole batch, and one for each module with a difference of unknown reason."""
    needed = {name: multiply_adds(work) for name, work in formulas.work().items()}
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in formulas.calls:
        calls[call.name].append(call)
    summed: dict[str, tuple[Counter[str], Counter[str]]] = defaultdict(lambda: (Counter(), Counter()))
    for name, module in model.named_modules():
        totals = Counter(model=needed.get(name, 0), executed=run.macs[name].total())
        if not totals.total():
            continue
        operator = " + ".join(sorted(run.macs[name])) or "none"
        why = _reasons(calls[name], run.fused[name])
        if rest := totals["executed"] - totals["model"] - why.total():
            operator += f" in {name or 'the network itself'} ({type(module).__name__})"
            why["unexplained"] = rest
        summed[operator][0].update(totals)
        summed[operator][1].update(why)
    lines = [
        Difference(operator, totals["model"], totals["executed"], {reason: n for reason, n in why.items() if n})
        for operator, (totals, why) in summed.items()
    ]
    return sorted(lines, key=lambda line: -line.executed)


def _reasons(calls: list[Call], fused: list[tuple[Shape, Shape]]) -> Counter[str]:
    """What fused attention does beyond Q K^T and A V in the calls of one attention layer.

    Queries and keys carry one more channel for each row and each column of the map; then queries, keys and values are
    filled up with zeros to the widths that the kernels want.
    """
    why: Counter[str] = Counter()
    if len(calls) != len(fused) or any(not isinstance(call.module, AttentionCore) for call in calls):
        return why  # not one of ours: what it does stays unexplained
    for call, (query, value) in zip(calls, fused, strict=True):
        (*_, key_channels), _, (*_, value_channels), *logits = call.shapes
        pairs = prod(query[:-1]) * value[-2]
        features = sum(shape[-1] for shape in logits)
        why["position features"] += pairs * features
        why["padding"] += pairs * (query[-1] - features - key_channels + value[-1] - value_channels)
    return why


def _of_one_image(line: Difference, batch: int) -> Difference:
    why = {reason: _per_image(n, batch) for reason, n in line.why.items()}
    return Difference(line.operator, _per_image(line.model, batch), _per_image(line.executed, batch), why)


def _per_image(macs: int, batch: int) -> int:
    if macs % batch:
        raise AABenchError(
            f"{macs:,} multiply-adds of a batch of {batch} are not {batch} times a whole number: part of the network "
            "does not grow with the batch; profile it with batch 1"
        )
    return macs // batch
