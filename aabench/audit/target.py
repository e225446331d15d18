"""The layer under audit: imported, built and run, with whatever goes wrong there as one sentence."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aabench.audit.adapter import Adapter, Switch, Trial, Word

LONGEST = 200
"""Characters of an error's message that are shown."""


class Obstacle(Exception):
    """The audited code did not do what the audit needs; the message is one sentence."""


class OneSide(Obstacle):
    """The constructor has one number for height and width, and the map is not square."""


@contextmanager
def running(what: str) -> Iterator[None]:
    """Run the target's code: whatever it raises, SystemExit too, is an :class:`Obstacle`."""
    try:
        yield
    except Obstacle:
        raise
    except BaseException as error:
        lines = str(error).strip().splitlines()
        said = f": {textwrap.shorten(lines[0], LONGEST, placeholder=' ...')}" if lines else ""
        raise Obstacle(f"{what} fails with {type(error).__name__}{said}") from error


def load_class(target: str) -> type[nn.Module]:
    """The class of ``module:Class`` or ``path/to/file.py:Class``.

    Raises:
        Obstacle: it cannot be imported, or is no ``nn.Module``.
    """
    place, _, name = target.rpartition(":")
    with running(f"the import of {place}"):
        module = _load_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    if not hasattr(module, name):
        raise Obstacle(f"{place} has no {name}")
    found = getattr(module, name)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise Obstacle(f"{name} of {place} is no torch.nn.Module class")
    return found


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise Obstacle(f"there is no file {path}")
    # What stands beside it can be imported, as if it were run; the name must hide no installed module.
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(f"audited_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise Obstacle(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def build(
    kind: type[nn.Module], adapter: Adapter, size: tuple[int, int], *, relative: bool, seed: int = 0
) -> nn.Module:
    """An instance for maps of ``size``, with its own initial weights, in evaluation mode.

    Raises:
        Obstacle: the constructor fails; :class:`OneSide` if it cannot be told this size.
    """
    arguments: dict[str, Any] = dict(adapter.fixed)
    words = _words(adapter.trial, size, relative)
    for name, what in adapter.constructor.items():
        if isinstance(what, Switch):
            arguments[name] = what.on if relative else what.off
        elif what == "side" and size[0] != size[1]:
            raise OneSide(f"its constructor has one number, {name}, for height and width")
        else:
            arguments[name] = words[what]
    with running("the constructor"):
        torch.manual_seed(seed)
        return kind(**arguments).eval()


def _words(trial: Trial, size: tuple[int, int], relative: bool) -> dict[Word, Any]:
    return {
        "in_channels": trial.in_channels,
        "out_channels": trial.out_channels,
        "kernel_size": trial.kernel_size,
        "padding": trial.kernel_size // 2,
        "dk": trial.dk,
        "dv": trial.dv,
        "dk_per_head": trial.dk // trial.num_heads,
        "dv_per_head": trial.dv // trial.num_heads,
        "kappa": trial.dk / trial.out_channels,
        "upsilon": trial.dv / trial.out_channels,
        "num_heads": trial.num_heads,
        "height": size[0],
        "width": size[1],
        "side": size[0],
        "feature_size": size,
        "relative": relative,
    }


@dataclass(frozen=True)
class Precision:
    """In which dtype the target is run, and up to which relative difference two outputs are the same."""

    dtype: torch.dtype
    tolerance: float


PRECISIONS = (Precision(torch.float64, 1e-8), Precision(torch.float32, 1e-4))
"""In float32 only what cannot run in float64. The least that a known fault changes here is above 1e-2."""


def run(layer: nn.Module, x: Tensor) -> Tensor:
    """The layer's output, without gradients, detached from its storage.

    Raises:
        Obstacle: forward fails, or gives no single map, or one that holds no numbers.
    """
    size = "x".join(str(n) for n in x.shape[-2:])
    with running(f"forward on a {size} map"), torch.no_grad():
        out = layer(x.clone())
    if not isinstance(out, Tensor) or out.dim() != 4:
        raise Obstacle(f"forward on a {size} map gives {_describe(out)}, not one (N, C, H, W) tensor")
    if not bool(out.isfinite().all()):
        raise Obstacle(f"forward on a {size} map gives numbers that are not finite")
    return out.clone()


def _describe(out: object) -> str:
    return f"a tensor of {out.dim()} dimensions" if isinstance(out, Tensor) else f"a {type(out).__name__}"
