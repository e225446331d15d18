"""One name, one network: ``create_model(name, input_size=, num_classes=)``."""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from aabench.errors import AABenchError
from aabench.models import (
    attention_weighted,
    cifar_resnet,
    eaa_resnet,
    faster_rcnn,
    mnasnet,
    plugged_preresnet,
    plugged_resnet,
    resnet,
    retinanet,
    squeezenet,
    wide_resnet,
)
from aabench.models.parts import Network

DETECTORS: dict[str, Network] = {**faster_rcnn.NETWORKS, **retinanet.NETWORKS}
"""Name -> the builder of a :class:`~aabench.models.detector.Detector`."""
NETWORKS: dict[str, Network] = {
    **attention_weighted.NETWORKS,
    **cifar_resnet.NETWORKS,
    **eaa_resnet.NETWORKS,
    **mnasnet.NETWORKS,
    **plugged_preresnet.NETWORKS,
    **plugged_resnet.NETWORKS,
    **resnet.NETWORKS,
    **squeezenet.NETWORKS,
    **wide_resnet.NETWORKS,
    **DETECTORS,
}
"""Name -> its builder: of classifiers and of detectors."""


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a wildcard pattern, sorted."""
    return sorted(fnmatch.filter(NETWORKS, pattern))


def create_model(
    name: str,
    *,
    input_size: int | tuple[int, int],
    num_classes: int,
    device: torch.device | str | None = None,
    **arguments: Any,
) -> nn.Module:
    """Build a network for one input size.

    Args:
        name: a name of :func:`list_models`.
        input_size: side, or (H, W), in pixels. A classifier takes no other size.
        num_classes: outputs of the classifier, or categories of the detector.
        device: ``meta`` builds shapes only, with no memory.
        **arguments: the model's own, such as ``kappa`` or ``width``.

    Raises:
        AABenchError: an unknown name or argument, with the nearest known ones; a size that is no positive number.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=3)
        raise AABenchError(
            f"unknown model {name!r}; " + (f"did you mean {', '.join(near)}?" if near else "see list_models()")
        )
    builder = NETWORKS[name]
    _check_arguments(name, arguments)
    size = (input_size, input_size) if isinstance(input_size, int) else input_size
    if min(size) < 1:
        raise AABenchError(f"input size {size[0]}x{size[1]}: both sides must be at least 1 pixel")
    try:
        if device is None:
            return builder(input_size=size, num_classes=num_classes, **arguments)
        with torch.device(device):
            return builder(input_size=size, num_classes=num_classes, **arguments)
    except ValueError as error:
        raise AABenchError(f"model {name} at {size[0]}x{size[1]} pixels: {error}") from error


_SETTABLE = (bool, int, float, str, int | None)


def _check_arguments(name: str, arguments: dict[str, Any]) -> None:
    """That a task could set them: plain values of the type that the builder asks for, not parts of the network."""
    parameters = inspect.signature(NETWORKS[name], eval_str=True).parameters.values()
    known = {
        parameter.name: parameter.annotation
        for parameter in parameters
        if parameter.name not in ("input_size", "num_classes") and parameter.annotation in _SETTABLE
    }
    for argument, value in arguments.items():
        if argument not in known:
            raise AABenchError(f"model {name} takes no argument {argument!r}; it takes {', '.join(known) or 'none'}")
        try:
            TypeAdapter(known[argument]).validate_python(value, strict=True)
        except ValidationError as error:
            raise AABenchError(f"model {name}: {argument}={value!r}: {error.errors()[0]['msg']}") from error
