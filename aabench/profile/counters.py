"""Multiply-adds per module as two public tools see them: torch's FlopCounterMode and fvcore's trace.

Both are made to give the same thing: for each module the multiply-adds of its own, not of its children, by operator.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from aabench.errors import AABenchError
from aabench.layers import chunked_convolution, tap_convolution
from aabench.layers.chunked_attention import BACKWARD as CHUNKED_BACKWARD
from aabench.layers.chunked_attention import OPERATOR as CHUNKED

ByModule = dict[str, Counter[str]]
"""Module name -> operator -> multiply-adds."""


def torch_macs(model: nn.Module, x: Tensor) -> tuple[ByModule, Any]:
    """FlopCounterMode's count on one forward pass, and the pass's output."""
    with torch.no_grad(), flop_counter() as counter:
        output = model(x)
    root = type(model).__name__
    inclusive: ByModule = {}
    for name, flops in counter.get_flop_counts().items():
        macs = Counter({str(operator): count // 2 for operator, count in flops.items()})
        inclusive["" if name == root else name.removeprefix(f"{root}.")] = macs
    return own(inclusive, model), output


def flop_counter() -> FlopCounterMode:
    """FlopCounterMode with formulas for our own operators."""
    formulas = {
        CHUNKED: _chunked,
        CHUNKED_BACKWARD: _chunked_backward,
        chunked_convolution.OPERATOR: _weighted,
        chunked_convolution.BACKWARD: _weighted_backward(2),
        tap_convolution.OPERATOR: _weighted,
        tap_convolution.BACKWARD: _weighted_backward(3),
    }
    return FlopCounterMode(display=False, custom_mapping=formulas)


def _chunked(q: list[int], k: list[int], v: list[int], *_: Any, **__: Any) -> int:
    """Q K^T and A V."""
    batch, heads, tokens, width = q
    return 2 * batch * heads * tokens * k[-2] * (width + v[-1])


def _chunked_backward(gradient: list[int], q: list[int], k: list[int], v: list[int], *_: Any, **__: Any) -> int:
    """Q K^T again, then the gradients of Q, K, V and of the weights."""
    batch, heads, tokens, width = q
    return 2 * batch * heads * tokens * k[-2] * (3 * width + 2 * v[-1])


def _weighted(x: list[int], kernel: list[int], *_: Any, out_shape: list[int], **__: Any) -> int:
    """A convolution."""
    return 2 * out_shape[0] * prod(out_shape[2:]) * prod(kernel)


def _weighted_backward(products: int) -> Any:
    """The gradients of input and kernels, and of taps their results again: as many products of a convolution's size."""

    def count(gradient: list[int], x: list[int], kernel: list[int], *_: Any, **__: Any) -> int:
        return products * 2 * gradient[0] * prod(gradient[2:]) * prod(kernel)

    return count


def own(inclusive: Mapping[str, Counter[str]], model: nn.Module) -> ByModule:
    """Counts that include the children's -> counts of each module alone, empty ones left out.

    A module that is in no count was never called, such as a list of modules: its children are its parent's.
    """
    result = {name: Counter(inclusive.get(name, {})) for name, _ in model.named_modules()}
    for name in result:
        if name and name in inclusive:
            result[_called_parent(name, inclusive)].subtract(inclusive[name])
    nonzero = {name: Counter({op: n for op, n in counts.items() if n}) for name, counts in result.items()}
    return {name: counts for name, counts in nonzero.items() if counts}


def _called_parent(name: str, inclusive: Mapping[str, Counter[str]]) -> str:
    parent = name.rpartition(".")[0]
    return parent if parent in inclusive or not parent else _called_parent(parent, inclusive)


def fvcore_macs(model: nn.Module, x: Tensor) -> ByModule:
    """fvcore's count from a trace.

    Raises:
        AABenchError: a model that cannot be traced, or an operator that is known neither to hold multiply-adds nor to
            be free of them.
    """
    with warnings.catch_warnings():
        # fvcore compiles a loss with torch.jit.script when imported, which torch has deprecated: by a
        # DeprecationWarning in 2.11, by a FutureWarning in 2.15.
        warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
        from fvcore.nn import FlopCountAnalysis
    analysis = FlopCountAnalysis(model, x).clear_op_handles().set_op_handle(**_handles())
    analysis.set_op_handle(**{name if "::" in name else f"aten::{name}": None for name in MAC_FREE})
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    try:
        with torch.no_grad(), _TraceableConvolution(), _flat_scopes(model):
            inclusive = {name: Counter(counts) for name, counts in analysis.by_module_and_operator().items()}
    except (RuntimeError, TypeError) as error:
        line = str(error).strip().splitlines()[0]
        raise AABenchError(f"fvcore cannot trace {type(model).__name__} on meta tensors: {line}") from error
    unknown = own({name: analysis.unsupported_ops(name) for name in inclusive}, model)
    for name, operators in unknown.items():
        raise AABenchError(
            f"cannot count module {name or type(model).__name__!r}: operator {min(operators)} is known neither to hold "
            "multiply-adds nor to be free of them; enter it in aabench/profile/counters.py"
        )
    return own(inclusive, model)


