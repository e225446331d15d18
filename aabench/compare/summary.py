"""Findings drawn together for a person: a change that shows at many sizes is one line, a reason for many one note."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from aabench.compare.finding import Finding, Judgement

CHANGES: tuple[Judgement, ...] = ("regression", "improvement", "no difference shown")
"""Judgements on numbers. The same is only counted; the others are notes."""
_NAMED = 3
"""Tasks and metrics that a note names before it only counts."""


@dataclass(frozen=True)
class Change:
    """One changed number of a task run one way, at one size or several."""

    finding: Finding
    """The one that changed most."""
    more: int
    """At how many other sizes it changed too."""

    @property
    def sizes(self) -> str:
        """The size, and at how many others: ``64 and 2 more``."""
        return self.finding.size + (f" and {self.more} more" if self.more else "")

    @property
    def said(self) -> str:
        """Both numbers, the change, and what else there is to know."""
        return "; ".join(filter(None, (self.finding.numbers, self.finding.reason)))


@dataclass(frozen=True)
class Note:
    """What was not judged, missing, new or not comparable for one reason."""

    judgement: Judgement
    subject: str
    """Which metrics, of how many points of which tasks."""
    reason: str

    def __str__(self) -> str:
        return f"{self.judgement}: {self.subject}: {self.reason}"


def changes(findings: Iterable[Finding]) -> list[Change]:
    """The judged numbers that are not the same, in the order given."""
    judged = [finding for finding in findings if finding.judgement in CHANGES]
    return [Change(max(group, key=_size), len(group) - 1) for group in _grouped(judged, _run)]


def notes(findings: Iterable[Finding]) -> list[Note]:
    """The rest, in the order given."""
    rest = [finding for finding in findings if finding.judgement not in (*CHANGES, "same")]
    groups = _grouped(rest, lambda finding: (finding.judgement, finding.reason))
    return [Note(group[0].judgement, _subject(group), group[0].reason or "") for group in groups]


def _run(finding: Finding) -> Hashable:
    """All but the size. Times are no such curve: each has an interval of its own."""
    way = tuple((name, value) for name, value in finding.at.items() if name != "input_size" or finding.interval)
    return finding.judgement, finding.task, finding.level, way, finding.metric, finding.reason


def _grouped(findings: Iterable[Finding], share: Callable[[Finding], Hashable]) -> Iterable[list[Finding]]:
    groups: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(share(finding), []).append(finding)
    return groups.values()


def _size(finding: Finding) -> float:
    return abs(finding.change or 0.0)


def _subject(group: list[Finding]) -> str:
    metrics = _few(dict.fromkeys(finding.metric for finding in group if finding.metric != "point"), "metrics")
    points = {(finding.task, finding.level, finding.place) for finding in group}
    tasks = _few(dict.fromkeys(finding.task for finding in group), "tasks")
    where = f"({group[0].place})" if len(points) == 1 else f"at {len(points)} points"
    return " ".join(filter(None, (metrics and f"{metrics} of", tasks, where)))


def _few(names: Iterable[str], what: str) -> str:
    named = list(names)
    return ", ".join(named) if len(named) <= _NAMED else f"{len(named)} {what}"
