"""What one measured call does: a forward pass, in either mode, or a whole training step. Imports torch only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MODES = ("infer", "forward", "train")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@runtime_checkable
class OwnLoss(Protocol):
    """A network that is no classifier, and brings what its training step does after the forward pass."""

    def stand_in_loss(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """A loss of its outputs with made-up targets, of the shapes that training's has."""


def workload(model: nn.Module, x: Tensor, num_classes: int, mode: str, dtype: str = "fp32") -> Callable[[], None]:
    """The call for images x (N, 3, H, W), fp32, on the model's device.

    ``infer``: evaluation mode, no autograd; weights and images are cast to the data type.
    ``forward``: the forward pass of a training step alone: normalisation by the batch's statistics, whose running means
    are updated, and a graph for autograd, which is dropped with the result.
    ``train``: forward, cross-entropy with random labels (for a detector, its stand-in loss), backward, and a step of
    SGD with momentum (its buffers exist from the second call on).
    In the last two, weights stay fp32; in bf16 and fp16 the forward pass runs under autocast. fp16's loss scaling is
    left out: two elementwise passes over the gradients.
    """
    if mode == "infer":
        return _inference(_cast(model.eval(), DTYPES[dtype]), x.to(DTYPES[dtype]))
    if mode == "forward":
        return _forward(model.train(), x, DTYPES[dtype])
    return _training(model.train(), x, num_classes, DTYPES[dtype])


def _cast(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Left alone where there is nothing to cast: fake tensors, which a prediction runs on, cannot be exchanged."""
    return model if all(p.dtype == dtype for p in model.parameters()) else model.to(dtype)


def _inference(model: nn.Module, x: Tensor) -> Callable[[], None]:
    def call() -> None:
        with torch.inference_mode():
            model(x)

    return call


def _forward(model: nn.Module, x: Tensor, dtype: torch.dtype) -> Callable[[], None]:
    def call() -> None:
        with torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32):
            model(x)

    return call


def _training(model: nn.Module, x: Tensor, num_classes: int, dtype: torch.dtype) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    labels = torch.randint(num_classes, (x.shape[0],), device=x.device)

    def loss_of(output: Any) -> Tensor:
        return model.stand_in_loss(output) if isinstance(model, OwnLoss) else F.cross_entropy(output, labels)

    def call() -> None:
        with torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32):
            loss = loss_of(model(x))
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)  # last, so that a call leaves nothing to the next but the optimizer

    return call
