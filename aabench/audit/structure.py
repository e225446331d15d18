"""What shapes and counts tell: projections, channels, tables, parameters."""

from __future__ import annotations

from collections.abc import Iterator

from aabench.audit.adapter import Adapter
from aabench.audit.finding import Finding
from aabench.audit.slots import Slot
from aabench.audit.subject import Subject, tables_fit

LEAST_KEY_CHANNELS = 20
"""Channels a head for the keys, at least (sheet aanet.md, Rounding); MnasNet's layers go without."""


def structure(subject: Subject, adapter: Adapter) -> Iterator[Finding]:
    """The checks that need no output."""
    yield projection_kernel(subject)
    yield channels(subject, adapter)
    yield weight_shapes(subject)
    yield table_shape(subject)
    yield parameter_count(subject)


def projection_kernel(subject: Subject) -> Finding:
    """Q, k, v and the output are made by 1x1 convolutions."""
    check = "1x1 projections"
    slots = subject.slots
    named: list[tuple[str, Slot]] = [("q", slots.q), ("k", slots.k), ("v", slots.v)]
    if slots.output is not None:
        named.append(("the output", slots.output))
    wide = {name: _by(slot.view().shape[2:]) for name, slot in named if slot.view().shape[2:] != (1, 1)}
    if not wide:
        return Finding(check=check, status="pass", reason="q, k, v and the output come from 1x1 convolutions")
    whose, kernels = ", ".join(wide), ", ".join(sorted(set(wide.values())))
    reason = f"{whose} come from a {kernels} convolution; the paper's projections are 1x1"
    return Finding(check=check, status="fail", reason=reason, fault="projection-kernel")


def channels(subject: Subject, adapter: Adapter) -> Finding:
    """Dk and dv are what the constructor was asked for, by the paper's rounding."""
    check = "key and value channels"
    trial, slots = subject.trial, subject.slots
    least = LEAST_KEY_CHANNELS * trial.num_heads
    allowed = {trial.dk, max(trial.dk, least)} if "kappa" in adapter.constructor.values() else {trial.dk}
    found = f"dk = {slots.dk} and dv = {slots.dv} in {trial.num_heads} heads"
    if slots.dk in allowed and slots.dv == trial.dv:
        return Finding(check=check, status="pass", reason=f"{found}, as asked for")
    asked = f"dk = {' or '.join(map(str, sorted(allowed)))} and dv = {trial.dv}"
    return Finding(check=check, status="fail", reason=f"{found}; asked for {asked}", fault="channels")


def weight_shapes(subject: Subject) -> Finding:
    """The convolution is (F_out - dv, F_in, k, k), the output projection (dv, dv); its kernel is another check's."""
    check = "convolution and output"
    trial, slots = subject.trial, subject.slots
    kernel = (trial.kernel_size, trial.kernel_size)
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    if slots.conv is not None:
        wanted = (trial.out_channels - slots.dv, trial.in_channels, *kernel)
        shapes[slots.conv.name] = (tuple(slots.conv.view().shape), wanted)
    if slots.output is not None:
        shapes[slots.output.name] = (tuple(slots.output.view().shape[:2]), (slots.dv, slots.dv))
    if not shapes:
        return Finding(check=check, status="not-checked", reason="the adapter names neither")
    wrong = [
        f"{name} is {_by(found)}, not {_by(wanted)}" for name, (found, wanted) in shapes.items() if found != wanted
    ]
    if wrong:
        return Finding(check=check, status="fail", reason="; ".join(wrong), fault="weight-shape")
    reason = ", ".join(f"{name} is {_by(found)}" for name, (found, _) in shapes.items())
    return Finding(check=check, status="pass", reason=f"{reason}, as asked for")


def table_shape(subject: Subject) -> Finding:
    """One table of 2L - 1 offsets a dimension, d_k^h channels, shared by the heads."""
    check = "relative tables"
    values, (height, width) = subject.values, subject.size
    if values.rows is None or values.columns is None:
        return Finding(check=check, status="not-checked", reason="the adapter names no relative tables")
    found = f"tables {tuple(values.rows.shape)} and {tuple(values.columns.shape)} for a {height}x{width} map"
    if not tables_fit(subject):
        wanted = f"({2 * height - 1}, {values.q.shape[0] // subject.trial.num_heads})"
        reason = f"{found}; the paper's are by 2L - 1 offsets and d_k^h channels, {wanted}"
        return Finding(check=check, status="fail", reason=reason, fault="table-shape")
    if values.rows.dim() == 3 or values.columns.dim() == 3:
        reason = "each head has tables of its own; the paper's are shared by the heads of a layer"
        return Finding(check=check, status="fail", reason=reason, fault="tables-per-head")
    return Finding(check=check, status="pass", reason=f"{found}, shared by the heads")


def parameter_count(subject: Subject) -> Finding:
    """All parameters against the paper's formula, and what those are that are too many or too few."""
    check = "parameter count"
    expected, actual = papers_count(subject), sum(p.numel() for p in subject.layer.parameters())
    against = f"{actual:,} against the paper's {expected:,}"
    biases = sum(bias.numel() for bias in subject.slots.biases.values())
    others = _not_named(subject)
    if not biases and not others:
        if actual == expected:
            return Finding(check=check, status="pass", reason=f"{actual:,}, as the paper's formula")
        reason = f"{against}: the shapes of its weights differ, as other findings say"
        return Finding(check=check, status="fail", reason=reason)
    parts = [f"{biases:,} in biases, which the paper's printed counts do not hold"] if biases else []
    parts += [f"{count:,} in {name}, which the adapter does not name" for name, count in others.items()]
    if rest := actual - expected - biases - sum(others.values()):
        parts.append(f"{rest:+,} by the shapes of its weights, as other findings say")
    fault = "extra-parameters" if others else "biases"
    return Finding(check=check, status="fail", reason=f"{against}: {'; '.join(parts)}", fault=fault)


def papers_count(subject: Subject) -> int:
    """F_in F_out k^2 + F_in F_out (2 kappa + (1 - k^2) v + (F_out / F_in) v^2), and (2 (H + W) - 2) d_k^h in tables.

    1904.09925, section 3; kappa = dk / F_out and v = dv / F_out, so that every term is a whole number. Without the
    F_in (F_out - dv) k^2 of the convolution branch where the adapter names none.
    """
    trial, slots = subject.trial, subject.slots
    kernel = trial.kernel_size**2
    count = trial.in_channels * (trial.out_channels * kernel + 2 * slots.dk + (1 - kernel) * slots.dv) + slots.dv**2
    if slots.conv is None:
        count -= trial.in_channels * (trial.out_channels - slots.dv) * kernel
    if slots.rows is not None:
        count += (2 * sum(subject.size) - 2) * slots.dk // trial.num_heads
    return count


def _not_named(subject: Subject) -> dict[str, int]:
    """Parameters that are no weight of the formula and no bias of such a weight."""
    known = {id(slot.tensor) for _, slot in subject.slots.named()}
    known |= {id(bias) for bias in subject.slots.biases.values()}
    return {name: p.numel() for name, p in subject.layer.named_parameters() if id(p) not in known}


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
