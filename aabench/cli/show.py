"""``aabench show TASK``: the task, its claims and its recipe."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer


def show(
    task: Annotated[str, typer.Argument(help="A task of `aabench list`.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a task: model, data, recipe, and what the paper claims of it."""
    from aabench.catalog import load_catalog

    catalog = load_catalog()
    chosen = catalog.task(task)
    recipe = catalog.recipe_of(chosen)
    claims = catalog.claims_of(task)
    if json:
        content = {
            "task": chosen.model_dump(mode="json"),
            "recipe": recipe and recipe.model_dump(mode="json"),
            "sweeps": [sweep.model_dump(mode="json") for sweep in catalog.sweeps_of(task)],
            "claims": [claim.model_dump(mode="json") for claim in claims],
        }
        typer.echo(json_module.dumps(content, indent=2))
        return
    paper = catalog.papers[chosen.paper]
    arguments = ", ".join(f"{key}={value}" for key, value in chosen.arguments.items())
    typer.echo(f"{chosen.name}: {paper.title} ({paper.venue})")
    typer.echo(f"  model   {chosen.model}({arguments})")
    typer.echo(f"  input   {chosen.input_size}x{chosen.input_size}, {chosen.num_classes} classes ({chosen.data})")
    if chosen.checkpoint:
        typer.echo(f"  weights {chosen.checkpoint} below the data root")
    if chosen.blocked:
        typer.echo(f"  blocked {chosen.blocked}")
    if recipe:
        typer.echo(
            f"  recipe  {recipe.name}: {recipe.epochs} epochs, batch {recipe.batch_size}, {recipe.optimizer.upper()}, "
            f"{recipe.schedule} learning rate {recipe.lr:g} per {recipe.lr_batch}, weight decay {recipe.weight_decay:g}"
        )
    for sweep in catalog.sweeps_of(task):
        where = f" on one {sweep.gpu}" if sweep.gpu else ""
        sides = ", ".join(map(str, sweep.sides))
        typer.echo(f"  sweep   {sweep.name}: {sweep.mode}, batch {sweep.batch}, {sweep.dtype}, sides {sides}{where}")
    typer.echo("  claims")
    width = max((len(claim.measure) for claim in claims), default=0)
    for claim in claims:
        convention = f", counted as {claim.convention}" if claim.convention else ""
        source = f"{claim.table}, {claim.row}; {claim.tag}{convention}"
        typer.echo(f"    {claim.measure:<{width}} {claim.saying}  [{source}]")
