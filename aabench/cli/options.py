"""Options that several commands share, with their environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

LogOption = Annotated[
    Path, typer.Option("--log", envvar="AABENCH_LOG", help="The measurement log (JSON Lines).", show_default=True)
]
DataOption = Annotated[
    Path | None, typer.Option("--data", envvar="AABENCH_DATA", help="Data root, laid out as torchvision expects it.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="cpu or cuda; default: cuda where there is one.")]
TaskArguments = Annotated[list[str] | None, typer.Argument(help="Tasks of `aabench list`.", show_default=False)]

LOG = Path("runs/log.jsonl")


def pick_device(given: str | None) -> Literal["cpu", "cuda"]:
    """The device asked for, or the best one here.

    Raises:
        AABenchError: an unknown device, or CUDA where torch finds none.
    """
    import torch

    from aabench.errors import AABenchError

    if given is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if given == "cpu":
        return "cpu"
    if given != "cuda":
        raise AABenchError(f"device is cpu or cuda, not {given!r}")
    if not torch.cuda.is_available():
        raise AABenchError("CUDA was asked for, and torch finds no CUDA device here; `aabench doctor` says why")
    return "cuda"
