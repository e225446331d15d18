"""What one measured call does: a forward pass, or a whole training step."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MODES = ("infer", "train")


def workload(model: nn.Module, x: Tensor, num_classes: int, mode: str) -> Callable[[], None]:
    """The call for images x (N, 3, H, W) on the model's device.

    ``infer``: evaluation mode, no autograd. ``train``: forward, cross-entropy with random labels, backward, and a step
    of SGD with momentum (its buffers exist from the second call on).
    """
    return _inference(model.eval(), x) if mode == "infer" else _training(model.train(), x, num_classes)


def _inference(model: nn.Module, x: Tensor) -> Callable[[], None]:
    def call() -> None:
        with torch.inference_mode():
            model(x)

    return call


def _training(model: nn.Module, x: Tensor, num_classes: int) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    labels = torch.randint(num_classes, (x.shape[0],), device=x.device)

    def call() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(F.cross_entropy(model(x), labels))
        optimizer.step()

    return call
