"""SIGINT and SIGTERM during a training or a search: the step is finished and saved before the process ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from aabench.errors import AABenchError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(AABenchError):
    """A training, or a search, was stopped by a signal. The exit code is 128 + the signal's number.

    ``checkpoint`` is where its state was saved; None for a smoke run, which is not worth going on with.
    """

    def __init__(self, signum: int, step: int, total_steps: int, checkpoint: Path | None) -> None:
        self.signum = signum
        self.step = step
        self.total_steps = total_steps
        self.checkpoint = checkpoint
        self.exit_code = 128 + signum
        fate = f"saved in {checkpoint}: go on with --resume" if checkpoint else "a smoke run starts anew"
        super().__init__(f"stopped by {signal.Signals(signum).name} after step {step} of {total_steps}; {fate}")


@dataclass
class StopRequest:
    """Whether it was asked to stop: the signal's number, or None."""

    signum: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request. A second one does what it did before, at once.

    Python handles signals in the main thread only: in another one, nothing is changed.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {signum: signal.getsignal(signum) or signal.SIG_DFL for signum in SIGNALS}

    def restore() -> None:
        for signum, handler in before.items():
            signal.signal(signum, handler)

    def on_signal(signum: int, frame: FrameType | None) -> None:
        request.signum = signum
        restore()

    for signum in SIGNALS:
        signal.signal(signum, on_signal)
    try:
        yield request
    finally:
        restore()
