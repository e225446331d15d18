"""The report's first half: the summary of the verdicts, then every claim with its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import pandas as pd

from aabench.catalog import Catalog
from aabench.report.markdown import bold, code, table
from aabench.report.numbers import MISSING, show
from aabench.verify import JUDGEMENTS, LATENCY_MARGIN, MARGIN, Verdict

MEANING = {
    "verified": f"what we measured prints as the paper's number; an accuracy: its 95 % interval lies within {MARGIN} "
    f"points of the paper's number, an increase in latency: within {LATENCY_MARGIN:g}; memory: less at every side; "
    "growth: never faster from one side to the next",
    "consistent": "the interval holds the paper's number, and reaches more than that beyond it; memory: less at some "
    "sides; growth: the last step at which they differ is slower",
    "contradicted": "what we measured prints as another number; an accuracy or latency: its interval does not hold the "
    "paper's; memory: less at no side; growth: the last step at which they differ is faster, or there is none",
    "underpowered": "the interval is wider than the effect that the paper claims: too few seeds or images to tell; or "
    "sides are missing; or the claim is of the best of pairs that are not named, "
    "and this pair's interval does not hold it",
    "blocked": "it needs something that is not here",
    "not-run": "it could be measured, and was not",
    "unspecified": "the paper's number is not known",
}


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """How many claims of each table hold, which are contradicted, and what is missing for the others."""
    return [
        "## Summary",
        "",
        *_counts(verdicts),
        "",
        *(f"- **{word}**: {MEANING[word]}" for word in JUDGEMENTS if any(v.status == word for v in verdicts)),
        "",
        *_contradicted(verdicts),
        *_missing(verdicts),
    ]


def _counts(verdicts: Sequence[Verdict]) -> list[str]:
    used = [word for word in JUDGEMENTS if any(verdict.status == word for verdict in verdicts)]
    lines: list[dict[str, object]] = []
    for paper, table_name, group in _by_table(verdicts):
        statuses = [verdict.status for verdict in group]
        counts: dict[str, object] = {word: statuses.count(word) or "" for word in used}
        lines.append({"paper": paper, "table": table_name, **counts, "claims": len(group)})
    statuses = [verdict.status for verdict in verdicts]
    total: dict[str, object] = {word: bold(str(statuses.count(word))) for word in used}
    lines.append({"paper": bold("all"), "table": "", **total, "claims": bold(str(len(verdicts)))})
    return table(pd.DataFrame(lines, dtype=object), right=[*used, "claims"])


def _contradicted(verdicts: Sequence[Verdict]) -> list[str]:
    found = [verdict for verdict in verdicts if verdict.status == "contradicted"]
    if not found:
        return []
    lines = [{"task": code(v.claim.task), "claim": _claim_name(v), "paper": v.claimed, "why": v.reason} for v in found]
    return ["### Contradicted", "", *table(pd.DataFrame(lines, dtype=object)), ""]


def _missing(verdicts: Sequence[Verdict]) -> list[str]:
    absent = [verdict for verdict in verdicts if verdict.status in ("blocked", "not-run")]
    reasons: dict[tuple[str, str], int] = {}
    for verdict in absent:
        key = (verdict.status, verdict.reason)
        reasons[key] = reasons.get(key, 0) + 1
    if not reasons:
        return []
    lines = [
        {"": status, "claims": count, "why": reason}
        for (status, reason), count in sorted(reasons.items(), key=lambda item: (item[0][0], -item[1]))
    ]
    return ["### Missing", "", *table(pd.DataFrame(lines, dtype=object), right=["claims"]), ""]


def all_claims(verdicts: Sequence[Verdict], catalog: Catalog) -> list[str]:
    """Every claim, by paper and table."""
    lines = ["## Claims", "", *_legend(verdicts), ""]
    for paper, tables in groupby(_by_table(verdicts), key=lambda item: item[0]):
        lines += [f"### {_title(paper, catalog)}", ""]
        for _, table_name, group in tables:
            lines += [f"#### {table_name}", "", *table(_claims_table(group), right=["paper", "measured"]), ""]
    return lines


def _legend(verdicts: Sequence[Verdict]) -> list[str]:
    lines = [
        "Measured numbers are ours; the paper's are as printed, and their last digit is their precision. "
        "`±` is half of a 95 % interval's width."
    ]
    if any(verdict.convention == "aa-paper" for verdict in verdicts):
        lines.append(
            "FLOPs counted as `aa-paper` follow that paper's tables: 2 a multiply-add in convolutions and linear "
            "layers, 1 in the products of attention, none in softmax and relative logits; the pooling and scaling of "
            "Squeeze-and-Excite count 1 an element."
        )
    if any(verdict.claim.of_best_epoch for verdict in verdicts):
        lines.append(
            "*best epoch*: the paper's accuracy is that of the best epoch on the test set, so that ours is too; what "
            "the last epoch gave stands beside it."
        )
    labels = {verdict.claim.tag for verdict in verdicts}
    if "second-hand" in labels:
        lines.append("*second-hand*: somebody else's transcription of the paper.")
    if "recalled" in labels:
        lines.append("*unconfirmed*: recalled, with no document at hand.")
    if "ours" in labels:
        lines.append("*our question*: no paper says it; it is judged like a claim.")
    if any(verdict.claim.kind == "growth" for verdict in verdicts):
        lines.append(
            "The exponent measured of a growth is that of a line through the logarithms of cost and side, less the "
            "baseline's. Memory that belongs to the weights is left out there."
        )
    return lines


def _claims_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    lines = [
        {
            "row": verdict.claim.row,
            "task": code(verdict.claim.task),
            "metric": verdict.claim.measure,
            "paper": verdict.claimed,
            "measured": _measured(verdict),
            "convention": verdict.convention or "",
            "verdict": bold(verdict.status) if verdict.status == "contradicted" else verdict.status,
            "why": verdict.reason,
        }
        for verdict in verdicts
    ]
    return pd.DataFrame(lines, dtype=object)


def _measured(verdict: Verdict) -> str:
    if verdict.measured is None:
        return MISSING
    claimed = verdict.claim.value
    exact = verdict.interval is None and claimed is not None and verdict.unit in ("parameters", "FLOPs")
    shown = claimed.format(verdict.measured) if exact and claimed else show(verdict.measured, verdict.unit)
    if verdict.interval is None:
        return shown
    low, high = verdict.interval
    return f"{shown} ± {(high - low) / 2:.2f}"


def _claim_name(verdict: Verdict) -> str:
    return f"{verdict.claim.table}, {verdict.claim.row}: {verdict.claim.measure}"


def _by_table(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, str, list[Verdict]]]:
    """(paper, table, its verdicts), papers and tables in the order in which they first appear."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.claim.paper, verdict.claim.table), []).append(verdict)
    papers = list(dict.fromkeys(paper for paper, _ in groups))
    for (paper, name), group in sorted(groups.items(), key=lambda item: papers.index(item[0][0])):
        yield paper, name, group


def _title(paper: str, catalog: Catalog) -> str:
    known = catalog.papers[paper]
    link = f", [arXiv:{known.arxiv}](https://arxiv.org/abs/{known.arxiv})" if known.arxiv else ""
    return f"{known.title} ({known.venue}{link})"
