"""What ``aabench fingerprint`` prints: the settings, a line each, and what cannot be read off them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aabench.catalog import Task
    from aabench.catalog.schema import Quantity
    from aabench.profile import Fingerprint, Neighbour, Setting

_WIDTHS = {"aw_reduction": 9, "aw_expansion": 9, "aw_norm": 4, "aw_bias": 4, "aw_placement": 9}
DEFAULT = "*"
"""Marks a value that is our default."""


def lines(task: Task, found: Fingerprint, params: Quantity | None, flops: Quantity | None) -> Iterator[str]:
    """All of it: of the settings those that print as the numbers given."""
    settings = found.matching(params, flops)
    total = len(found.settings) + len(found.unbuilt)
    asked = _asked(params, flops)
    yield f"{task.name}: {task.model} at {task.input_size}x{task.input_size} pixels"
    if settings:
        header = " ".join(f"{_plain(name):<{width}}" for name, width in _WIDTHS.items())
        yield f"{header} {'params':>14} {'GMACs':>9} {'GFLOPs':>9}{'' if flops is None else '  lands as'}"
    for setting in settings:
        landing = "" if flops is None else f"  {', '.join(setting.landing(flops))}"
        gmacs, gflops = (setting.counts[convention] / 1e9 for convention in ("macs", "flops"))
        yield f"{_cells(setting.arguments)} {setting.params:>14,} {gmacs:>9.3f} {gflops:>9.3f}{landing}"
    if asked:
        yield f"{len(settings) or 'none'} of {total} settings print as {asked}"
        if not settings:
            yield from _nearest(found, params, flops)
    else:
        for unbuilt in found.unbuilt:
            yield f"{_cells(unbuilt.arguments)} {'not built':>14}"
    yield from _notes(found, total)


def _asked(params: Quantity | None, flops: Quantity | None) -> str:
    parts = [] if params is None else [f"{params} parameters"]
    parts += [] if flops is None else [f"{flops} (as macs or as flops)"]
    return " and ".join(parts)


def _notes(found: Fingerprint, total: int) -> Iterator[str]:
    from aabench.models.attention_weighted import WITHOUT_TRACE

    for reason, n in Counter(unbuilt.reason for unbuilt in found.unbuilt).items():
        yield f"{n} of {total} settings cannot be built: {reason}"
    yield f"{DEFAULT} our default: the paper's value is not known"
    if _is_one_placement(found.settings):
        yield "not told apart either: placement, since no block of this network has a 1x1 convolution"
    values = ", ".join(f"{_plain(name)} ({', '.join(map(_text, of))})" for name, of in WITHOUT_TRACE.items())
    yield f"not told apart, as they leave no trace here: {values}"


def _is_one_placement(settings: Sequence[Setting]) -> bool:
    """Whether all settings cost the same in every placement."""
    costs: dict[str, set[tuple[Any, ...]]] = {}
    for setting in settings:
        placement, *others = (setting.arguments[name] for name in ("aw_placement", *sorted(setting.arguments)))
        others.remove(placement)
        costs.setdefault(placement, set()).add((*others, setting.params, *setting.counts.values()))
    return len(costs) > 1 and len({frozenset(own) for own in costs.values()}) == 1


def _nearest(found: Fingerprint, params: Quantity | None, flops: Quantity | None) -> Iterator[str]:
    """For each number, the settings nearest to it, or how many there are that it alone would leave."""
    if params is not None:
        yield from _near(params, found.matching(params, None), found.around_params(params))
    if flops is not None:
        yield from _near(flops, found.matching(None, flops), found.around_flops(flops))


def _near(
    number: Quantity, alone: Sequence[Setting], around: tuple[Neighbour | None, Neighbour | None]
) -> Iterator[str]:
    if alone:
        yield f"  {number} alone: {len(alone)} of them"
        return
    for side, neighbour in zip(("below", "above"), around, strict=True):
        if neighbour is None:
            yield f"  nearest {side} {number}: none"
            continue
        counted = "parameters" if neighbour.convention is None else neighbour.convention
        others = f" ({neighbour.others} more with as many)" if neighbour.others else ""
        yield f"  nearest {side} {number}: {neighbour.count:,} {counted}{others}"
        named = (f"{_plain(name)} {_text(value)}" for name, value in neighbour.setting.arguments.items())
        yield f"    {', '.join(named)}"


def _cells(arguments: Mapping[str, Any]) -> str:
    return " ".join(f"{_marked(name, arguments[name]):<{width}}" for name, width in _WIDTHS.items())


def _marked(name: str, value: Any) -> str:
    from aabench.models.attention_weighted import GRID

    return _text(value) + (DEFAULT if value == GRID[name][0] else "")


def _text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _plain(name: str) -> str:
    return name.removeprefix("aw_")
