"""``aabench show TASK`` (or PROTOCOL): the task, its claims and its recipe."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aabench.catalog import Catalog, Claim, Protocol, Task


def show(
    task: Annotated[str, typer.Argument(help="A task, or a protocol, of `aabench list`.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a task: model, data, recipe, and what the paper claims of it. Or a protocol: what it compares."""
    from aabench.catalog import load_catalog

    catalog = load_catalog()
    if task in catalog.protocols:
        _show_protocol(catalog.protocols[task], catalog, json)
        return
    chosen = catalog.task(task)
    recipe = catalog.recipe_of(chosen)
    search = None if chosen.search is None else catalog.search_of(chosen)
    claims = catalog.claims_of(task)
    if json:
        content = {
            "task": chosen.model_dump(mode="json"),
            "recipe": recipe and recipe.model_dump(mode="json"),
            "search": search and search.model_dump(mode="json"),
            "sweeps": [sweep.model_dump(mode="json") for sweep in catalog.sweeps_of(task)],
            "claims": [claim.model_dump(mode="json") for claim in claims],
        }
        typer.echo(json_module.dumps(content, indent=2))
        return
    paper = catalog.papers[chosen.paper]
    arguments = ", ".join(f"{key}={value}" for key, value in chosen.arguments.items())
    typer.echo(f"{chosen.name}: {paper.title} ({paper.venue})")
    typer.echo(f"  model   {chosen.model}({arguments})")
    typer.echo(f"  input   {_input(chosen)}, {chosen.num_classes} classes ({chosen.data})")
    if chosen.checkpoint:
        origin = f" (torchvision's {chosen.torchvision_weights})" if chosen.torchvision_weights else ""
        typer.echo(f"  weights {chosen.checkpoint} below the data root{origin}")
    if chosen.backbone:
        typer.echo(f"  starts  from the weights of {chosen.backbone} in its backbone (--backbone FILE)")
    if chosen.obstacle:
        typer.echo(f"  blocked {chosen.obstacle}")
    _show_ways(chosen, catalog)
    typer.echo("  claims")
    _show_claims(claims)


def _input(task: Task) -> str:
    if task.framing == "shorter-side":
        return f"shorter side {task.input_size}"
    return f"{task.input_size}x{task.input_size}"


def _show_ways(task: Task, catalog: Catalog) -> None:
    """How it is trained, how its scheme is searched for, and how it is profiled."""
    if recipe := catalog.recipe_of(task):
        typer.echo(
            f"  recipe  {recipe.name}: {recipe.epochs} epochs, batch {recipe.batch_size}, {recipe.optimizer.upper()}, "
            f"{recipe.schedule} learning rate {recipe.lr:g} per {recipe.lr_batch}, weight decay {recipe.weight_decay:g}"
        )
    if task.search is not None:
        search = catalog.search_of(task)
        typer.echo(
            f"  search  {search.name}: {search.steps} steps of {search.samples} schemes, scored on {search.held_out} "
            f"training images a class that the supernet ({search.supernet}) has not seen"
        )
    for sweep in catalog.sweeps_of(task.name):
        where = f" on one {sweep.gpu} GPU" if sweep.gpu else ""
        sides = ", ".join(map(str, sweep.sides))
        way = f"{sweep.mode}, batch {sweep.batch}, {sweep.dtype}{'' if sweep.synchronised else ', not synchronised'}"
        typer.echo(f"  sweep   {sweep.name}: {way}, sides {sides}{where}")


def _show_claims(claims: Sequence[Claim]) -> None:
    width = max((len(claim.measure) for claim in claims), default=0)
    for claim in claims:
        convention = f", counted as {claim.convention}" if claim.metric == "flops" and claim.convention else ""
        source = f"{claim.table}, {claim.row}; {claim.tag}{convention}"
        typer.echo(f"    {claim.measure:<{width}} {claim.saying}  [{source}]")


def _show_protocol(protocol: Protocol, catalog: Catalog, json: bool) -> None:
    claims = catalog.claims_of(protocol.name)
    if json:
        content = {
            "protocol": protocol.model_dump(mode="json"),
            "claims": [claim.model_dump(mode="json") for claim in claims],
        }
        typer.echo(json_module.dumps(content, indent=2))
        return
    recipe = catalog.recipe_of(catalog.task(protocol.tasks[0]))
    assert recipe is not None  # the catalog has checked that they have one
    changes = ", ".join(f"{key}={value}" for key, value in protocol.scaled.changes.items())
    some = ", ".join(f"{key}={value}" for key, value in protocol.scaled.changes_where_set.items())
    typer.echo(f"{protocol.name}: a protocol, its networks are trained with the same seeds")
    typer.echo(f"  baselines   {', '.join(protocol.baselines)}")
    typer.echo(f"  candidates  {', '.join(protocol.candidates)}")
    typer.echo(f"  full        recipe {recipe.name} as it is")
    typer.echo(
        f"  scaled      {protocol.scaled.title}: {changes}" + (f"; where a task sets it, {some}" if some else "")
    )
    typer.echo("  claims, each judged under both settings, apart")
    _show_claims([claim for claim in claims if claim.setting == "full"])
