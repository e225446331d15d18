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


SOURCE_LABELS = {"second-hand": "second-hand", "recalled": "unconfirmed"}
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
    """``parameters``, ``FLOPs``, ``%``, ``points``, ``images``: never scaled."""
    convention: str | None = None
    """How it was counted, or which epoch it is of."""
    interval: tuple[float, float] | None = None
    """95 % interval of ``measured``."""
    n: int | None = None
    n_of: Literal["seeds", "images"] | None = None
    """What ``n`` counts: the seeds an interval is over, or the test images of one run."""
    rows: tuple[str, ...] = ()
    """Ids of the rows of the log that it rests on."""

    @property
    def claimed(self) -> str:
        """What the paper says, with its source's label: ``25.8 M``, ``above resnet50 (unconfirmed)``."""
        claim = self.claim
        value = str(claim.value) if claim.value else ("above" if claim.kind == "ordinal" else "unspecified")
        if claim.baseline:
            value += f" {claim.baseline}" if claim.kind == "ordinal" else f" over {claim.baseline}"
        label = SOURCE_LABELS.get(claim.tag)
        return f"{value} ({label})" if label else value


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """1 if any claim is contradicted, 3 if nothing was measured for any, else 0."""
    statuses = {verdict.status for verdict in verdicts}
    if "contradicted" in statuses:
        return 1
    return 0 if statuses & set(MEASURED) else 3
