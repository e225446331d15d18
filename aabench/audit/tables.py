"""How the relative tables start: normal, mean 0, standard deviation d_k^h ** -0.5 (sheet aanet.md, section 2)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from aabench.audit.adapter import Adapter
from aabench.audit.finding import Finding
from aabench.audit.slots import find_slots
from aabench.audit.target import Obstacle, build

CHECK = "position-table init"
SIDE, INSTANCES = 24, 8
"""Enough values (47 offsets x d_k^h x 8 a table) to know the deviation within 8 % at five standard errors. Ours."""
SURE = 5
"""Standard errors that make a difference."""


def table_init(kind: type[nn.Module], adapter: Adapter) -> Finding:
    """Fresh tables of some instances, row tables and column tables apart."""
    try:
        tables = _fresh(kind, adapter)
    except Obstacle as obstacle:
        reason = f"no layer for {SIDE}x{SIDE} maps to look at: {obstacle}"
        return Finding(check=CHECK, status="not-checked", reason=reason)
    wrong = [found for name, (values, d, dk) in tables.items() if (found := _judge(name, values, d, dk)) is not None]
    if wrong:
        faults = [fault for _, fault in wrong]
        return Finding(check=CHECK, status="fail", reason="; ".join(says for says, _ in wrong), fault=faults[0])
    std = " and ".join(f"{values.std().item():.3f}" for values, _, _ in tables.values())
    d = next(iter(tables.values()))[1]
    return Finding(check=CHECK, status="pass", reason=f"normal, mean 0, deviation {std}: {d} ** -0.5 = {d**-0.5:.3f}")


def _fresh(kind: type[nn.Module], adapter: Adapter) -> dict[str, tuple[Tensor, int, int]]:
    """Table -> its values over all instances, d_k^h, dk."""
    gathered: dict[str, list[Tensor]] = {}
    for seed in range(INSTANCES):
        layer = build(kind, adapter, (SIDE, SIDE), relative=True, seed=seed)
        slots = find_slots(layer, adapter, relative=True)
        for name, slot in (("rows", slots.rows), ("columns", slots.columns)):
            assert slot is not None
            gathered.setdefault(name, []).append(slot.view().detach().double().flatten())
    heads = adapter.trial.num_heads
    return {name: (torch.cat(values), slots.dk // heads, slots.dk) for name, values in gathered.items()}


def _judge(name: str, values: Tensor, d: int, dk: int) -> tuple[str, str] | None:
    """(what is wrong, its fault), or None."""
    wanted, number = d**-0.5, values.numel()
    mean, std = values.mean().item(), values.std().item()
    found = f"{name}: mean {mean:.3f}, deviation {std:.3f}; the paper's are 0 and {d} ** -0.5 = {wanted:.3f}"
    slack = SURE * max(std, wanted) / number**0.5
    if std > 0.5 and abs(mean) > slack and min(abs(abs(mean) - wanted), abs(abs(mean) - dk**-0.5)) <= slack:
        return f"{found}: the deviation was added as a mean", "table-init-mean"
    faults = list(_unlike(values, mean, std, wanted, slack))
    return (f"{found} ({', '.join(faults)})", "table-init") if faults else None


def _unlike(values: Tensor, mean: float, std: float, wanted: float, slack: float) -> Iterator[str]:
    number = values.numel()
    if abs(mean) > slack:
        yield "another mean"
    if abs(std / wanted - 1) > SURE / (2 * number) ** 0.5:
        yield "not drawn at random" if std == 0 else "another deviation"
    if std > 0:
        kurtosis = ((values - mean) / std).pow(4).mean().item() - 3
        if abs(kurtosis) > SURE * (24 / number) ** 0.5:
            yield "not normal"
