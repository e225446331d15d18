"""A layer under audit with weights of ours in it, and the paper's layer with the same weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from aabench.audit.adapter import Adapter, Trial
from aabench.audit.formula import Values
from aabench.audit.slots import Slots, fill, find_slots
from aabench.audit.target import PRECISIONS, Obstacle, Precision, build, run, running
from aabench.layers import AAConv2d
from aabench.terms import Size


@dataclass(frozen=True)
class Subject:
    """A layer that has run once. ``values`` are its weights as the formula wants them."""

    layer: nn.Module
    slots: Slots
    values: Values
    size: Size
    trial: Trial
    precision: Precision

    def images(self) -> Tensor:
        """(2, F_in, H, W), normal, in float64; always the same."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(2, self.trial.in_channels, *self.size, generator=generator, dtype=torch.float64)
        return x.to(self.precision.dtype).double()

    def __call__(self, x: Tensor) -> Tensor:
        """The layer's output in float64.

        Raises:
            Obstacle: forward fails.
        """
        return run(self.layer, x.to(self.precision.dtype)).double()

    def without_tables(self) -> Values:
        """The weights with no relative positions."""
        return replace(self.values, rows=None, columns=None)


def make_subject(kind: type[nn.Module], adapter: Adapter, size: Size, *, relative: bool) -> Subject:
    """Build, fill and run once: in float64, or in float32 if it can only run in that.

    Raises:
        Obstacle: it cannot be built, read, or run in either.
    """
    first: Obstacle | None = None
    for precision in PRECISIONS:
        layer = build(kind, adapter, size, relative=relative)
        with running(f"the move to {precision.dtype}"):
            layer = layer.to(precision.dtype)
        slots = find_slots(layer, adapter, relative=relative)
        fill(slots, seed=2)
        subject = Subject(layer, slots, slots.values(), size, adapter.trial, precision)
        try:
            subject(subject.images())
        except Obstacle as obstacle:
            first = first or obstacle
        else:
            return subject
    assert first is not None
    raise first


def tables_fit(subject: Subject) -> bool:
    """Whether the tables, if there are any, have 2L - 1 offsets and d_k^h channels, for rows and columns as named or
    the other way round."""
    values, (height, width) = subject.values, subject.size
    if values.rows is None or values.columns is None:
        return True
    lengths = [table.shape[-2] for table in (values.rows, values.columns)]
    heads = subject.trial.num_heads
    return (
        lengths in ([2 * height - 1, 2 * width - 1], [2 * width - 1, 2 * height - 1])
        and values.rows.shape[-1] == values.columns.shape[-1] == values.q.shape[0] // heads
        and all(table.shape[0] == heads for table in (values.rows, values.columns) if table.dim() == 3)
    )


def papers_layer(subject: Subject) -> AAConv2d | None:
    """:class:`AAConv2d` in float64, explicit form, with the subject's weights; None if they do not fit it.

    Where the adapter names no convolution branch, the paper's has any weights.
    """
    trial, values = subject.trial, subject.values
    if (
        subject.slots.dv > trial.out_channels
        or len({weight.shape[1:] for weight in (values.q, values.k, values.v)}) > 1
    ):
        return None
    aa = AAConv2d(
        trial.in_channels,
        trial.out_channels,
        trial.kernel_size,
        feature_size=subject.size,
        kappa=subject.slots.dk / trial.out_channels,
        upsilon=subject.slots.dv / trial.out_channels,
        num_heads=trial.num_heads,
        min_key_channels=0,
        position="none" if values.rows is None else "relative",
        attention="explicit",
        dtype=torch.float64,
    )
    pairs: list[tuple[Tensor, Tensor | None]] = [(aa.out.weight, values.output)]
    pairs.append((aa.qkv.weight, torch.cat([values.q, values.k, values.v])))
    if values.conv is not None and aa.conv is not None:
        pairs.append((aa.conv.weight, values.conv))
    if aa.position is not None:
        pairs += [(aa.position.row_table, values.rows), (aa.position.column_table, values.columns)]
    if any(given is None or own.shape != given.shape for own, given in pairs):
        return None
    with torch.no_grad():
        for own, given in pairs:
            assert given is not None
            own.copy_(given)
    return aa.eval()