@contextmanager
def _flat_scopes(model: nn.Module) -> Iterator[None]:
    """Lets a trace hold modules beside each other, not inside each other: torch copies what is in a module once for
    each module around it. fvcore looks at the innermost alone, whose full name it knows.

    fvcore opens a module's scope after these hooks ran, and closes it after them too.
    """
    inside: list[str] = []

    def enter(name: str) -> None:
        if inside:
            torch._C._get_tracing_state().pop_scope()
        inside.append(name)

    def leave() -> None:
        inside.pop()
        if inside:
            state = torch._C._get_tracing_state()
            state.pop_scope()
            state.push_scope(inside[-1])
            state.push_scope(inside[-1])  # for fvcore to close

    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda m, args, name=name: enter(name)))
        hooks.append(module.register_forward_hook(lambda m, args, output: leave()))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _TraceableConvolution(TorchFunctionMode):
    """Lets torch.jit trace a convolution on meta tensors, whose shape torch finds in Python: not while traced."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.conv2d:
            return func(*args, **(kwargs or {}))
        return _traceable(*args, **(kwargs or {}))


def _traceable(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    return Convolution.apply(input, weight, bias, stride, padding, dilation, groups)


class Convolution(torch.autograd.Function):
    """A convolution that a trace holds as one operator of this name, whatever torch does inside it."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        """The arguments of ``torch.conv2d``, by position."""
        state = torch._C._get_tracing_state()
        torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
        try:
            return torch.conv2d(*args)
        finally:
            torch._C._set_tracing_state(state)  # type: ignore[attr-defined]


def _handles() -> dict[str, Any]:
    """fvcore's own handles where they are right; ours for batched products of any rank."""
    from fvcore.nn import jit_handles

    return {
        "prim::PythonOp.Convolution": _convolution,
        "aten::linear": jit_handles.linear_flop_jit,
        "aten::addmm": jit_handles.addmm_flop_jit,
        "aten::bmm": jit_handles.bmm_flop_jit,
        "aten::mm": _product(0),
        "aten::matmul": _product(0),
        "aten::baddbmm": _product(1),
    }


def _convolution(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """fvcore's own count."""
    from fvcore.nn.jit_handles import conv_flop_count

    return Counter(conv=conv_flop_count(_shape(inputs[0]), _shape(inputs[1]), _shape(outputs[0])))


def _product(left: int) -> Any:
    """A handle for a product whose left factor is input number ``left``; fvcore's own miscounts broadcast batches."""

    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        return prod(_shape(outputs[0])) * _shape(inputs[left])[-1]

    return handle


def _shape(value: Any) -> list[int]:
    sizes: list[int] = value.type().sizes()
    return sizes


_ELEMENTWISE = """
abs add add_ clamp_max clamp_min cos div div_ elu exp gelu hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh
hardtanh_ leaky_relu leaky_relu_ log mul mul_ neg pow reciprocal relu6 rsqrt sigmoid sigmoid_ silu silu_ sin softplus
sqrt square sub sub_ tanh tanh_ where
"""
_REDUCING_OR_RESAMPLING = """
adaptive_avg_pool2d adaptive_max_pool2d amax amin avg_pool2d batch_norm group_norm instance_norm layer_norm log_softmax
max_pool2d mean softmax std sum upsample_bilinear2d upsample_nearest2d var
"""
_MAKING_OR_MOVING = """
alias clone dropout_ expand_as eye feature_dropout linspace masked_fill movedim ones_like pad repeat repeat_interleave
unflatten zero_
"""
MAC_FREE = frozenset(
    " ".join((_ELEMENTWISE, _REDUCING_OR_RESAMPLING, _MAKING_OR_MOVING, "torchvision::roi_align")).split()
)
"""Operators without multiply-adds, of torch's ``aten`` unless they say of which library, besides those fvcore ignores
itself. RoIAlign interpolates, as resampling does."""
