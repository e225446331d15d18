"""Verdict: what the log says of one claim."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import SkipValidation

from aabench.catalog.schema import Claim, Frozen

Judgement = Literal["verified", "consistent", "contradicted", "underpowered", "blocked", "not-run", "unspecified"]
JUDGEMENTS: tuple[Judgement, ...] = (
    "verified",
    "consistent",
    "contradicted",
    "underpowered",
    "blocked",
    "not-run",
    "unspecified",
)
"""All seven, in the order in which a summary counts them."""

MEASURED: tuple[Judgement, ...] = ("verified", "consistent", "contradicted", "underpowered")
"""Those that rest on a measurement."""


SOURCE_LABELS = {"second-hand": "second-hand", "recalled": "unconfirmed", "ours": "our question"}
"""Source tag -> how a value must be shown wherever it is shown (papers/README.md); other tags need no label."""


class Verdict(Frozen):
    """The judgement on one claim, and what it rests on."""

    claim: SkipValidation[Claim]  # the catalog has checked it
    status: Judgement
    reason: str
    """One line."""
    measured: int | float | None = None
    """In ``unit``. None where nothing that counts was measured."""
    unit: str | None = None
    """``parameters``, ``FLOPs``, ``%``, ``points``, ``images``, ``bytes``, ``nats``: never scaled. ``exponent``: how
    much faster than the baseline it grows with the side. ``times``: a ratio to the baseline's."""
    convention: str | None = None
    """How it was counted, or which epoch it is of."""
    interval: tuple[float, float] | None = None
    """95 % interval of ``measured``."""
    n: int | None = None
    n_of: Literal["seeds", "images", "sides", "rounds"] | None = None
    """What ``n`` counts: the seeds, sides or rounds an interval is over, or the test images of one run."""
    rows: tuple[str, ...] = ()
    """Ids of the rows of the log that it rests on."""

    @property
    def claimed(self) -> str:
        """What the paper says, with its source's label: ``25.8 M``, ``above resnet50 (unconfirmed)``."""
        label = SOURCE_LABELS.get(self.claim.tag)
        return f"{self.claim.saying} ({label})" if label else self.claim.saying


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """1 if any claim is contradicted, 3 if nothing was measured for any, else 0."""
    statuses = {verdict.status for verdict in verdicts}
    if "contradicted" in statuses:
        return 1
    return 0 if statuses & set(MEASURED) else 3
