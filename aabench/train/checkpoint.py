"""Checkpoint files: written whole or not at all, and read without running what a pickle may hold."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aabench.errors import AABenchError


class Format(NamedTuple):
    """Whose state a file holds, and in which version. ``otherwise``: what else such a file may be good for."""

    of: str
    version: int
    otherwise: str

    @property
    def mark(self) -> str:
        """What the file says of itself."""
        return f"aabench {self.of} {self.version}"


TRAINING = Format("training", 2, "if it holds weights, evaluate them with --checkpoint")
LAST = "checkpoint-last.pt"
"""The newest state of a training: what is resumed."""
BEST = "checkpoint-best.pt"
"""The state after the epoch with the most test images right, or the greatest AP."""
_REFUSED = re.compile(r"unsupported (global|class)|unsupported operand 149\b", re.IGNORECASE)
"""How torch says that a pickle names something to call. 149 is FRAME, which opens every pickle of protocol 4 and
later: torch reads none of these without the full unpickler."""


def write_checkpoint(path: Path, content: dict[str, Any], *, form: Format = TRAINING) -> None:
    """Replace a checkpoint: a kill at any moment leaves the old one or the new one.

    Args:
        path: the file; its folder is made.
        content: tensors, and plain Python values.
        form: whose state it is.

    Raises:
        AABenchError: it cannot be written; what was there before is still there.
    """
    # One name for each file, so that a part left by a kill is overwritten by the next checkpoint.
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            torch.save({"format": form.mark, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        kept = "; the checkpoint before it is still there" if path.exists() else ""
        raise AABenchError(
            f"cannot write the checkpoint {path} ({_brief(error)}); make room there, or choose another folder{kept}"
        ) from error


def read_checkpoint(path: Path, *, form: Format = TRAINING) -> dict[str, Any]:
    """What :func:`write_checkpoint` wrote in that format, on the CPU.

    Raises:
        AABenchError: the file is missing, corrupt, or of another format.
    """
    content = read_tensors(path)
    if not isinstance(content, dict) or content.get("format") != form.mark:
        raise AABenchError(
            f"{path} is no checkpoint of a {form.of} by this version of aabench, so it cannot be resumed; "
            f"{form.otherwise}"
        )
    return content


def read_tensors(path: Path) -> Any:
    """Read any file of ``torch.save`` that holds tensors and plain values, onto the CPU.

    Raises:
        AABenchError: it is missing, truncated or corrupt, or its pickle would run code (it is not run).
    """
    try:
        path.open("rb").close()
    except FileNotFoundError as error:
        raise AABenchError(f"there is no checkpoint {path}; give the file of one") from error
    except OSError as error:
        raise AABenchError(f"cannot read the checkpoint {path} ({_brief(error)})") from error
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # what comes of it is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a corrupt pickle can fail in any way
        if isinstance(error, pickle.UnpicklingError) and _REFUSED.search(str(error)):
            raise AABenchError(
                f"refused to read the checkpoint {path}: it holds more than tensors and plain values, and loading that "
                "can run code; save its state_dict alone, where you trust it, and give that file"
            ) from error
        raise AABenchError(
            f"the checkpoint {path} is truncated or corrupt ({path.stat().st_size} bytes), or no checkpoint at all; "
            "fetch or copy it again, or take an earlier one"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _brief(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
