"""A job in a fresh process, and what is left of it if the process dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aabench

WORKER = (sys.executable, "-m", "aabench.profile.worker")
STDERR_LINES = 5


def run_in_fresh_process(job: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Run a job of :mod:`aabench.profile.worker` on a point; its answer.

    A job that fails, or whose process dies, answers with ``error`` (one line). ``oom`` is there, and true, if memory
    ran out. Of a dead process ``death`` tells the signal or the exit status, and the last lines of stderr.
    """
    package = str(Path(aabench.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    kills = _kernel_kills()
    done = subprocess.run(
        WORKER,
        input=json.dumps({"job": job, "point": dict(point)}),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    return _post_mortem(done, killed_by_kernel=_rose(kills, _kernel_kills()))


def _post_mortem(done: subprocess.CompletedProcess[str], *, killed_by_kernel: bool | None) -> dict[str, Any]:
    lines = done.stderr.strip().splitlines()[-STDERR_LINES:]
    death: dict[str, Any] = {"stderr": lines}
    oom = False
    if done.returncode < 0:
        death["signal"] = signal.Signals(-done.returncode).name
        how = f"by {death['signal']}"
        if death["signal"] == "SIGKILL":
            oom = killed_by_kernel is not False
            how += f" ({_WHO_KILLED[killed_by_kernel]})"
    else:
        death["exit_status"] = done.returncode
        how = f"with exit status {done.returncode}"
    said = f"; its last line: {lines[-1]}" if lines else ""
    return {"error": f"the measuring process ended {how}{said}", "death": death, "oom": oom}


_WHO_KILLED = {
    True: "out of memory: the kernel's count of such kills rose",
    None: "the kernel does that when memory runs out; it keeps no count here",
    False: "not the kernel for want of memory: its count of such kills did not rise",
}


def _kernel_kills() -> int | None:
    """How many processes the kernel has killed for want of memory; None where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _rose(before: int | None, after: int | None) -> bool | None:
    return None if before is None or after is None else after > before
