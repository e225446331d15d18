"""Attention augmented convolutions with one fault each, and what the audit has to call it."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.audit.right import Plain


class ReshapedOutput(Plain):
    expected = "output-scrambled"

    def join(self, o):
        batch, heads, height, width, e = o.shape
        return o.reshape(batch, heads * e, height, width)


class ReshapedTokens(Plain):
    """(N, n, dv), as a token layer leaves it, read as (N, dv, H, W)."""

    expected = "output-scrambled"

    def join(self, o):
        return o.permute(0, 2, 3, 1, 4).reshape(o.shape[0], self.dv, *o.shape[2:4])


class InterleavedHeads(Plain):
    expected = "heads-interleaved"

    def split(self, t):
        return t.unflatten(1, (-1, self.heads)).permute(0, 2, 3, 4, 1)


class InterleavedEverywhere(InterleavedHeads):
    def join(self, o):
        return o.permute(0, 4, 1, 2, 3).flatten(1, 2)


class JoinedInterleaved(Plain):
    expected = "heads-joined-interleaved"

    def join(self, o):
        return o.permute(0, 4, 1, 2, 3).flatten(1, 2)


class ReshapedHeads(Plain):
    expected = "heads-scrambled"

    def split(self, t):
        batch, channels, height, width = t.shape
        return t.reshape(batch, self.heads, height, width, channels // self.heads)


class SignFlipped(Plain):
    expected = "offset-sign"

    def offset(self, n, device):
        return -super().offset(n, device)


class SignFlippedInRows(Plain):
    expected = "offset-sign-rows"

    def row_logits(self, q, k, table):
        return super().row_logits(q, k, table.flip(0))


class SwappedTables(Plain):
    expected = "tables-swapped"

    def tables(self):
        return self.column_table, self.row_table


class RelativeOfKeys(Plain):
    expected = "relative-of-keys"

    def relative_logits(self, q, k):
        if not self.relative:
            return q.new_zeros(())
        # By key and query, with the offset turned round, and then the other way about.
        rows, columns = (table.flip(0) for table in self.tables())
        logits = self.row_logits(k, q, rows).unsqueeze(-1) + self.column_logits(k, q, columns).unsqueeze(-2)
        return logits.permute(0, 1, 4, 5, 2, 3)


class SummedOverHeads(Plain):
    expected = "relative-summed"

    def relative_logits(self, q, k):
        logits = super().relative_logits(q, k)
        return logits.sum(1, keepdim=True) if self.relative else logits


class RelativeIgnored(Plain):
    expected = "relative-absent"

    def relative_logits(self, q, k):
        return q.new_zeros(())


class RowsForgotten(Plain):
    expected = "relative-columns-only"

    def row_logits(self, q, k, table):
        return torch.zeros_like(super().row_logits(q, k, table))


class RelativeUnscaled(Plain):
    expected = "relative-unscaled"

    def scale(self, content, relative, d):
        return content * d**-0.5, relative


class ContentUnscaled(Plain):
    expected = "content-unscaled"

    def scale(self, content, relative, d):
        return content, relative * d**-0.5


class Unscaled(Plain):
    expected = "scaling-absent"

    def scale(self, content, relative, d):
        return content, relative


class ScaledTwice(Plain):
    expected = "scaling-twice"

    def scale(self, content, relative, d):
        return content / d, relative / d


class ScaledByAllHeads(Plain):
    expected = "scaling-by-dk"

    def scale(self, content, relative, d):
        return content * self.dk**-0.5, relative * self.dk**-0.5


class SoftmaxOverQueries(Plain):
    expected = "softmax-over-queries"

    def weights(self, logits):
        return logits.flatten(2, 3).softmax(2).view_as(logits)


class NoProjection(Plain):
    expected = "no-output-projection"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        del self.out

    def project(self, o):
        return o


class UnusedProjection(Plain):
    expected = "projection-skipped"

    def project(self, o):
        return o


class WideProjection(Plain):
    expected = "projection-kernel"
    qkv_kernel = 3


class AttentionFirst(Plain):
    expected = "attention-first"

    def concatenate(self, conv, attention):
        return torch.cat([attention, conv], 1)


class Added(Plain):
    expected = "output-shape"

    def concatenate(self, conv, attention):
        return conv + attention


class WideConvolution(Plain):
    expected = "weight-shape"

    def __init__(self, *, kernel_size, **options):
        super().__init__(kernel_size=kernel_size + 2, **options)


class ProjectionOfAnotherWidth(Plain):
    expected = "weight-shape"

    def __init__(self, *, dv, **options):
        super().__init__(dv=dv, **options)
        self.out = nn.Conv2d(dv, dv + 3, 1, bias=False)


class DilatedConvolution(Plain):
    expected = "convolution-branch"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.conv.dilation, self.conv.padding = (2, 2), (2, 2)


class TablesStartAtTheirDeviation(Plain):
    expected = "table-init-mean"

    def start(self, length, d):
        return torch.randn(length, d) + d**-0.5


class TablesStartAtOne(Plain):
    expected = "table-init"

    def start(self, length, d):
        return torch.randn(length, d)


class TablesStartUniform(Plain):
    """With the right mean and deviation."""

    expected = "table-init"

    def start(self, length, d):
        return (torch.rand(length, d) - 0.5) * (12 / d) ** 0.5


class TablesStartAtZero(Plain):
    expected = "table-init"

    def start(self, length, d):
        return torch.zeros(length, d)


class FrozenTable(Plain):
    expected = "no-gradient"

    def tables(self):
        return self.row_table.detach(), self.column_table


class CutGradient(Plain):
    """Queries get the gradient of the content only."""

    expected = "gradient-differs"

    def relative_logits(self, q, k):
        return super().relative_logits(q.detach(), k)


class LearnedGain(Plain):
    expected = "extra-parameters"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.gain = nn.Parameter(torch.ones(1))

    def project(self, o):
        return self.gain * self.out(o)


class WithBiases(Plain):
    expected = "biases"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for conv in (self.qkv, self.out, self.conv):
            conv.bias = nn.Parameter(torch.randn(conv.out_channels))


class TablesPerHead(Plain):
    expected = "tables-per-head"

    def start(self, length, d):
        return torch.randn(self.heads, length, d) * d**-0.5

    def row_logits(self, q, k, table):
        return torch.stack([super(TablesPerHead, self).row_logits(h[:, None], k, t)[:, 0]
                            for h, t in zip(q.unbind(1), table, strict=True)], 1)  # fmt: skip

    def column_logits(self, q, k, table):
        return torch.stack([super(TablesPerHead, self).column_logits(h[:, None], k, t)[:, 0]
                            for h, t in zip(q.unbind(1), table, strict=True)], 1)  # fmt: skip


class TablesTooLong(Plain):
    """One offset too many; the last one is not used."""

    expected = "table-shape"

    def start(self, length, d):
        return super().start(length + 1, d)


class NeedsRelative(Plain):
    expected = "no-relative-crashes"

    def relative_logits(self, q, k):
        assert self.relative
        return super().relative_logits(q, k)


class SquareOnly(Plain):
    expected = "square-only"

    def forward(self, x):
        assert x.shape[2] == x.shape[3], "square maps, please"
        return super().forward(x)


class RelativeOnSquaresOnly(Plain):
    expected = "not-square"

    def relative_logits(self, q, k):
        logits = super().relative_logits(q, k)
        return logits if q.shape[2] == q.shape[3] else 0 * logits


class TransposedOutput(Plain):
    """Where that shows in the shape."""

    expected = "not-square"

    def forward(self, x):
        out = super().forward(x)
        return out if x.shape[2] == x.shape[3] else out.mT


class AbsolutePosition(Plain):
    """Adds its place to every pixel, always."""

    expected = "position-leak"

    def attend(self, x):
        place = torch.linspace(-1, 1, x.shape[2] * x.shape[3], dtype=x.dtype).view(x.shape[2:])
        return super().attend(x + place)


class AbsoluteWithoutRelative(AbsolutePosition):
    """The same, where relative positions are off."""

    def attend(self, x):
        return Plain.attend(self, x) if self.relative else super().attend(x)


class Dropped(Plain):
    """Drops attention in evaluation too."""

    expected = "random-forward"

    def weights(self, logits):
        return F.dropout(super().weights(logits), 0.5)


class SquashedValues(Plain):
    """Nothing that the audit knows of."""

    expected = "unknown-cause"

    def join(self, o):
        return super().join(o).tanh()


class MoreKeys(Plain):
    """Takes the paper's least number of key channels where it is told another one."""

    expected = "channels"

    def __init__(self, in_channels, out_channels, kernel_size, dk, dv, num_heads, size, relative=True):
        super().__init__(in_channels, out_channels, kernel_size, 2 * dk, dv, num_heads, size, relative)


def layers():
    """Every class above."""
    return [kind for kind in globals().values() if isinstance(kind, type) and hasattr(kind, "expected")]
