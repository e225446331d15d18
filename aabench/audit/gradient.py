"""Gradient flow: every parameter and the input get one, and it is the formula's."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor

from aabench.audit.attention import Judged, Layout
from aabench.audit.faults import distance
from aabench.audit.finding import Finding
from aabench.audit.formula import Values, attend, same_conv
from aabench.audit.subject import Subject
from aabench.audit.target import Obstacle, running

CHECK = "gradient flow"
LOOSER = 100
"""A gradient may differ by so many times more than an output."""


def gradient_flow(subject: Subject, layout: Layout, judged: Judged, out: Tensor) -> Finding:
    """One backward pass, against that of the formula where the layer's form is known."""
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    try:
        own, others = _of_the_layer(subject, weight)
    except Obstacle as obstacle:
        return Finding(check=CHECK, status="fail", reason=str(obstacle), fault="backward-fails")
    expected = None if judged.form is None else _of_the_formula(subject, layout, judged, weight)
    missing = [name for name, grad in others.items() if _nothing(grad)]
    differing = {}
    for name, (label, grad) in own.items():
        reference = None if expected is None else expected[name]
        if _nothing(grad):
            if expected is None or not _nothing(reference):
                missing.append(label)
        elif grad is not None and reference is not None and not _nothing(reference):
            share = distance(grad, reference)
            if share > subject.precision.tolerance * LOOSER:
                differing[label] = share
    return _finding(list(dict.fromkeys(missing)), differing, known=expected is not None)


def _finding(missing: list[str], differing: dict[str, float], *, known: bool) -> Finding:
    if missing:
        reason = f"{', '.join(missing)} {'get' if len(missing) > 1 else 'gets'} no gradient"
        return Finding(check=CHECK, status="fail", reason=reason, fault="no-gradient")
    if differing:
        parts = ", ".join(f"{name} by {share:.0%}" for name, share in differing.items())
        reason = f"the output is the formula's and its gradient is not: {parts}; a part of it is cut off"
        return Finding(check=CHECK, status="fail", reason=reason, fault="gradient-differs")
    reason = "every parameter and the input get one" + (", the formula's" if known else "")
    return Finding(check=CHECK, status="pass", reason=reason)


def _of_the_layer(
    subject: Subject, weight: Tensor
) -> tuple[dict[str, tuple[str, Tensor | None]], dict[str, Tensor | None]]:
    """Gradients by the formula's name (with the layer's), and those of the layer's other parameters.

    Raises:
        Obstacle: forward or backward fails while gradients are recorded.
    """
    layer, dtype = subject.layer, subject.precision.dtype
    x = subject.images().to(dtype).requires_grad_()
    layer.zero_grad()
    with running("a forward and backward pass with gradients"):
        # A view of it: in-place changes of the input are the layer's own affair, as inside of a network.
        (layer(x.view_as(x)) * weight.to(dtype)).sum().backward()
    own: dict[str, tuple[str, Tensor | None]] = {"x": ("the input", None if x.grad is None else x.grad.double())}
    known = set()
    for name, slot in subject.slots.named():
        grad = slot.tensor.grad
        own[name] = (slot.name, None if grad is None else slot.view(grad).double())
        known.add(id(slot.tensor))
    others = {name: p.grad for name, p in layer.named_parameters() if id(p) not in known}
    return own, others


def _of_the_formula(subject: Subject, layout: Layout, judged: Judged, weight: Tensor) -> dict[str, Tensor | None]:
    assert judged.form is not None
    x = subject.images().requires_grad_()
    given = {field.name: getattr(subject.values, field.name) for field in fields(Values)}
    leaves = {name: value.requires_grad_() for name, value in given.items() if value is not None}
    values = replace(subject.values, **leaves)
    parts = [attend(x, values, subject.trial.num_heads, judged.form)]
    if values.conv is not None:
        parts.insert(1 if layout.attention_first else 0, same_conv(x, values.conv))
    out = torch.cat(parts, dim=1)
    # Leaves that the form does not use (a skipped projection) have no gradient, here as in the layer.
    names = ["x", *leaves]
    grads = torch.autograd.grad((out * weight).sum(), [x, *leaves.values()], allow_unused=True)
    for leaf in leaves.values():
        leaf.requires_grad_(False)
    return dict(zip(names, grads, strict=True))


def _nothing(grad: Tensor | None) -> bool:
    return grad is None or not bool(grad.any())
