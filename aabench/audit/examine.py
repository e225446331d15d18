"""The whole audit of one target, in this process: all checks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import nn

from aabench.audit.adapter import Adapter
from aabench.audit.attention import Judged, attention_findings, find_layout, judge, shape_finding
from aabench.audit.behaviour import not_square, permutation, repeated
from aabench.audit.finding import Finding, Report
from aabench.audit.gradient import gradient_flow
from aabench.audit.structure import structure
from aabench.audit.subject import make_subject
from aabench.audit.tables import table_init
from aabench.audit.target import Obstacle, load_class

SQUARE = (4, 4)
Step = Callable[[str], None]


def examine(target: str, adapter: Adapter, step: Step) -> Report:
    """Import, build, run and judge; ``step`` is told what comes next before the target's code runs.

    Small sizes and a fixed seed: with one thread, the same target gives the same report.
    """
    findings: list[Finding] = []
    obstacle: str | None = None
    try:
        step(f"the import of {target}")
        kind = load_class(target)
        for finding in _checks(kind, adapter, step):
            findings.append(finding)
    except Obstacle as stopped:
        obstacle = str(stopped)
    return Report(target=target, findings=tuple(findings), obstacle=obstacle)


def _checks(kind: type[nn.Module], adapter: Adapter, step: Step) -> Iterator[Finding]:
    step("the constructor or forward on a square map")
    relative = adapter.weights.row_table is not None or adapter.switches_relative
    subject = make_subject(kind, adapter, SQUARE, relative=relative)
    shapes = list(structure(subject, adapter))
    yield from shapes
    out = subject(subject.images())
    shape = shape_finding(subject, out)
    yield shape
    if shape.status == "fail":
        raise Obstacle("the output has another shape, so that nothing in it can be compared")
    again = repeated(subject, out)
    yield again
    layout, order = find_layout(subject, out)
    yield from order
    judged = judge(subject, layout.attended(out)) if again.status == "pass" else Judged(None)
    step("a forward pass with moved pixels")
    moved = permutation(kind, adapter, subject, layout, judged)
    excuse = _excuse([*(f for f in shapes if f.fault == "table-shape"), again, moved], judged)
    yield from attention_findings(subject, layout.attended(out), judged, excuse)
    if again.status == "pass":
        yield moved
    step("the constructor or forward on a map that is not square")
    yield not_square(kind, adapter, layout, judged, relative=relative)
    step("a backward pass")
    known = all(finding.status != "fail" or finding.fault == "attention-first" for finding in order)
    yield gradient_flow(subject, layout, judged if known else Judged(None), out)
    if subject.slots.rows is not None:
        step("the constructor")
        yield table_init(kind, adapter)


def _excuse(spoilers: list[Finding], judged: Judged) -> str | None:
    """What spoils the output beyond what the known faults can explain, if it has been found."""
    if judged.faults is not None:
        return None
    return next((finding.reason for finding in spoilers if finding.status == "fail"), None)
