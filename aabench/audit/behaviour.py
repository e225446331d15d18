"""How a layer behaves: twice the same, on maps that are not square, without positions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from aabench.audit.adapter import Adapter
from aabench.audit.attention import Judged, Layout
from aabench.audit.faults import distance
from aabench.audit.finding import Finding
from aabench.audit.formula import PAPER, Form, attend, fits
from aabench.audit.subject import Subject, make_subject, tables_fit
from aabench.audit.target import Obstacle, OneSide
from aabench.terms import Size

NOT_SQUARE: tuple[Size, ...] = ((3, 5), (5, 3))


def repeated(subject: Subject, out: Tensor) -> Finding:
    """The same input and weights give the same output."""
    check = "repeatability"
    share = distance(subject(subject.images()), out)
    if share <= subject.precision.tolerance:
        return Finding(check=check, status="pass", reason="two calls give the same output")
    reason = f"two calls with the same input and weights differ by {share:.0%}: forward draws something at random"
    return Finding(check=check, status="fail", reason=reason, fault="random-forward")


def not_square(kind: type[nn.Module], adapter: Adapter, layout: Layout, judged: Judged, *, relative: bool) -> Finding:
    """On maps that are not square it computes what it does on square ones."""
    check = "non-square maps"
    try:
        subjects = [make_subject(kind, adapter, size, relative=relative) for size in NOT_SQUARE]
        outs = [layout.attended(subject(subject.images())) for subject in subjects]
    except Obstacle as obstacle:
        if judged.has("tables-swapped") and not isinstance(obstacle, OneSide):
            reason = f"{obstacle}; a table of 2H - 1 rows cannot serve W columns"
            return Finding(check=check, status="not-checked", reason=reason)
        reason = f"square maps only: {obstacle}"
        return Finding(check=check, status="fail", reason=reason, fault="square-only")
    sizes = " and ".join(f"{height}x{width}" for height, width in NOT_SQUARE)
    if judged.form is None:
        reason = f"it runs on {sizes}; what it computes is not known"
        return Finding(check=check, status="not-checked", reason=reason)
    for subject, attended in zip(subjects, outs, strict=True):
        if reason := _difference(subject, attended, judged.form):
            return Finding(check=check, status="fail", reason=reason, fault="not-square")
    what = "the paper's attention" if judged.faults == () else "the same as on square ones"
    return Finding(check=check, status="pass", reason=f"{what} on {sizes}")


def _difference(subject: Subject, attended: Tensor, form: Form) -> str:
    """How the attention on this map is not what it is on square ones; nothing if it is."""
    by = f"{subject.size[0]}x{subject.size[1]}"
    if not (tables_fit(subject) and fits(subject.values, subject.size, form)):
        return f"right on square maps; on {by} its tables have other lengths than the paper's"
    expected = attend(subject.images(), subject.values, subject.trial.num_heads, form)
    if attended.shape != expected.shape:
        return f"on a {by} map its attention is {tuple(attended.shape)}, not {tuple(expected.shape)}"
    share = distance(attended, expected)
    if share <= subject.precision.tolerance:
        return ""
    return f"on a {by} map it computes something else than on square ones; the output differs by {share:.0%}"


def permutation(kind: type[nn.Module], adapter: Adapter, subject: Subject, layout: Layout, judged: Judged) -> Finding:
    """Without relative positions, pixels in another order give the same output in that order."""
    check = "permutation behaviour"
    form = judged.form or PAPER

    def formula(x: Tensor) -> Tensor:
        return attend(x, subject.without_tables(), subject.trial.num_heads, form)

    if _unevenness(formula, subject.images()) > subject.precision.tolerance:
        reason = "the differences named above move with the order of pixels already"
        return Finding(check=check, status="not-checked", reason=reason)
    ways = {"with tables of zeros": _zeroed(subject)} if subject.slots.rows is not None else {}
    if adapter.switches_relative:
        try:
            ways["switched off"] = make_subject(kind, adapter, subject.size, relative=False)
        except Obstacle as obstacle:
            reason = f"with relative positions switched off, {obstacle}"
            return Finding(check=check, status="fail", reason=reason, fault="no-relative-crashes")
    ways = ways or {"it has none": subject}
    for how, without in ways.items():
        share = _unevenness(partial(_attended, layout, without), subject.images())
        if share > subject.precision.tolerance:
            reason = (
                f"without relative positions ({how}) the output still depends on where a pixel is, by {share:.0%}: "
                "another position leaks in, or positions are mixed up"
            )
            return Finding(check=check, status="fail", reason=reason, fault="position-leak")
    reason = f"without relative positions ({', '.join(ways)}) pixels may change places"
    return Finding(check=check, status="pass", reason=reason)


def _attended(layout: Layout, layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return layout.attended(layer(x))


def _zeroed(subject: Subject) -> Callable[[Tensor], Tensor]:
    """The layer with relative tables of zeros, for as long as one call takes."""
    tables = [slot.tensor for slot in (subject.slots.rows, subject.slots.columns) if slot is not None]

    def call(x: Tensor) -> Tensor:
        kept = [table.detach().clone() for table in tables]
        with torch.no_grad():
            for table in tables:
                table.zero_()
            try:
                return subject(x)
            finally:
                for table, values in zip(tables, kept, strict=True):
                    table.copy_(values)

    return call


def _unevenness(attention: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """How far attention of moved pixels is from moved attention."""
    order = torch.randperm(x.shape[-2] * x.shape[-1], generator=torch.Generator().manual_seed(3))
    return distance(attention(_moved(x, order)), _moved(attention(x), order))


def _moved(x: Tensor, order: Tensor) -> Tensor:
    return x.flatten(2)[..., order].view_as(x)
