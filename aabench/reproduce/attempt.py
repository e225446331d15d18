"""Measure a task at a level: one row for the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from aabench.errors import AABenchError, DidNotHold
from aabench.levels import Level
from aabench.record import DIVERGED, Measurement, new, status_of
from aabench.reproduce.evaluation import eval_level
from aabench.reproduce.job import Found, Job, Run
from aabench.reproduce.smoke import smoke_level
from aabench.reproduce.structure import structure_level
from aabench.reproduce.termination import sigterm_interrupts
from aabench.reproduce.training import train_level


class Outcome(NamedTuple):
    """The row of a measurement, and the error if it did not end well."""

    row: Measurement
    error: AABenchError | KeyboardInterrupt | None


_MEASURES: dict[Level, Callable[[Run], Found]] = {
    "structure": structure_level,
    "smoke": smoke_level,
    "eval": eval_level,
    "train": train_level,
}


def attempt(job: Job, name: str, level: Level) -> Outcome:
    """Measure a task at a level. A run that fails, is blocked or interrupted gives a row too."""
    run = job.run(name)

    def measured() -> Found:
        job.reach(run.task).require(level)
        return _MEASURES[level](run)

    common = {"task": name, "level": level, "seed": job.seed if level in ("smoke", "train") else None}
    return outcome(measured, common, settings=run.settings, altered=run.altered)


def outcome(
    measured: Callable[[], Found], common: dict[str, Any], *, settings: dict[str, Any], altered: dict[str, Any]
) -> Outcome:
    """The row of a measurement, however it ends.

    Args:
        measured: measures.
        common: task, level and seed.
        settings: what the row says of a measurement that did not come to an end.
        altered: what is not as the catalog has it.
    """
    common = {**common, "altered": altered}
    try:
        with sigterm_interrupts():
            found = measured()
    except (AABenchError, KeyboardInterrupt) as error:
        message = str(error) or "interrupted from the keyboard"
        common |= {"settings": settings, "detail": _divergence(error), "error": message}
        return Outcome(new(**common, status=status_of(error)), error)
    common |= {"settings": found.settings, "values": found.values, "detail": found.detail}
    common["altered"] = {**altered, **found.altered}
    if found.error is not None:
        return Outcome(new(**common, status="failed", error=found.error), DidNotHold(found.error))
    return Outcome(new(**common), None)


def _divergence(error: BaseException) -> dict[str, Any]:
    """What the row of a training that diverged tells of it: a result of its own, not a failure to measure."""
    if isinstance(error, KeyboardInterrupt):
        return {}  # it may have come in the middle of an import, which must not be begun again then
    from aabench.train import Diverged

    return {DIVERGED: error.step} if isinstance(error, Diverged) else {}
