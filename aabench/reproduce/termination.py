"""SIGTERM, as a batch system sends it, ends a measurement as Ctrl-C does: with a row."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""

    exit_code = 128 + signal.SIGTERM


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raise :class:`Terminated` where SIGTERM comes. Trainings put off the first one till they have saved.

    Python handles signals in the main thread only: in another one, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated("stopped by SIGTERM")
