"""Which rows of the log count for a claim, and what there is to say of those that do not."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aabench.catalog import Claim
from aabench.errors import AABenchError
from aabench.record import Level, Measurement
from aabench.verify.statistics import Mask


@dataclass(frozen=True)
class Evidence:
    """A task's rows of some levels, oldest first: ``rows`` count, ``others`` do not (altered, or not ended well)."""

    task: str
    rows: tuple[Measurement, ...]
    others: tuple[Measurement, ...]

    @property
    def latest(self) -> Measurement | None:
        """The newest row that counts."""
        return self.rows[-1] if self.rows else None

    @property
    def aside(self) -> str:
        """`` (not judged: 2 altered, 1 failed)``, or nothing."""
        kinds = Counter("altered" if row.altered and row.status == "ok" else row.status for row in self.others)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        return f" (not judged: {listed})" if listed else ""


def evidence(task: str, levels: Sequence[Level], rows: Iterable[Measurement]) -> Evidence:
    """Gather a task's rows of these levels. A row that a merge brought in twice counts once."""
    own = {row.id: row for row in rows if row.task == task and row.level in levels}
    ordered = sorted(own.values(), key=lambda row: row.time)
    return Evidence(
        task=task,
        rows=tuple(row for row in ordered if row.status == "ok" and not row.altered),
        others=tuple(row for row in ordered if row.status != "ok" or row.altered),
    )


@dataclass(frozen=True)
class Run:
    """One run's accuracy in percent on ``images`` test images."""

    row: Measurement
    percent: float
    images: int
    convention: str | None

    @property
    def correct(self) -> int:
        """Images it got right (for top-5: within five)."""
        return round(self.percent / 100 * self.images)


def accuracy_runs(claim: Claim, found: Evidence) -> list[Run]:
    """The runs that an accuracy claim is judged by: the newest of each trained seed, else the newest evaluation.

    An evaluation is not counted among the seeds: it may be of the weights that one of them wrote. Of a training run,
    the last epoch counts, unless the claim is on the best.
    """
    newest = {row.seed if row.seed is not None else row.id: row for row in found.rows if row.level == "train"}
    trained = sorted(newest.values(), key=lambda row: row.time)
    evaluated = [row for row in found.rows if row.level == "eval"]
    runs = [_run(claim.metric, claim.convention or "last", row) for row in trained]
    if not trained:
        runs = [_run(claim.metric, None, row) for row in evaluated[-1:]]
    return [run for run in runs if run is not None]


def _run(metric: str, convention: str | None, row: Measurement) -> Run | None:
    value, images = row.get(metric, convention), row.get("images")
    if value is None or value.value is None or images is None or not images.value:
        return None
    return Run(row, float(value.value), int(images.value), value.convention)


def correct_mask(run: Run) -> Mask | None:
    """Which test images the run got right, (images,); None if the row does not say so for the accuracy judged.

    The mask is ``detail["correct_mask"]``: base64 of zlib of numpy.packbits, in the data set's order.

    Raises:
        AABenchError: what is there is no such mask.
    """
    packed = run.row.detail.get("correct_mask")
    if packed is None:
        return None
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), dtype=np.uint8)
    except (TypeError, ValueError, zlib.error) as error:
        raise _bad_mask(run, f"is no packed mask: {error}") from error
    if len(bits) != (run.images + 7) // 8:
        raise _bad_mask(run, f"has {8 * len(bits)} bits for {run.images} images")
    mask = np.unpackbits(bits, count=run.images).astype(np.bool_)
    return mask if int(mask.sum()) == run.correct else None


def _bad_mask(run: Run, problem: str) -> AABenchError:
    return AABenchError(
        f"row {run.row.id}: detail.correct_mask {problem}; take the row out of the log, or measure it again"
    )
