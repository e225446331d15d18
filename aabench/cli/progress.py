"""A training on the terminal: a bar with loss, running accuracy, images/s and time left, and a line an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from aabench.train import CurvePoint

WINDOW = 300.0
"""Seconds that the time left is estimated from: a step may take minutes."""


class Bar:
    """Shows an ``aabench.train.Progress`` on stderr. Where that is no terminal, only the epochs' lines are left."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            speed_estimate_period=WINDOW,
            transient=True,
        )
        self._task = self._progress.add_task("training", total=None, state="", start=False)

    def start(self, total_steps: int, done: int) -> None:
        """Show the bar."""
        self._progress.reset(self._task, total=total_steps, completed=done, state="")
        self._progress.start()

    def step(self, step: int, loss: float, accuracy: float | None, images_per_second: float) -> None:
        """Move it on."""
        hits = "" if accuracy is None else f"  top-1 {accuracy:.1f} %"
        state = f"loss {loss:.3f}{hits}  {_speed(images_per_second)}"
        self._progress.update(self._task, completed=step, description="training", state=state)

    def evaluating(self, images: int, total: int) -> None:
        """Say how far an evaluation is."""
        self._progress.update(self._task, description=f"evaluating {images}/{total}")

    def epoch(self, point: CurvePoint) -> None:
        """Print the epoch's line above the bar."""
        hits = "" if point.train_top1 is None else f", top-1 {point.train_top1:.2f} %"
        self._console.print(
            f"  epoch {point.epoch} (step {point.step}): training loss {point.train_loss:.4f}{hits}; "
            f"test {_tested(point)}; learning rate {point.lr:.4g}; {_speed(point.images_per_second)}",
            soft_wrap=True,
        )

    def finish(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _tested(point: CurvePoint) -> str:
    if point.AP is not None:
        return f"AP {point.AP:.2f} %, AP50 {point.AP50:.2f} %"
    return "not evaluated" if point.top1 is None else f"top-1 {point.top1:.2f} %, top-5 {point.top5:.2f} %"


def _speed(images_per_second: float) -> str:
    return f"{images_per_second:.{0 if images_per_second >= 10 else 1}f} images/s"
