"""A copy of a model whose tensors hold nothing: what counting runs on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from aabench.errors import AABenchError


def shadow(
    model: nn.Module, device: str = "meta", dtype: torch.dtype | None = None, *, alike_are_one: bool = False
) -> nn.Module:
    """A copy in evaluation mode with uninitialised tensors on a device; the model itself is left as it is.

    Strides are the model's own, and so is the data type of what is not floating point, or of all if none is given.
    Under FakeTensorMode the device may be any, and nothing is allocated either. There a tensor takes long to make:
    where only shapes matter, those that are alike may be one.
    """
    memo: dict[int, Any] = {}
    made: dict[Any, Tensor] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        kind = tensor.shape, tensor.stride(), wanted, isinstance(tensor, nn.Parameter), tensor.requires_grad
        if not (alike_are_one and kind in made):
            # Not empty_like: a fake tensor would first be made of the real one, which takes four times as long.
            empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=wanted, device=device)
            made[kind] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
        memo[id(tensor)] = made[kind]
    return copy.deepcopy(model, memo).eval()


def skip_normalisation(model: nn.Module) -> None:
    """Let batch normalisation give back its input: it holds no multiply-adds and changes no shape, and its
    decomposition would take half of the time.
    """
    for module in model.modules():
        if type(module) in (nn.BatchNorm2d, FrozenBatchNorm2d):
            module.forward = _unchanged


def _unchanged(x: Tensor) -> Tensor:
    return x


def images(model: nn.Module, size: tuple[int, int], batch: int, device: str = "meta") -> Tensor:
    """Uninitialised images (batch, 3, H, W) in the model's own data type."""
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.get_default_dtype())
    return torch.empty(batch, 3, *size, device=device, dtype=dtype)


@contextmanager
def naming_the_module(model: nn.Module, size: tuple[int, int]) -> Iterator[None]:
    """Turns a failure of the forward pass into one line that names the innermost module it came from.

    Raises:
        AABenchError: the forward pass failed: most often the image is too small for the network's strides.
    """
    inside: list[str] = []

    def enter(name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        shapes = ", ".join("x".join(map(str, a.shape)) for a in args if isinstance(a, Tensor))
        inside.append(f"{name} ({type(module).__name__}) on an input of {shapes}" if name else "the network itself")

    def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        inside.pop()

    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda m, args, name=name: enter(name, m, args)))
        hooks.append(module.register_forward_hook(leave))
    try:
        yield
    except (RuntimeError, ValueError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = inside[-1] if inside else "the network itself"
        raise AABenchError(
            f"{type(model).__name__} does not run on {size[0]}x{size[1]} pixels: {where} fails: {line}; "
            "use a larger size, or the one that the network was built for"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
