"""The cores at hand, and work of one core an item on all of them: many networks to count, or to predict."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from aabench.parent import die_with_parent

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
WORTH_A_PROCESS = 8
"""Items. A process that imports torch is at work after some seconds."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def on_all_cores(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """The results of a function in the order of its items, each as soon as it is there.

    Where there are few items, or one core, the work is done in this process. Otherwise function, items and results are
    pickled, and what the function raises is raised here.
    """
    processes = min(usable_cores(), len(items) // WORTH_A_PROCESS)
    if processes < 2:
        yield from map(work, items)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """A signal to all processes of a job is the parent's affair, which lets these end what they are at.

    Garbage is looked for more rarely: with torch loaded, a search of all objects takes longer than a small network.
    """
    gc.set_threshold(50_000)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
