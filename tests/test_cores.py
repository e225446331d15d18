"""Work on all cores: the same results in the same order, and an end when the work is given up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aabench import cores


def own_process(item: int) -> tuple[int, int]:
    time.sleep(0.02)
    return item, os.getpid()


def odd(item: int) -> int:
    if item % 2 == 0:
        raise ValueError(f"{item} is even")
    return item


@pytest.mark.parametrize(("available", "items", "processes"), [(2, 16, 2), (8, 16, 2), (1, 16, 1), (8, 15, 1)])
def test_results_in_order_from_as_many_processes_as_it_is_worth(monkeypatch, available, items, processes):
    monkeypatch.setattr(cores, "usable_cores", lambda: available)
    found = list(cores.on_all_cores(own_process, range(items)))
    assert [item for item, _ in found] == list(range(items))
    others = {process for _, process in found} - {os.getpid()}
    assert len(others) <= processes
    assert bool(others) == (processes > 1)


def test_an_error_of_the_work_is_raised_here(monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    found = cores.on_all_cores(odd, [1, 3, 4, *range(5, 31)])
    assert [next(found), next(found)] == [1, 3]
    with pytest.raises(ValueError, match="4 is even"):
        next(found)


COUNTING = """
import time
from pathlib import Path
from aabench import cores
cores.usable_cores = lambda: 2
if __name__ == "__main__":
    for _ in cores.on_all_cores(time.sleep, [0.2] * 1000):
        print("one", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_the_work_is_stopped(tmp_path, number):
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"one\n"
        os.kill(running.pid, number)
        running.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a process of it is left")
