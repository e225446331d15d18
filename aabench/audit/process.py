"""The audit in a fresh process with a time limit: whatever the target does to it becomes a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aabench
from aabench.audit.adapter import Adapter
from aabench.audit.finding import Report

WORKER = (sys.executable, "-m", "aabench.audit.worker")
NO_ADAPTER = (
    "no adapter: the audit cannot know which arguments mean dk, dv, heads and size, nor where the weights are; "
    "write one (a small TOML file) and give it with --adapter"
)


def audit(target: str, adapter: Adapter | None, *, timeout: float = 120.0) -> Report:
    """Audit ``module:Class`` or ``path/to/file.py:Class``. **This runs the target's code**, with your rights.

    A target that cannot be imported or built, that crashes, exits or does not end within ``timeout`` seconds gives a
    report whose ``obstacle`` says so; nothing is raised.
    """
    if adapter is None:
        return Report(target=target, obstacle=NO_ADAPTER)
    package = str(Path(aabench.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    request = json.dumps({"target": target, "adapter": adapter.model_dump()})
    with subprocess.Popen(
        WORKER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Some layers put themselves on a GPU if they see one; the audit's tensors are on the CPU.
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        start_new_session=True,
    ) as worker:
        try:
            answer, said = worker.communicate(request, timeout=timeout)
            late = False
        except subprocess.TimeoutExpired:
            late = True
            _kill(worker)
            answer, said = worker.communicate()
        finally:
            if worker.poll() is None:  # interrupted
                _kill(worker)
    # The last line of a killed process may be half a line.
    events = [json.loads(line) for line in answer.split("\n")[:-1]]
    if events and "report" in events[-1]:
        return Report.model_validate(events[-1]["report"])
    where = events[-1]["step"] if events else "the start"
    return Report(target=target, obstacle=_last_words(where, worker.returncode, said, timeout if late else None))


def _kill(worker: subprocess.Popen[str]) -> None:
    """With the processes that the target started."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)


def _last_words(where: str, status: int, said: str, limit: float | None) -> str:
    if limit is not None:
        return f"{where} did not end within {limit:g} s"
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
    lines = said.strip().splitlines()
    return f"{where} ended the process {how}" + (f"; its last line: {lines[-1]}" if lines else "")
