"""A comparison for GitHub Actions: annotations (workflow commands) and the step's summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from aabench.compare.finding import Comparison, Judgement
from aabench.compare.summary import Change, changes, notes
from aabench.report.markdown import bold, escape, table

_COMMANDS: dict[Judgement, str] = {
    "regression": "error",
    "not comparable": "warning",
    "missing": "warning",
    "improvement": "notice",
}
SHOWN = 10
"""Annotations of a kind that GitHub shows for one step; the last one then says how many there are besides."""


def workflow_commands(comparison: Comparison) -> Iterator[str]:
    """Lines for stdout: ``::error title=...::...`` for a regression; warnings and notices for the rest that matters."""
    grouped: dict[str, list[str]] = {}
    for judgement, title, text in _worth_seeing(comparison):
        if judgement in _COMMANDS:
            command = _COMMANDS[judgement]
            line = f"::{command} title={_property(f'{judgement}: {title}')}::{_data(text)}"
            grouped.setdefault(command, []).append(line)
    for command, found in grouped.items():
        fits = len(found) <= SHOWN
        yield from found if fits else found[: SHOWN - 1]
        if not fits:
            yield f"::{command} title=aabench compare::{len(found) - SHOWN + 1} more in the step's summary"


def _worth_seeing(comparison: Comparison) -> Iterator[tuple[Judgement, str, str]]:
    for change in changes(comparison.findings):
        found = change.finding
        at = f" at {change.sizes}" if change.sizes else ""
        yield found.judgement, found.task, f"{found.metric}{at} ({found.way}): {change.said}"
    for note in notes(comparison.findings):
        yield note.judgement, note.subject, note.reason


def summary(comparison: Comparison) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``."""
    said = [f"### aabench compare: {escape(comparison.verdict)}", ""]
    said += [f"BASE {escape(comparison.base)}, HEAD {escape(comparison.head)}", ""]
    rows = [_row(change) for change in changes(comparison.findings)]
    if rows:
        said += [*table(pd.DataFrame(rows)), ""]
    said += [
        f"- {bold(note.judgement)}: {escape(f'{note.subject}: {note.reason}')}" for note in notes(comparison.findings)
    ]
    return "\n".join(said).strip() + "\n\n"


def _row(change: Change) -> dict[str, str]:
    found = change.finding
    return {
        "judgement": found.judgement,
        "task": found.task,
        "run": found.way,
        "metric": found.metric,
        "at": change.sizes,
        "BASE -> HEAD": change.said,
    }


def _data(text: str) -> str:
    """Escaped as the runner's toolkit does: https://github.com/actions/toolkit, packages/core/src/command.ts."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
