"""Verdicts without a measurement: what is missing, and what would get it."""

from __future__ import annotations

from aabench.catalog import Claim
from aabench.record import Level, Measurement, Value
from aabench.verify.evidence import Evidence
from aabench.verify.verdict import Verdict


def unspecified(claim: Claim) -> Verdict:
    """The paper's value is not known."""
    return Verdict(claim=claim, status="unspecified", reason="the paper's value is not known")


def blocked(claim: Claim, task: str, missing: str | None) -> Verdict:
    """The claim's task (or its baseline) lacks something."""
    of = "" if task == claim.task else f"the baseline {task}: "
    return Verdict(claim=claim, status="blocked", reason=f"{of}{missing}")


def not_measured(claim: Claim, found: Evidence, level: Level, options: str = "") -> Verdict:
    """No row that counts: blocked if the last try lacked something, else not run; ``options``: of the command."""
    last = found.others[-1] if found.others else None
    status = last.status if last else "ok"
    if last and status == "blocked":
        return blocked(claim, found.task, last.error)
    command = f"`aabench reproduce {found.task} --level {level}{options}`"
    if last and status == "failed":
        reason = f"the last try failed ({last.error}); {command} tries again"
    elif status == "interrupted":
        reason = f"the last run was interrupted; {command} measures it"
    else:
        reason = f"{command} measures it"
    return Verdict(claim=claim, status="not-run", reason=reason + found.aside)


def without_value(claim: Claim, row: Measurement, value: Value | None) -> Verdict:
    """A row that counts but lacks the number: blocked with its reason, or measured before there was such a number."""
    if value is not None and value.reason is not None:
        return blocked(claim, row.task, value.reason)
    counted = f" counted as {claim.convention}" if claim.convention else ""
    reason = (
        f"row {row.id} has no {claim.metric}{counted}; `aabench reproduce {row.task} --level {row.level}` measures it"
    )
    return Verdict(claim=claim, status="not-run", reason=reason, rows=(row.id,))
