"""A search on the terminal: a live table of its last steps; where there is no terminal, a line a step."""

from __future__ import annotations

from collections import deque
from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from aabench.search import Scored, Step

SHOWN = 12
"""Steps in the table."""
_COLUMNS = ("step", "reward", "accuracy", "sparsity", "scored", "best", "best scheme")


class LiveSearch:
    """Shows an ``aabench.search.SearchProgress`` on stderr. Numbers of a step are means over its schemes."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._steps: deque[tuple[str, ...]] = deque(maxlen=SHOWN)
        self._total = 0
        self._evaluating = ""
        self._live = Live(console=self._console, get_renderable=self._table, transient=True)

    def start(self, total_steps: int, done: int) -> None:
        """Show the table."""
        self._total = total_steps
        if done:
            self._console.print(f"  goes on after step {done} of {total_steps}")
        if self._console.is_terminal:
            self._live.start()

    def evaluating(self, images: int, total: int) -> None:
        """Say how far the evaluation of a step is."""
        self._evaluating = f"evaluating {images:,}/{total:,} images"

    def step(self, step: Step, best: Scored) -> None:
        """Add a step to the table."""
        from aabench.search.score import as_bits

        numbers = (
            f"{step.step}/{self._total}",
            f"{fmean(step.rewards):.3f}",
            f"{fmean(step.accuracies):.2f} %",
            f"{100 * fmean(step.sparsities):.0f} %",
            str(step.evaluated),
            f"{best.reward:.3f}",
            as_bits(best.flags),
        )
        self._steps.append(numbers)
        if not self._console.is_terminal:
            shown = ", ".join(f"{name} {number}" for name, number in zip(_COLUMNS, numbers, strict=True))
            self._console.print(f"  {shown}", soft_wrap=True)

    def finish(self) -> None:
        """Take the table away."""
        if self._live.is_started:
            self._live.stop()

    def _table(self) -> Table:
        table = Table(title="search", caption=self._evaluating, title_justify="left", caption_justify="left")
        for name in _COLUMNS:
            table.add_column(name, justify="left" if name == "best scheme" else "right", no_wrap=True)
        for numbers in self._steps:
            table.add_row(*numbers)
        return table
