"""Known faults, as changes of the formula's form, and the search for those that explain a layer's output."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from torch import Tensor

from aabench.audit.formula import PAPER, Form, Values, attend, fits

RELATIVE_CHANGES = ("relative_scale", "row_offset", "column_offset", "tables", "axes", "relative_of", "relative_heads")
MOST = 3
"""So many faults at a time are tried."""


@dataclass(frozen=True)
class Fault:
    """A way to miss the paper. ``says`` is a clause that a sentence can end with."""

    name: str
    checks: tuple[str, ...]
    says: str
    changes: tuple[tuple[str, str], ...]

    def applied(self, form: Form) -> Form:
        """The form with this fault in it."""
        changes: dict[str, Any] = dict(self.changes)
        return replace(form, **changes)


HEADS, JOIN = "head split", "output layout"
CONTENT, RELATIVE = "scaling of content logits", "scaling of relative logits"
OFFSET, TABLES, TERM = "relative offset sign", "row and column tables", "relative logits"
SOFTMAX, PROJECTION = "softmax and roles", "output projection"
CHECKS = (HEADS, JOIN, OFFSET, TABLES, TERM, CONTENT, RELATIVE, SOFTMAX, PROJECTION)


def _fault(name: str, checks: str | tuple[str, ...], says: str, **changes: str) -> Fault:
    return Fault(name, (checks,) if isinstance(checks, str) else checks, says, tuple(changes.items()))


_INTERLEAVED = "channel c goes to head c mod Nh; the paper's heads are blocks of consecutive channels"
_SCRAMBLED = "output reshaped without transpose: positions and channels scrambled"
_SIGN = "the offset is query minus key; the paper's is key minus query"
_BOTH = (CONTENT, RELATIVE)

FAULTS = (
    _fault("heads-interleaved", HEADS, _INTERLEAVED, heads="interleaved", join="interleaved"),
    _fault("heads-interleaved", HEADS, _INTERLEAVED + " (and they are joined as blocks)", heads="interleaved"),
    _fault("heads-scrambled", HEADS, "q, k and v reshaped into heads without transpose: positions and channels "
           "scrambled", heads="raw"),
    _fault("heads-joined-interleaved", JOIN, "the heads' channels are joined in turns; the paper's one after the "
           "other", join="interleaved"),
    _fault("output-scrambled", JOIN, _SCRAMBLED, join="reshaped"),
    _fault("output-scrambled", JOIN, _SCRAMBLED + ", across the heads", join="reshaped-together"),
    _fault("offset-sign", OFFSET, _SIGN, row_offset="query-key", column_offset="query-key"),
    _fault("offset-sign-rows", OFFSET, f"along rows (y) {_SIGN}", row_offset="query-key"),
    _fault("offset-sign-columns", OFFSET, f"along columns (x) {_SIGN}", column_offset="query-key"),
    _fault("tables-swapped", TABLES, "the row table serves columns and the column table rows (unless the adapter "
           "names them the wrong way round)", tables="swapped"),
    _fault("relative-absent", TERM, "the relative logits have no effect", axes="none"),
    _fault("relative-rows-only", TERM, "only the row table has an effect", axes="rows"),
    _fault("relative-columns-only", TERM, "only the column table has an effect", axes="columns"),
    _fault("relative-of-keys", TERM, "relative logits are made of the keys; the paper's of the queries",
           relative_of="keys"),
    _fault("relative-summed", TERM, "relative logits are summed over the heads; the paper's are each head's own",
           relative_heads="summed"),
    _fault("scaling-absent", _BOTH, "no logit is divided by sqrt(d_k^h)", content_scale="none", relative_scale="none"),
    _fault("scaling-twice", _BOTH, "all logits are divided by sqrt(d_k^h) twice", content_scale="twice",
           relative_scale="twice"),
    _fault("scaling-by-dk", _BOTH, "all logits are divided by sqrt(dk) of all heads; the paper's by sqrt(d_k^h) of "
           "one", content_scale="all", relative_scale="all"),
    _fault("content-unscaled", CONTENT, "content logits are not divided by sqrt(d_k^h)", content_scale="none"),
    _fault("content-scaled-twice", CONTENT, "content logits are divided by sqrt(d_k^h) twice", content_scale="twice"),
    _fault("content-scaled-by-dk", CONTENT, "content logits are divided by sqrt(dk) of all heads",
           content_scale="all"),
    _fault("relative-unscaled", RELATIVE, "relative logits are not divided by sqrt(d_k^h)", relative_scale="none"),
    _fault("relative-scaled-twice", RELATIVE, "relative logits are divided by sqrt(d_k^h) twice",
           relative_scale="twice"),
    _fault("relative-scaled-by-dk", RELATIVE, "relative logits are divided by sqrt(dk) of all heads",
           relative_scale="all"),
    _fault("softmax-over-queries", SOFTMAX, "the softmax runs over queries; the paper's over keys", softmax="queries"),
    _fault("roles-exchanged", SOFTMAX, "queries and keys are exchanged (unless the adapter's order is wrong)",
           roles="exchanged"),
    _fault("projection-skipped", PROJECTION, "its output projection is there and not used", projection="skipped"),
)  # fmt: skip
"""Each with the check it belongs to. Sources: sheet aanet.md, section 4; what is not there is ours."""


def applicable(values: Values) -> list[Fault]:
    """The faults that a layer with these weights can have, each distinct in what it does there."""
    kept: dict[tuple[tuple[str, str], ...], Fault] = {}
    for fault in FAULTS:
        changes = fault.changes
        if values.rows is None:
            changes = tuple(item for item in changes if item[0] not in RELATIVE_CHANGES)
        if values.output is None or values.output.shape[0] != values.output.shape[1]:
            changes = tuple(item for item in changes if item[0] != "projection")
        if changes:
            checks = tuple(check for check in fault.checks if values.rows is not None or check != RELATIVE)
            kept.setdefault(changes, replace(fault, changes=changes, checks=checks))
    return list(kept.values())


def explain(out: Tensor, x: Tensor, values: Values, num_heads: int, tolerance: float) -> tuple[Fault, ...] | None:
    """The fewest faults whose formula gives ``out``, none for the paper's; None if no known ones do."""
    for faults in _sets(applicable(values)):
        form = form_of(faults)
        if (
            fits(values, (x.shape[-2], x.shape[-1]), form)
            and distance(out, attend(x, values, num_heads, form)) <= tolerance
        ):
            return faults
    return None


def form_of(faults: tuple[Fault, ...]) -> Form:
    """The paper's form with these faults in it."""
    form = PAPER
    for fault in faults:
        form = fault.applied(form)
    return form


def distance(out: Tensor, reference: Tensor) -> float:
    """Largest difference, as a share of the reference's largest value; infinite if that is 0 or one is not finite."""
    difference, largest = (out - reference).abs().max().item(), reference.abs().max().item()
    if difference == 0:
        return 0.0
    return difference / largest if math.isfinite(difference) and largest > 0 else math.inf


def _sets(faults: list[Fault]) -> Iterator[tuple[Fault, ...]]:
    """None, each one, each two, ... that do not contradict each other."""
    for number in range(MOST + 1):
        for chosen in combinations(faults, number):
            changed = [key for fault in chosen for key, _ in fault.changes]
            if len(changed) == len(set(changed)):
                yield chosen
