"""The audit in a process of its own: ``python -m aabench.audit.worker``, JSON on stdin, lines of JSON on the answer.

Before each step that runs the target's code it writes which, so that the parent knows where the process died.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from aabench.parent import die_with_parent


def main() -> None:
    """Read target and adapter, write the steps and then the report."""
    die_with_parent()  # nobody waits for the answer once the parent is gone
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the target prints must not mix with the answer
        request = json.load(sys.stdin)

        def step(what: str) -> None:
            print(json.dumps({"step": what}), file=answer, flush=True)

        step("the start of torch")
        import torch

        torch.set_num_threads(1)
        from aabench.audit.adapter import Adapter
        from aabench.audit.examine import examine

        report = examine(request["target"], Adapter.model_validate(request["adapter"]), step)
        print(json.dumps({"report": report.model_dump()}), file=answer, flush=True)
        # Threads, exit handlers and processes of the target have nothing more to say; the session is this worker's own.
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
