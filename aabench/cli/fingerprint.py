"""``aabench fingerprint TASK``: what AW-convolutions cost in each setting that the paper may have."""

from __future__ import annotations

import json as json_module
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from aabench.catalog import Task
    from aabench.catalog.schema import Quantity
    from aabench.profile import Fingerprint, Neighbour

_UNITS = {"params": {"M": "M"}, "flops": {"GFLOPs": "GFLOPs", "G": "GFLOPs"}}
"""Option -> a unit as it may be written, and its name in the catalog."""


def fingerprint(
    task: Annotated[str, typer.Argument(help="A task of `aabench list` whose network has AW-convolutions.")],
    params: Annotated[
        str | None, typer.Option(help="Parameters as a paper prints them, such as 25.9M: only settings that fit.")
    ] = None,
    flops: Annotated[
        str | None, typer.Option(help="Likewise FLOPs, such as 4.1G, counted as multiply-adds or as twice these.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell the settings of AW-convolution apart by parameters and FLOPs: the paper's settings are not known here, and
    a number of it would leave few of them.

    Nothing is run, and no data is needed. Exit code 1 where no setting fits the numbers given.
    """
    from aabench.catalog import load_catalog
    from aabench.profile import count_settings

    asked = {"params": _read("params", params), "flops": _read("flops", flops)}
    chosen = load_catalog().task(task)
    found = count_settings(chosen, _watched)
    if json:
        typer.echo(json_module.dumps(_content(chosen, found, **asked), indent=2))
    else:
        from aabench.cli.fingerprint_table import lines

        typer.echo("\n".join(lines(chosen, found, **asked)))
    if not found.matching(**asked):
        raise typer.Exit(1)


def _read(option: str, text: str | None) -> Quantity | None:
    """A number as it is printed; the blank before its unit may be left out."""
    from aabench.catalog.schema import Quantity
    from aabench.errors import AABenchError

    if text is None:
        return None
    units = _UNITS[option]
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    if match is None or match[2] not in units:
        example = {"params": "25.9M", "flops": "4.1G"}[option]
        raise AABenchError(
            f"--{option} {text!r} is not a number as a paper prints it, with its unit ({' or '.join(units)}); "
            f"write it like {example}"
        )
    return Quantity.model_validate(f"{match[1]} {units[match[2]]}")


def _watched(networks: Sequence[Any]) -> Iterable[Any]:
    """With a bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(networks, "counting", console=console, transient=True, disable=not console.is_terminal)


def _content(task: Task, found: Fingerprint, params: Quantity | None, flops: Quantity | None) -> dict[str, Any]:
    from aabench.models.attention_weighted import WITHOUT_TRACE

    matching = found.matching(params, flops)
    nearest: dict[str, Any] = {}
    if not matching and params is not None:
        nearest["params"] = _around("params", found.around_params(params))
    if not matching and flops is not None:
        nearest["flops"] = _around("flops", found.around_flops(flops))
    return {
        "task": task.name,
        "model": task.model,
        "input_size": task.input_size,
        "asked": {"params": params and str(params), "flops": flops and str(flops)},
        "settings": [
            {
                **setting.arguments,
                "params": setting.params,
                **setting.counts,
                "is_default": setting.is_default,
                "lands_as": None if flops is None else setting.landing(flops),
            }
            for setting in matching
        ],
        "not_built": [{**unbuilt.arguments, "reason": unbuilt.reason} for unbuilt in found.unbuilt],
        "nearest": nearest,
        "not_told_apart": WITHOUT_TRACE,
    }


def _around(metric: str, neighbours: Sequence[Neighbour | None]) -> dict[str, Any]:
    """The nearest below and above; null for none."""
    return {
        side: neighbour
        and {
            **neighbour.setting.arguments,
            metric: neighbour.count,
            "convention": neighbour.convention,
            "others": neighbour.others,
        }
        for side, neighbour in zip(("below", "above"), neighbours, strict=True)
    }
