"""What the output tells: where the branches are in it, and which known faults explain its attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from aabench.audit.faults import CHECKS, FAULTS, MOST, PROJECTION, Fault, applicable, distance, explain, form_of
from aabench.audit.finding import Finding
from aabench.audit.formula import Form, attend, same_conv
from aabench.audit.subject import Subject, papers_layer, tables_fit

VISIBLE = 1e-2
"""A fault is told apart if it changes the output by more than this share of its largest value. Ours."""


@dataclass(frozen=True)
class Layout:
    """Where the attention's channels are in the output."""

    attention_first: bool
    attention: slice

    def attended(self, out: Tensor) -> Tensor:
        """(N, F_out, H, W) -> (N, dv, H, W)."""
        return out[:, self.attention]


@dataclass(frozen=True)
class Judged:
    """The attention on square maps: the faults that explain it (none: it is the paper's), or None: unknown."""

    faults: tuple[Fault, ...] | None

    @property
    def form(self) -> Form | None:
        """What it computes, if that is known."""
        return None if self.faults is None else form_of(self.faults)

    def has(self, name: str) -> bool:
        """Whether it has the fault of this name."""
        return any(fault.name == name for fault in self.faults or ())


def shape_finding(subject: Subject, out: Tensor) -> Finding:
    """The output has the channels of both branches, and the map's size."""
    check = "output shape"
    values = subject.values
    attention = subject.slots.dv if values.output is None else values.output.shape[0]
    total = attention + (0 if values.conv is None else values.conv.shape[0])
    wanted = (2, total, *subject.size)
    if tuple(out.shape) == wanted:
        return Finding(check=check, status="pass", reason=f"{wanted}: the channels of both branches")
    reason = f"{tuple(out.shape)} where the channels of its branches make {wanted}"
    return Finding(check=check, status="fail", reason=reason, fault="output-shape")


def find_layout(subject: Subject, out: Tensor) -> tuple[Layout, list[Finding]]:
    """Where the convolution's channels are; the attention's are the others."""
    order, branch = "order of concatenation", "convolution branch"
    conv = subject.values.conv
    if conv is None:
        reason = "the adapter names no convolution branch; the attention alone is audited"
        return Layout(False, slice(None)), [
            Finding(check=name, status="not-checked", reason=reason) for name in (order, branch)
        ]
    by_conv, channels = same_conv(subject.images(), conv), conv.shape[0]
    first, last = out[:, :channels], out[:, -channels:]
    tolerance = subject.precision.tolerance
    same = Finding(check=branch, status="pass", reason="a convolution with its weights that keeps the map's size")
    if distance(first, by_conv) <= tolerance:
        reason = "convolution channels first, attention channels last"
        return Layout(False, slice(channels, None)), [Finding(check=order, status="pass", reason=reason), same]
    if distance(last, by_conv) <= tolerance:
        reason = "attention channels come first; the paper's convolution channels do"
        moved = Finding(check=order, status="fail", reason=reason, fault="attention-first")
        return Layout(True, slice(None, -channels)), [moved, same]
    untold = "the convolution's output is neither first nor last; its channels are taken to come first"
    reason = f"differs by {distance(first, by_conv):.1%} from a convolution with its weights that keeps the map's size"
    return Layout(False, slice(channels, None)), [
        Finding(check=order, status="not-checked", reason=untold),
        Finding(check=branch, status="fail", reason=reason, fault="convolution-branch"),
    ]


def judge(subject: Subject, attended: Tensor) -> Judged:
    """Which faults explain the attention's output. With tables of another shape nothing does."""
    if not tables_fit(subject):
        return Judged(None)
    heads, tolerance = subject.trial.num_heads, subject.precision.tolerance
    return Judged(explain(attended, subject.images(), subject.values, heads, tolerance))


def attention_findings(subject: Subject, attended: Tensor, judged: Judged, excuse: str | None) -> Iterator[Finding]:
    """The output against the paper's layer, and one finding for each thing that could be wrong in it.

    ``excuse`` names what another finding has shown to spoil the output, whatever else is in it.
    """
    yield _against_the_paper(subject, attended, judged, excuse)
    for check in CHECKS:
        yield _absent_projection(check) if _lacks(subject, check) else _by_form(subject, check, judged)


def _against_the_paper(subject: Subject, attended: Tensor, judged: Judged, excuse: str | None) -> Finding:
    check = "attention output"
    paper = papers_layer(subject)
    digits = str(subject.precision.dtype).removeprefix("torch.")
    if paper is None:
        if judged.faults == ():
            reason = "its weights have other shapes than the paper's; with them as they are, the equation gives it"
            return Finding(check=check, status="not-checked", reason=reason)
        differs = "cannot be compared with the paper's layer, since its weights have other shapes"
    else:
        with torch.no_grad():
            share = distance(attended, paper.attend(subject.images()))
        if share <= subject.precision.tolerance:
            within = f"within {share:.0e}" if share else "to the last bit"
            reason = f"equals aabench's AAConv2d with the same weights {within} ({digits})"
            return Finding(check=check, status="pass", reason=reason)
        differs = f"differs from the paper's by {share:.0%} of its largest value"
    if judged.faults is not None:
        return Finding(
            check=check, status="fail", reason=f"{differs}: {'; '.join(fault.says for fault in judged.faults)}"
        )
    if excuse is not None:
        return Finding(
            check=check, status="fail", reason=f"{differs}; what else differs cannot be told beside: {excuse}"
        )
    reason = f"{differs}, by an unknown cause: none of {len(FAULTS)} known faults gives it, nor up to {MOST} at once"
    return Finding(check=check, status="fail", reason=reason, fault="unknown-cause")


def _lacks(subject: Subject, check: str) -> bool:
    return check == PROJECTION and subject.values.output is None


def _absent_projection(check: str) -> Finding:
    reason = "there is no output projection; the paper's is a 1x1 convolution of dv to dv channels"
    return Finding(check=check, status="fail", reason=reason, fault="no-output-projection")


def _by_form(subject: Subject, check: str, judged: Judged) -> Finding:
    if judged.faults is None:
        reason = "the output fits no known form, so that this cannot be told"
        return Finding(check=check, status="not-checked", reason=reason)
    mine = [fault for fault in judged.faults if check in fault.checks]
    if mine:
        reason = "; ".join(fault.says for fault in mine)
        return Finding(check=check, status="fail", reason=reason, fault=mine[0].name)
    return _silence(subject, check, form_of(judged.faults))


def _silence(subject: Subject, check: str, form: Form) -> Finding:
    """No fault found: a pass only if every known fault of this check would have shown."""
    others = [fault for fault in applicable(subject.values) if check in fault.checks]
    if not others:
        reason = "it is not square" if check == PROJECTION else "the adapter names no relative tables"
        return Finding(check=check, status="not-checked", reason=reason)
    x, heads = subject.images(), subject.trial.num_heads
    own = attend(x, subject.values, heads, form)
    changes = {fault.says: distance(attend(x, subject.values, heads, fault.applied(form)), own) for fault in others}
    least = min(changes, key=lambda says: changes[says])
    if changes[least] < VISIBLE:
        reason = f"cannot be told from the rest, since this would change nothing: {least}"
        return Finding(check=check, status="not-checked", reason=reason)
    number = "the known fault" if len(changes) == 1 else f"each of {len(changes)} known faults"
    reason = f"as the paper; {number} would change the output by {changes[least]:.0%} or more"
    return Finding(check=check, status="pass", reason=reason)
