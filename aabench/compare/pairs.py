"""Pairs of processes, one a revision, that take turns: while one is timed the other waits."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

BLOCK_SECONDS = 0.005
"""A timed block is made of so many calls that it lasts at least this long, and of at least one call. Short, so that a
burst of other work on the machine falls on few rounds."""
LEAST_ROUNDS = 5
WARM_UP_SECONDS = 3.0
"""Most that a side warms up for, if its median does not settle before."""

# A thread pool that spins after its work is done would take the processor from the side whose turn it is.
_PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
_SIDE = Path(__file__).with_name("side.py")
_WORKLOAD = Path(__file__).parents[1] / "profile" / "workload.py"


@dataclass(frozen=True)
class Work:
    """What both sides run: a model by the name and arguments that ``create_model`` takes, and how."""

    model: str
    arguments: Mapping[str, Any]
    num_classes: int
    input_size: int
    mode: str = "infer"
    batch: int = 1
    dtype: str = "fp32"
    device: str = "cpu"


class SideFailed(Exception):
    """A side could not be built or run; the text says which and why."""


@dataclass(frozen=True)
class Pair:
    """Seconds a call of one pair of processes, round by round."""

    base: tuple[float, ...]
    head: tuple[float, ...]

    @property
    def log_ratios(self) -> list[float]:
        """log(HEAD / BASE) of each round."""
        return [math.log(head / base) for base, head in zip(self.base, self.head, strict=True)]


def run_pair(base: Path, head: Path, work: Work, *, seconds: float, seed: int) -> Pair:
    """Run one fresh pair in rounds; in each, both sides run one block of as many calls, in an order drawn anew.

    Args:
        base: folder that holds BASE's package ``aabench``.
        head: likewise HEAD's.
        work: what both run.
        seconds: measuring time of the pair; it has five rounds in any case.
        seed: of the orders.

    Raises:
        SideFailed: a side could not be built or run.
    """
    order = random.Random(seed)
    with ExitStack() as stack:
        trees = {"BASE": base, "HEAD": head}
        # Started together, and so that neither is always the first to take its memory.
        names = order.sample(sorted(trees), k=2)
        sides = {name: stack.enter_context(_started(name, trees[name], work)) for name in names}
        for side in sides.values():
            side.wait_until_ready()
        slower = max(sides[name].ask(warm_up=WARM_UP_SECONDS) for name in names)
        calls = max(1, math.ceil(BLOCK_SECONDS / slower))
        rounds = max(LEAST_ROUNDS, int(seconds / (2 * calls * slower)))
        times: dict[str, list[float]] = {"BASE": [], "HEAD": []}
        for _ in range(rounds):
            for name in order.sample(sorted(trees), k=2):
                times[name].append(sides[name].ask(calls=calls))
    return Pair(tuple(times["BASE"]), tuple(times["HEAD"]))


@contextmanager
def _started(name: str, tree: Path, work: Work) -> Iterator[_Side]:
    """One process of a pair, that builds its model; gone when left."""
    # -P: the folder of side.py must not be searched for modules. So PYTHONPATH alone says which aabench it is.
    command = [sys.executable, "-P", str(_SIDE)]
    environment = {**os.environ, **_PATIENT, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    with (
        tempfile.TemporaryFile("w+", errors="replace") as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, bufsize=1, env=environment
        ) as process,
    ):
        try:
            side = _Side(name, process, said)
            side.send({"tree": str(tree), "workload": str(_WORKLOAD), "work": dataclasses.asdict(work)})
            yield side
        finally:
            process.kill()  # it only waits; nothing of it is to be kept
            process.communicate()


class _Side:
    """What is said to a process and what it answers."""

    def __init__(self, name: str, process: subprocess.Popen[str], said: IO[str]) -> None:
        self._name = name
        self._process = process
        self._said = said

    def wait_until_ready(self) -> None:
        self._answer()

    def ask(self, **order: float) -> float:
        """Give an order, wait for the seconds a call."""
        self.send(order)
        return float(self._answer()["seconds"])

    def send(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
        except BrokenPipeError:
            raise SideFailed(f"{self._name}: {self._death()}") from None

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SideFailed(f"{self._name}: {self._death()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SideFailed(f"{self._name}: {answer['error']}")
        return answer

    def _death(self) -> str:
        status = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        return f"its process ended {how}" + (f"; its last line: {lines[-1]}" if lines else "")
