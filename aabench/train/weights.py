"""Weights from a file, of whatever origin, into a model: all of them, or none and a list of what does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from aabench.errors import AABenchError, listing
from aabench.models.detector import Detector
from aabench.train.attended_weights import EXTRA_STATE, check_settings
from aabench.train.checkpoint import read_tensors

_ENTRIES = ("ema", "state_dict", "model")
"""Where a checkpoint keeps its weights. Averaged ones come first: they are what a training's own scores are of."""
COUNTER = "num_batches_tracked"
"""The last part of the name of a normalisation's counter of batches."""
_PREFIXES = ("module.", "_orig_mod.")
"""Put before each name by DataParallel (and DDP) and by torch.compile."""


def load_weights(model: nn.Module, file: Path) -> str:
    """Load a plain state dict, or the one under ``ema``, ``state_dict`` or ``model``, into a model.

    Names may carry the prefixes ``module.`` and ``_orig_mod.``. Counters of batches that normalisation has seen may be
    missing: old files have none, and they do not bear on the output.

    Returns:
        Which entry the weights came from; ``state dict`` for a plain one.

    Raises:
        AABenchError: the file is unreadable (see ``read_tensors``) or does not fit, or is for other settings of
            AW-convolution; the model is unchanged.
    """
    entry, found = _state_dict(read_tensors(file), file)
    expected = model.state_dict()
    given = {_own_name(name, expected): value for name, value in found.items()}
    _load(model, given, file, getattr(model, "num_classes", None))
    return entry


def load_backbone(detector: Detector, file: Path) -> str:
    """Load the weights of a classifier into a detector's backbone, from a file as :func:`load_weights` takes it.

    Those of the classifier's last layers are left out; nothing else may be.

    Returns:
        Which entry the weights came from; ``state dict`` for a plain one.

    Raises:
        AABenchError: as of :func:`load_weights`. Relative tables of AA fit one map size only, and so one image size.
    """
    body = detector.backbone.body
    entry, found = _state_dict(read_tensors(file), file)
    expected = body.state_dict()
    given = {_own_name(name, expected): value for name, value in found.items()}
    given = {name: value for name, value in given.items() if name.split(".")[0] not in body.classifier}
    counters = [name for name in given if name.endswith(COUNTER) and name not in expected]
    for name in counters:  # frozen normalisation counts no batches
        if name.removesuffix(COUNTER) + "running_mean" in expected:
            del given[name]
    _load(body, given, file, None)
    return entry


def _load(model: nn.Module, given: dict[str, Tensor], file: Path, classes: int | None) -> None:
    """Load weights by the model's own names, or say what does not fit. ``classes``: of its classifier, if any."""
    expected = model.state_dict()
    check_settings(model, given, file)
    missing = [name for name in expected if name not in given and not name.endswith(COUNTER)]
    unexpected = [name for name in given if name not in expected]
    shapes = {
        name: (tuple(given[name].shape), tuple(expected[name].shape))
        for name in expected
        if name in given and given[name].shape != expected[name].shape and not name.endswith(EXTRA_STATE)
    }
    if shapes and not missing and not unexpected:
        _check_classes(shapes, classes, file)
    if missing or unexpected or shapes:
        wrong = [f"{name} {got} instead of {wanted}" for name, (got, wanted) in shapes.items()]
        kinds = (("missing", missing), ("unexpected", unexpected), ("mis-shaped", wrong))
        listed = [f"{len(names)} {kind} ({listing(names)})" for kind, names in kinds if names]
        raise AABenchError(
            f"{file} does not fit the model: {'; '.join(listed)}{_projections(missing)}{_tables(shapes)}; "
            "give weights of this architecture, or choose the task that they belong to"
        )
    model.load_state_dict(given, strict=False)  # complete, but for counters


def _state_dict(content: Any, file: Path) -> tuple[str, dict[str, Tensor]]:
    entry = "state dict"
    if isinstance(content, dict):
        entry = next((name for name in _ENTRIES if isinstance(content.get(name), dict)), entry)
        found = content.get(entry, content)
        if found and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()):
            return entry, found
    raise AABenchError(
        f"{file} holds no weights: expected a state dict (names and tensors), or a dict with one under "
        f"{', '.join(_ENTRIES)}; got {_description(content)}"
    )


def _description(content: Any) -> str:
    if isinstance(content, dict):
        return f"a dict with {listing([str(key) for key in content]) or 'nothing in it'}"
    return f"a {type(content).__name__}"


def _own_name(name: str, expected: Iterable[str]) -> str:
    while name not in expected:
        stripped = name
        for prefix in _PREFIXES:
            stripped = stripped.removeprefix(prefix)
        if stripped == name:
            break
        name = stripped
    return name


def _check_classes(shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]], classes: int | None, file: Path) -> None:
    """One clear line if only the classifier's outputs differ in number."""
    counts = {got[:1] for got, _ in shapes.values()}
    only_outputs = all(wanted[:1] == (classes,) and got[1:] == wanted[1:] for got, wanted in shapes.values())
    if classes is not None and only_outputs and len(counts) == 1:
        (count,) = counts.pop()
        raise AABenchError(
            f"{file} is for {count} classes and the task's data set has {classes}: "
            "give weights trained on it, or choose the task that they belong to"
        )


def _projections(missing: list[str]) -> str:
    """Why, if all that weights lack is the first block's projection, which torchvision's ResNet-34 does not have."""
    if not missing or any(not name.startswith("layer1.0.downsample.") for name in missing):
        return ""
    return (
        ": the model has a projection shortcut in layer1.0 where the network of these weights has none "
        "(extra_projection; --set extra_projection=false builds the model without)"
    )


def _tables(shapes: Iterable[str]) -> str:
    """Why, if all that has another shape are tables of relative positions."""
    if not shapes or any(not name.endswith(("row_table", "column_table")) for name in shapes):
        return ""
    return (
        ": the tables of relative positions belong to maps of another size, so these weights are for another input size"
    )
