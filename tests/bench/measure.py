"""Candidates timed by turns in a process of their own, and their memory: see :mod:`tests.bench.forms`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def measure(benchmark: Any, candidates: tuple[str, ...], *, allocator: str = "default", **asked: Any) -> dict[str, Any]:
    """``seconds`` and ``bytes`` of each candidate; the benchmark's record holds them too."""
    content = json.dumps({"candidates": candidates, "allocator": allocator, **asked})

    def run() -> dict[str, Any]:
        process = subprocess.run(
            [sys.executable, "-m", "tests.bench.forms", content], capture_output=True, text=True, check=True, cwd=ROOT
        )
        found: dict[str, Any] = json.loads(process.stdout)
        return found

    found: dict[str, Any] = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(found)
    return found
