"""What a person is told while a measurement goes on, and the exit code if a signal stops it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from aabench.data.either import AnyImages
    from aabench.errors import AABenchError
    from aabench.search import SearchProgress
    from aabench.train import Plan, Progress


class Console:
    """Tells a person what goes on."""

    def training(self, plan: Plan, train_set: AnyImages) -> None:
        """Print what a training will need, and how many seeds decide the paper's claim."""
        from aabench.catalog import load_catalog
        from aabench.train import estimate
        from aabench.verify import plan_seeds

        cost = estimate(plan, train_set)
        typer.echo(
            f"  {cost.steps:,} steps of {plan.recipe.batch_size} images; {cost.images_per_second:.0f} images/s "
            f"(measured on {cost.measured_steps} steps of {cost.measured_batch}): about {cost.hours:.1f} hours"
        )
        catalog = load_catalog()
        if plan.task not in catalog.tasks:
            return  # a supernet, of which no paper claims anything
        claims = [claim for claim in catalog.claims_of(plan.task) if claim.metric in ("top1", "AP")]
        needed = plan_seeds(claims[0], catalog) if claims else None
        typer.echo(f"  {needed}" if needed else "  how many seeds decide the paper's claim is not known")

    def progress(self) -> Progress:
        """A bar with loss, accuracy, images/s and time left."""
        from aabench.cli.progress import Bar

        return Bar()

    def searching(self) -> SearchProgress:
        """A live table of the last steps."""
        from aabench.cli.search_table import LiveSearch

        return LiveSearch()


class Quiet(Console):
    """Tells how each training goes, and not what it will need: for the trainings of a protocol all was said before."""

    def training(self, plan: Plan, train_set: AnyImages) -> None:
        """Nothing."""


def exit_code_of_stopped(error: AABenchError | KeyboardInterrupt | None) -> int:
    """128 and the number of the signal that stopped a measurement, as it says itself; of a Ctrl-C 130."""
    return getattr(error, "exit_code", 128 + signal.SIGINT)
