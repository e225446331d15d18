"""Finding: one value of BASE beside the same one of HEAD, and what is to be thought of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, get_args

from pydantic import Field

from aabench.catalog.schema import Frozen
from aabench.errors import AABenchError

Judgement = Literal[
    "regression", "not comparable", "missing", "improvement", "new", "no difference shown", "not judged", "same"
]
"""From what asks for action to what asks for none.

``missing``: in BASE alone. ``new``: in HEAD alone. ``no difference shown``: two times that an interleaved run could not
tell apart by enough. ``not comparable``: the difference would say nothing (another machine, torch or convention).
``not judged``: not what this comparison is for.
"""
JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)

NO_GROUND = ("not comparable", "missing")
"""Judgements that leave the question open: exit code 4."""
SETTLED = ("improvement", "no difference shown", "same")
"""Judgements that let the gate pass, if there is one of them at all."""


class NotComparable(AABenchError):
    """The two sides as a whole cannot be compared."""

    exit_code = 4


class Finding(Frozen):
    """One compared value. A whole point that is on one side only, or failed, is one finding with metric ``point``."""

    judgement: Judgement
    task: str
    """A task; or the full name of a benchmark."""
    level: str
    """Of the rows; ``benchmark`` for pytest-benchmark's, ``rerun`` for an interleaved run."""
    at: dict[str, Any] = Field(default_factory=dict)
    """Input size (for an exponent the two sides that it is between) and way of running."""
    metric: str
    """``macs/model``: metric and convention."""
    unit: str | None = None
    base: int | float | None = None
    head: int | float | None = None
    estimate: float | None = None
    """Of the change, with its 95 % interval: of an interleaved run, where it is not that of the two medians."""
    interval: tuple[float, float] | None = None
    reason: str | None = None

    @property
    def change(self) -> float | None:
        """HEAD relative to BASE, 0.1 for a tenth more; None where a number lacks or BASE is 0."""
        if self.estimate is not None:
            return self.estimate
        if self.base is None or self.head is None or self.base == 0:
            return None
        return self.head / self.base - 1

    @property
    def size(self) -> str:
        """``224``, or ``32..64`` between which it grew; empty where no size belongs to it."""
        given = self.at.get("input_size", ())
        return str(given) if isinstance(given, int) else "..".join(str(side) for side in given)

    @property
    def way(self) -> str:
        """Level and way of running: ``predict, train, batch 8, fp32, cpu``."""
        way = [_words(name, value) for name, value in self.at.items() if name != "input_size" and value is not False]
        return ", ".join([self.level, *way])

    @property
    def place(self) -> str:
        """All of where it was found: ``predict, train, batch 8, fp32, cpu at 224``."""
        return f"{self.way} at {self.size}" if self.size else self.way

    @property
    def numbers(self) -> str:
        """Both numbers as text, with the change where it is exact: ``3,858,000 -> 3,870,000 (+0.311 %)``."""
        if self.base is None or self.head is None:
            return ""
        text = f"{show(self.base)} -> {show(self.head)}"
        exact = self.judgement in ("regression", "improvement") and self.estimate is None
        return f"{text} ({show_change(self.change)})" if exact and self.change is not None else text


class Comparison(Frozen):
    """All that was found between two sides."""

    base: str
    """A file, or a revision."""
    head: str
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[Judgement, int]:
        """How many findings of each judgement there are, in the order of :data:`JUDGEMENTS`."""
        found = Counter(finding.judgement for finding in self.findings)
        return {judgement: found[judgement] for judgement in JUDGEMENTS if found[judgement]}

    @property
    def exit_code(self) -> int:
        """1: something regressed; else 4: something is missing or not comparable; else 3: nothing was judged."""
        counts = self.counts
        if "regression" in counts:
            return 1
        if any(judgement in counts for judgement in NO_GROUND):
            return 4
        return 0 if any(judgement in counts for judgement in SETTLED) else 3

    @property
    def verdict(self) -> str:
        """The outcome in one line."""
        counted = ", ".join(f"{count:,} {_PLURALS.get(name, name)}" for name, count in self.counts.items())
        return f"{_OUTCOMES[self.exit_code]}: {counted or 'nothing to compare'}"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        findings = [{**finding.model_dump(mode="json"), "change": finding.change} for finding in self.findings]
        return {
            "base": self.base,
            "head": self.head,
            "exit_code": self.exit_code,
            "counts": self.counts,
            "findings": findings,
        }


_PLURALS = {"regression": "regression(s)", "improvement": "improvement(s)"}
_OUTCOMES = {0: "no regression", 1: "regression", 3: "nothing could be judged", 4: "not comparable"}


def show(value: int | float) -> str:
    """A number in base units with all digits that matter: counts are compared to the last one."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.7g}"


def show_change(change: float) -> str:
    """A relative change in percent."""
    return f"{100 * change:+.3g} %"


def _words(name: str, value: Any) -> str:
    if name in ("batch", "memory_limit"):
        return f"{name.replace('_', ' ')} {value}"
    return name.replace("_", " ") if value is True else str(value)
