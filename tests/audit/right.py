"""Attention augmented convolutions that compute what the paper says, each written in another style."""

import torch
import torch.nn.functional as F
from torch import nn


class Plain(nn.Module):
    """Einsum and gathered tables. The parts that wrong.py gets wrong are methods."""

    qkv_kernel = 1

    def __init__(self, in_channels, out_channels, kernel_size, dk, dv, num_heads, size, relative=True):
        super().__init__()
        self.dk, self.dv, self.heads, self.relative = dk, dv, num_heads, relative
        self.conv = nn.Conv2d(in_channels, out_channels - dv, kernel_size, padding=kernel_size // 2, bias=False)
        self.qkv = nn.Conv2d(in_channels, 2 * dk + dv, self.qkv_kernel, padding=self.qkv_kernel // 2, bias=False)
        self.out = nn.Conv2d(dv, dv, 1, bias=False)
        if relative:
            self.row_table = nn.Parameter(self.start(2 * size[0] - 1, dk // num_heads))
            self.column_table = nn.Parameter(self.start(2 * size[1] - 1, dk // num_heads))

    def start(self, length, d):
        return torch.randn(length, d) * d**-0.5

    def split(self, t):
        """(N, C, H, W) -> (N, Nh, H, W, d)."""
        return t.unflatten(1, (self.heads, -1)).permute(0, 1, 3, 4, 2)

    def join(self, o):
        """(N, Nh, H, W, e) -> (N, dv, H, W)."""
        return o.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def offset(self, n, device):
        """(n, n) by query and key."""
        steps = torch.arange(n, device=device)
        return steps.view(1, n) - steps.view(n, 1)

    def tables(self):
        return self.row_table, self.column_table

    def row_logits(self, q, k, table):
        height = q.shape[2]
        return torch.einsum("nhyxd,ykd->nhyxk", q, table[self.offset(height, q.device) + height - 1])

    def column_logits(self, q, k, table):
        width = q.shape[3]
        return torch.einsum("nhyxd,xkd->nhyxk", q, table[self.offset(width, q.device) + width - 1])

    def scale(self, content, relative, d):
        return content * d**-0.5, relative * d**-0.5

    def weights(self, logits):
        """(N, Nh, H, W, H, W): over the keys."""
        return logits.flatten(4).softmax(-1).view_as(logits)

    def relative_logits(self, q, k):
        if not self.relative:
            return q.new_zeros(())
        rows, columns = self.tables()
        return self.row_logits(q, k, rows).unsqueeze(-1) + self.column_logits(q, k, columns).unsqueeze(-2)

    def project(self, o):
        return self.out(o)

    def concatenate(self, conv, attention):
        return torch.cat([conv, attention], 1)

    def attend(self, x):
        q, k, v = (self.split(t) for t in self.qkv(x).split([self.dk, self.dk, self.dv], 1))
        content = torch.einsum("nhyxd,nhuvd->nhyxuv", q, k)
        content, relative = self.scale(content, self.relative_logits(q, k), q.shape[-1])
        o = torch.einsum("nhyxuv,nhuve->nhyxe", self.weights(content + relative), v)
        return self.project(self.join(o))

    def forward(self, x):
        return self.concatenate(self.conv(x), self.attend(x))


class RelToAbs(Plain):
    """Relative to absolute indexing by padding and reshaping, with q scaled first, as in the authors' listing."""

    @staticmethod
    def to_absolute(logits):
        """(..., L, 2L - 1) by query and offset -> (..., L, L) by query and key."""
        length, lead = logits.shape[-2], logits.shape[:-2]
        flat = F.pad(F.pad(logits, (0, 1)).flatten(-2), (0, length - 1))
        return flat.view(*lead, length + 1, 2 * length - 1)[..., :length, length - 1 :]

    def attend(self, x):
        batch, _, height, width = x.shape
        q, k, v = (self.split(t) for t in self.qkv(x).split([self.dk, self.dk, self.dv], 1))
        q = q * q.shape[-1] ** -0.5
        logits = q.flatten(2, 3) @ k.flatten(2, 3).mT
        if self.relative:
            columns = self.to_absolute(q @ self.column_table.mT)
            rows = self.to_absolute(q.transpose(2, 3) @ self.row_table.mT).transpose(2, 3)
            both = rows.unsqueeze(-1) + columns.unsqueeze(-2)
            logits = logits + both.reshape(logits.shape)
        o = (logits.softmax(-1) @ v.flatten(2, 3)).mT.reshape(batch, self.dv, height, width)
        return self.out(o)


class Tokens(Plain):
    """On tokens (N, n, C) with linear layers, as nn.MultiheadAttention does it; in_proj_weight holds q, k and v."""

    def __init__(self, in_channels, out_channels, kernel_size, dk, dv, num_heads, size, relative=True):
        super().__init__(in_channels, out_channels, kernel_size, dk, dv, num_heads, size, relative)
        del self.qkv
        self.in_proj_weight = nn.Parameter(torch.randn(2 * dk + dv, in_channels) / in_channels)
        self.out = nn.Linear(dv, dv, bias=False)

    def attend(self, x):
        height, width = x.shape[2:]
        tokens = F.linear(x.flatten(2).mT, self.in_proj_weight)
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in tokens.split([self.dk, self.dk, self.dv], -1)
        )
        logits = q @ k.mT
        if self.relative:
            grid = q.unflatten(2, (height, width))
            logits = logits + self.relative_logits(grid, None).reshape(logits.shape)
        o = (logits / q.shape[-1] ** 0.5).softmax(-1) @ v
        return self.out(o.transpose(1, 2).flatten(-2)).mT.unflatten(2, (height, width))


class Fused(Plain):
    """scaled_dot_product_attention, with the relative logits as its bias."""

    def attend(self, x):
        q, k, v = (self.split(t).flatten(2, 3) for t in self.qkv(x).split([self.dk, self.dk, self.dv], 1))
        bias = None
        if self.relative:
            grid = q.unflatten(2, x.shape[2:])
            bias = self.relative_logits(grid, None).flatten(4).flatten(2, 3) * q.shape[-1] ** -0.5
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(self.join(o.unflatten(2, x.shape[2:])))


class Apart(Plain):
    """Queries, keys and values by convolutions of their own."""

    def __init__(self, in_channels, out_channels, kernel_size, dk, dv, num_heads, size, relative=True):
        super().__init__(in_channels, out_channels, kernel_size, dk, dv, num_heads, size, relative)
        del self.qkv
        self.to_q, self.to_k = (nn.Conv2d(in_channels, dk, 1, bias=False) for _ in range(2))
        self.to_v = nn.Conv2d(in_channels, dv, 1, bias=False)

    def qkv(self, x):
        return torch.cat([self.to_q(x), self.to_k(x), self.to_v(x)], 1)


class Transposed(Plain):
    """Tables by channel and offset."""

    def start(self, length, d):
        return super().start(length, d).mT.contiguous()

    def tables(self):
        return self.row_table.mT, self.column_table.mT


class SinglePrecision(Plain):
    """Runs in float32 only: one of its constants is."""

    def project(self, o):
        return F.conv2d(o, self.out.weight * 1.0) + F.conv2d(o, torch.zeros(self.dv, self.dv, 1, 1))
