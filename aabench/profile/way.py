"""How a network is run: what two points must share to be compared. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aabench.errors import AABenchError

CHOICES = {
    "mode": ("infer", "forward", "train"),
    "dtype": ("fp32", "bf16", "fp16"),
    "device": ("cpu", "cuda"),
    "allocator": ("default", "warm"),
}


@dataclass(frozen=True)
class Way:
    """A way of running.

    Args:
        mode: ``infer`` (a forward pass in evaluation mode), ``forward`` (one in train mode, with nothing after it) or
            ``train`` (a whole step), see :mod:`aabench.profile.workload`.
        batch: images a call.
        dtype: ``fp32``, ``bf16`` or ``fp16``.
        device: ``cpu`` or ``cuda``.
        compile: through ``torch.compile``.
        channels_last: images and weights in that memory format.
        allocator: of the CPU: ``default`` or ``warm``, see :mod:`aabench.allocator`.
        synchronised: on CUDA, whether a time ends when the device is done; else when all its work was handed over. On
            the CPU a call returns when it is done: there is nothing to wait for, and the setting changes nothing.

    Raises:
        AABenchError: a setting that is none of the known ones, an empty batch.
    """

    mode: str = "infer"
    batch: int = 1
    dtype: str = "fp32"
    device: str = "cpu"
    compile: bool = False
    channels_last: bool = False
    allocator: str = "default"
    synchronised: bool = True

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            given = getattr(self, name)
            if given not in known:
                raise AABenchError(f"{name} is {' or '.join(known)}, not {given!r}")
        if self.batch < 1:
            raise AABenchError(f"batch must be above 0, got {self.batch}")

    def settings(self) -> dict[str, Any]:
        """As a row of the log has it."""
        return dataclasses.asdict(self)


def waits_for_device(settings: Mapping[str, Any]) -> bool:
    """Whether the times of a row with these settings are of work that was done.

    So they always are on the CPU, and in rows from before there was the setting.
    """
    return settings.get("device") != "cuda" or bool(settings.get("synchronised", True))


@dataclass(frozen=True)
class Effort:
    """How long and how carefully each point is timed, see :func:`aabench.profile.measure_latency`.

    Raises:
        AABenchError: a number that is not above 0.
    """

    seconds: float = 7.0
    precision: float = 0.02
    flush_l2: bool = False

    def __post_init__(self) -> None:
        for name in ("seconds", "precision"):
            if not getattr(self, name) > 0:
                raise AABenchError(f"{name} must be above 0, got {getattr(self, name)}")

    def settings(self) -> dict[str, Any]:
        """As a row of the log has it."""
        return dataclasses.asdict(self)
