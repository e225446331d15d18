"""Measurement: one thing that was run here, as one row of the log."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aabench.catalog.schema import Frozen

SCHEMA_VERSION = 3
"""Version 2 added the level ``predict`` and the status ``oom``, version 3 the levels ``supernet`` and ``search``; rows
of earlier versions are read as they are."""
Level = Literal["structure", "smoke", "eval", "train", "predict", "profile", "supernet", "search"]
"""``predict``: what a point of a profile will take, with nothing run. ``supernet`` and ``search``: of the scheme of a
task's attention, see :mod:`aabench.search`. The others as in :mod:`aabench.levels`."""
Status = Literal["ok", "failed", "interrupted", "blocked", "oom"]
"""``blocked``: it could not start because something is missing (data, weights, a device). ``oom``: it ran out of
memory. ``error`` says what or how."""

DIVERGED = "diverged_at_step"
"""What the detail of a training's row holds if its loss or a weight was not finite: a result, if no number."""


class Value(Frozen):
    """One measured number with its label; ``value`` is None only with a ``reason``."""

    metric: str
    """``params``, ``macs``, ``flops``, ``top1``, ``latency_ms``, ``memory`` ..."""
    value: int | float | None = Field(allow_inf_nan=False)
    unit: str
    """``params``, ``MACs``, ``FLOPs``, ``%``, ``images``, ``ms``, ``bytes`` ... : base units, never scaled."""
    convention: str | None = None
    """Which kind of the metric: ``flops``, ``aa-paper``, ``model``, ``executed``, ``rss_peak``, ``best``, ``last``."""
    reason: str | None = None
    """Why there is no value."""

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if (self.value is None) != (self.reason is not None):
            raise ValueError(f"{self.metric}: either a value, or the reason why there is none")
        return self


class Measurement(Frozen):
    """One row of the log. Failures are rows too, with ``error``."""

    schema_version: int = SCHEMA_VERSION
    id: str
    time: str
    """UTC, ISO 8601."""
    task: str
    level: Level
    status: Status
    seed: int | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    """What determines the run: model arguments, input size, batch, data type, recipe ..."""
    altered: dict[str, Any] = Field(default_factory=dict)
    """What was changed against the task's own definition; such a row is never judged against the paper."""
    values: tuple[Value, ...] = ()
    detail: dict[str, Any] = Field(default_factory=dict)
    """What a report may show besides: learning curve, per-module counts, raw samples, per-image correctness."""
    error: str | None = None
    environment: dict[str, Any] = Field(default_factory=dict)

    def get(self, metric: str, convention: str | None = None) -> Value | None:
        """The value of a metric (and convention, if given), or None if this row does not have it."""
        return next((v for v in self.values if v.metric == metric and convention in (None, v.convention)), None)

    def number(self, metric: str, convention: str | None = None) -> float | int:
        """The number of a metric that this row is known to have.

        Raises:
            ValueError: it does not.
        """
        value = self.get(metric, convention)
        if value is None or value.value is None:
            raise ValueError(f"row {self.id} has no {metric}{f' ({convention})' if convention else ''}")
        return value.value
