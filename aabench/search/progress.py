"""What a search tells while it runs: a protocol, so that nothing here draws on a terminal."""

from __future__ import annotations

from typing import Protocol

from aabench.search.result import Scored, Step


class SearchProgress(Protocol):
    """Is told how a search goes."""

    def start(self, total_steps: int, done: int) -> None:
        """The search starts, with ``done`` steps behind it if it is resumed. It has at most so many steps."""

    def evaluating(self, images: int, total: int) -> None:
        """So many of the held-out images are done, for the schemes that are scored together."""

    def step(self, step: Step, best: Scored) -> None:
        """A step is done and saved; ``best`` is the scheme of the greatest reward so far."""

    def finish(self) -> None:
        """The search ends, whether well or not."""


class SilentSearch:
    """Tells nobody."""

    def start(self, total_steps: int, done: int) -> None:
        """Nothing."""

    def evaluating(self, images: int, total: int) -> None:
        """Nothing."""

    def step(self, step: Step, best: Scored) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""
