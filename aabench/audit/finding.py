"""What an audit says: one finding a check, and together a report."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["pass", "fail", "not-checked"]


class Finding(BaseModel):
    """One check: how it went, and why, in one sentence.

    ``fault`` is the short name of what differs from the paper. A check that fails only because of a fault which
    another check names (a parameter count that is wrong by the projection's kernel) has none of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    status: Status
    reason: str
    fault: str | None = None


class Report(BaseModel):
    """All findings on one target. ``obstacle`` says why it could not be audited, where it could not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str
    findings: tuple[Finding, ...] = ()
    obstacle: str | None = None

    @property
    def differences(self) -> tuple[str, ...]:
        """The faults' names, each once, in the order of the checks."""
        return tuple(dict.fromkeys(finding.fault for finding in self.findings if finding.fault))

    @property
    def exit_code(self) -> int:
        """0 conforms, 1 differs, 3 could not be audited."""
        if any(finding.status == "fail" for finding in self.findings):
            return 1
        return 3 if self.obstacle else 0
