"""A job in a process of its own: ``python -m aabench.profile.worker``, JSON on stdin, JSON on stdout.

It imports what the job needs and little else: its start is most of a small point's time.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

from aabench.errors import AABenchError
from aabench.parent import die_with_parent

JOBS = ("measure", "modules", "interleaved")
"""Modules of this package with a ``run(point) -> answer``."""


def main() -> None:
    """Read job and point, write the answer; a failure that Python can catch is one too, with ``error``."""
    die_with_parent()  # nobody waits for the answer once the parent is gone
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not mix with the answer
        request = json.load(sys.stdin)
        assert request["job"] in JOBS
        try:
            result = import_module(f"aabench.profile.{request['job']}").run(request["point"])
        except (AABenchError, RuntimeError, ValueError, MemoryError) as error:
            first = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            result = {"error": first, "oom": _out_of_memory(error)}
        json.dump(result, answer)


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's, CUDA's, or a RuntimeError of torch's CPU allocator."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


if __name__ == "__main__":
    main()
