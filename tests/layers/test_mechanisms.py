"""Attention mechanisms against n x n matrices in float64, made cell by cell, and in their limits."""

import pytest
import torch
from torch import Tensor, nn

from aabench.layers import (
    AxialAttention,
    EfficientAttention,
    LinearAttention,
    Linformer,
    Nystromformer,
    Performer,
    RelativePosition2d,
    WindowAttention,
)
from aabench.layers.attention_core import explicit_attention
from aabench.layers.performer import orthogonal_features

F64 = torch.float64
SIZE = (3, 5)


def tokens(size, d=4, e=6, scale=1.0):
    """q (scaled), k, v of two images and two heads."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 2, size[0] * size[1], width) for width in (d, d, e)]
    q, k, v = (scale * torch.randn(shape, generator=generator, dtype=F64) for shape in shapes)
    return [t.requires_grad_() for t in (q * d**-0.5, k, v)]


def made(mechanism, size, relative, setting=None, d=4):
    """The mechanism, and what makes its relative logits."""
    torch.manual_seed(0)
    core = mechanism(size, d, relative, setting, dtype=F64)
    return core, RelativePosition2d(d, size, dtype=F64, window=core.scope) if relative else None


def cells(size):
    return [(y, x) for y in range(size[0]) for x in range(size[1])]


def matrix(size, entry):
    """(2, 2, n, n) from a function of two cells (number, y, x), or of query and key."""
    rows = [[entry((i, *a), (j, *b)) for j, b in enumerate(cells(size))] for i, a in enumerate(cells(size))]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def logits(q, k, position, size) -> Tensor:
    """q_i.k_j + q_i.rH[y_j - y_i] + q_i.rW[x_j - x_i]; an offset that the tables do not have gives 0."""

    def entry(a, b):
        (i, *at), (j, *to) = a, b
        logit = (q[:, :, i] * k[:, :, j]).sum(-1)
        for axis, table in enumerate(() if position is None else (position.row_table, position.column_table)):
            offset = to[axis] - at[axis] + len(table) // 2
            if 0 <= offset < len(table):
                logit = logit + (q[:, :, i] * table[offset]).sum(-1)
        return logit

    return matrix(size, entry)


def softmax_where(allowed, weights: Tensor, size) -> Tensor:
    """Softmax over the keys for which ``allowed`` holds; the others weigh 0."""
    mask = matrix(size, lambda a, b: torch.tensor(float(allowed(a[1:], b[1:])), dtype=F64))
    exponentials = weights.exp() * mask
    return exponentials / exponentials.sum(-1, keepdim=True)


def efficient_matrix(core, q, k, position):
    return torch.softmax(2 * q, -1) @ torch.softmax(k, -2).mT  # d = 4: q comes scaled by 1/2


def linear_matrix(core, q, k, position):
    phi_q, phi_k = (torch.where(t > 0, t + 1, t.exp()) for t in (q, k))
    weights = matrix(core.feature_size, lambda a, b: (phi_q[:, :, a[0]] * phi_k[:, :, b[0]]).sum(-1))
    return weights / weights.sum(-1, keepdim=True)


def performer_matrix(core, q, k, position):
    """The mean over features of exp(w.q' - |q'|^2 / 2) exp(w.k' - |k'|^2 / 2), with no care for overflow."""
    size, d = core.feature_size, q.shape[-1]
    if position is not None:
        extra = [
            [
                *((q[:, :, i] * position.row_table[row - y + size[0] - 1]).sum(-1) for row in range(size[0])),
                *((q[:, :, i] * position.column_table[column - x + size[1] - 1]).sum(-1) for column in range(size[1])),
            ]
            for i, (y, x) in enumerate(cells(size))
        ]
        one_hot = [
            [*(float(y == row) for row in range(size[0])), *(float(x == column) for column in range(size[1]))]
            for y, x in cells(size)
        ]
        q = torch.cat([q, torch.stack([torch.stack(logit, -1) for logit in extra], -2)], -1)
        k = torch.cat([k, torch.tensor(one_hot, dtype=F64).expand(*k.shape[:2], -1, -1)], -1)
    assert core.features.shape == (core.size, d + (sum(size) if position is not None else 0))
    phi_q, phi_k = (
        torch.exp(t @ core.features.T - t.pow(2).sum(-1, keepdim=True) / 2)
        for t in (q * core.balance, k / core.balance)
    )
    weights = phi_q @ phi_k.mT
    return weights / weights.sum(-1, keepdim=True)


def linformer_matrix(core, q, k, position):
    full = logits(q, k, position, core.feature_size)
    return (full @ core.key_projection.T).softmax(-1) @ core.value_projection


def nystrom_matrix(core, q, k, position):
    """15 tokens in 4 segments: 4, 4, 4 and 3. With A Z = I - E, an iteration makes (3 E^3 + E^4) / 4 of E."""
    means = torch.zeros(4, 15, dtype=F64)
    for segment, (start, end) in enumerate([(0, 4), (4, 8), (8, 12), (12, 15)]):
        means[segment, start:end] = 1 / (end - start)
    full = logits(q, k, position, core.feature_size)
    a = (means @ full @ means.T).softmax(-1)
    one = torch.eye(4, dtype=F64)
    error = one - a @ a.mT / a.sum(-2, keepdim=True).amax(-1, keepdim=True)
    for _ in range(6):
        error = (3 * torch.linalg.matrix_power(error, 3) + torch.linalg.matrix_power(error, 4)) / 4
    z = torch.linalg.solve(a, one - error)
    return (full @ means.T).softmax(-1) @ z @ (means @ full).softmax(-1)


def axial_matrix(core, q, k, position):
    full = logits(q, k, position, core.feature_size)
    rows = softmax_where(lambda a, b: a[0] == b[0], full, core.feature_size)
    columns = softmax_where(lambda a, b: a[1] == b[1], full, core.feature_size)
    return columns @ rows


def window_matrix(core, q, k, position):
    """Windows of 2 x 2 on 3 x 5: those below and on the right are cut by the border."""
    full = logits(q, k, position, core.feature_size)
    return softmax_where(lambda a, b: [n // 2 for n in a] == [n // 2 for n in b], full, core.feature_size)


FORMULAS = [
    (EfficientAttention, None, efficient_matrix, False),
    (LinearAttention, None, linear_matrix, False),
    *((Performer, 40, performer_matrix, relative) for relative in (False, True)),
    *((Linformer, 7, linformer_matrix, relative) for relative in (False, True)),
    *((Nystromformer, 4, nystrom_matrix, relative) for relative in (False, True)),
    *((AxialAttention, None, axial_matrix, relative) for relative in (False, True)),
    *((WindowAttention, 2, window_matrix, relative) for relative in (False, True)),
]


def assert_equal_with_gradients(ours: Tensor, theirs: Tensor, inputs: list[Tensor], **tolerance: float) -> None:
    torch.testing.assert_close(ours, theirs, **tolerance)
    weight = torch.linspace(-1, 1, ours.numel(), dtype=F64).view_as(ours)
    gradients = [torch.autograd.grad((y * weight).sum(), inputs, retain_graph=True) for y in (ours, theirs)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize(("mechanism", "setting", "oracle", "relative"), FORMULAS)
def test_forward_and_backward_are_those_of_the_matrix(mechanism, setting, oracle, relative):
    q, k, v = tokens(SIZE)
    core, position = made(mechanism, SIZE, relative, setting)
    ours = core(q, k, v, None if position is None else position(q))
    learned = [*core.parameters(), *(() if position is None else position.parameters())]
    assert_equal_with_gradients(ours, oracle(core, q, k, position) @ v, [q, k, v, *learned])


@pytest.mark.parametrize("size", [(1, 6), (4, 2), (7, 7)])
@pytest.mark.parametrize("mechanism", [EfficientAttention, LinearAttention, Performer, AxialAttention, WindowAttention])
def test_each_result_is_a_mean_of_the_values(mechanism, size):
    relative = mechanism.takes_relative
    q, k, _ = tokens(size)
    core, position = made(mechanism, size, relative)
    one_hot = torch.eye(size[0] * size[1], dtype=F64).expand(2, 2, -1, -1)
    implied = core(q, k, one_hot, position(q) if relative else None)
    torch.testing.assert_close(implied.sum(-1), torch.ones_like(implied[..., 0]))
    assert implied.min() >= 0


def identity_projections(core: Linformer) -> None:
    for projection in core.parameters():
        nn.init.eye_(projection)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(
    ("mechanism", "size", "setting"),
    [
        (Linformer, (3, 5), 15),
        (WindowAttention, (3, 5), 5),
        (WindowAttention, (5, 5), 5),
        (AxialAttention, (1, 7), None),
        (AxialAttention, (7, 1), None),
    ],
)
def test_limits_that_are_exact(mechanism, size, setting, relative):
    q, k, v = tokens(size)
    core, position = made(mechanism, size, relative, setting)
    if isinstance(core, Linformer):
        identity_projections(core)
    given = position(q) if relative else None
    assert_equal_with_gradients(core(q, k, v, given), explicit_attention(q, k, v, given), [q, k, v])


@pytest.mark.parametrize("relative", [True, False])
def test_nystromformer_with_a_landmark_a_token_is_near_exact(relative):
    # Queries near their own keys: a map that 6 iterations can invert.
    _, k, v = tokens((4, 5), d=8, scale=2.0)
    q = k / 8**0.5
    core, position = made(Nystromformer, (4, 5), relative, 100, d=8)
    assert core.size == 20
    given = position(q) if relative else None
    exact = explicit_attention(q, k, v, given)
    assert (core(q, k, v, given) - exact).norm() < 1e-2 * exact.norm()


@pytest.mark.parametrize("relative", [True, False])
def test_performer_converges_to_exact(relative):
    q, k, v = tokens((4, 5), d=8, scale=0.4)
    errors = []
    for features in (32, 32 * 4**5):
        core, position = made(Performer, (4, 5), relative, features, d=8)
        if relative:
            for axis, table in enumerate(position.parameters()):  # the draw of the features must not change them
                nn.init.normal_(table, std=8**-0.5, generator=torch.Generator().manual_seed(axis))
        given = position(q) if relative else None
        exact = explicit_attention(q, k, v, given)
        errors.append(((core(q, k, v, given) - exact).norm() / exact.norm()).item())
    assert errors[1] < 0.03
    # As the root of their number, 1/32; half of that is chance's.
    assert errors[1] < errors[0] / 16


def test_features_are_orthogonal_in_blocks_and_normal_one_by_one():
    torch.manual_seed(0)
    features = orthogonal_features(20, 8, dtype=F64)
    for start in (0, 8, 16):
        block = features[start : start + 8]
        lengths = block.norm(dim=-1)
        torch.testing.assert_close(block @ block.T, torch.diag(lengths**2), rtol=0, atol=1e-5)
    drawn = torch.stack([orthogonal_features(3, 3) for _ in range(3000)])
    assert drawn.mean(0).abs().max() < 0.08  # 1 / 3000^1/2 is .018
    torch.testing.assert_close(drawn.var(0), torch.ones(3, 3), rtol=0, atol=0.12)


def test_a_window_of_the_relative_tables_is_shared_by_all_windows():
    q = tokens((4, 6))[0]
    position = RelativePosition2d(4, (4, 6), dtype=F64, window=(2, 3))
    assert [len(table) for table in position.parameters()] == [3, 5]
    rows, columns = position(q)
    assert (rows.shape[-1], columns.shape[-1]) == (2, 3)
    # The query at (3, 4) is at (1, 1) of its window; the key at its (0, 2) is one row up and one column on.
    torch.testing.assert_close(rows[:, :, 3 * 6 + 4, 0], q[:, :, 22] @ position.row_table[0])
    torch.testing.assert_close(columns[:, :, 3 * 6 + 4, 2], q[:, :, 22] @ position.column_table[3])


@pytest.mark.parametrize(
    ("mechanism", "options", "message"),
    [
        (EfficientAttention, {"relative": True}, "EfficientAttention takes no relative positions"),
        (AxialAttention, {"size": 4}, "AxialAttention has no size of its own, and 4 was given"),
        (WindowAttention, {"size": 0}, "the size of WindowAttention is at least 1, not 0"),
    ],
)
def test_wrong_options(mechanism, options, message):
    with pytest.raises(ValueError, match=message):
        mechanism(SIZE, 4, **options)
