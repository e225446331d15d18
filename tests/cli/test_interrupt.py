"""A training stopped by a signal: saved, logged, and taken up again."""

import signal
import subprocess
import sys
import time

import pytest

from aabench.record import read
from aabench.reproduce.attempt import outcome
from aabench.reproduce.termination import Terminated

COMMAND = [
    sys.executable,
    "-c",
    "from aabench.cli.app import main; main()",
    "reproduce",
    "wrn-28-10",
    "--level",
    "train",
]
TINY = {"depth": 10, "width": 1, "input_size": 12, "batch_size": 500, "epochs": 1, "warmup_epochs": 0, "lr": 0.02}


@pytest.mark.data
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stop_and_resume(tmp_path, data_root, number, code):
    log = tmp_path / "log.jsonl"
    changes = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    command = [*COMMAND, *changes, "--data", str(data_root), "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "hours" in line:  # the cost is printed right before training starts
                break
        time.sleep(1)
        running.send_signal(number)
        rest = running.stdout.read()
        assert running.wait(60) == code, rest
    row = read(log).rows[-1]
    assert (row.level, row.status) == ("train", "interrupted")
    assert "go on with --resume" in (row.error or "")
    assert f"stopped by {number.name}" in rest
    if number is signal.SIGTERM:
        done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stdout + done.stderr  # altered, so nothing is judged
        row = read(log).rows[-1]
        assert (row.level, row.status, row.number("steps")) == ("train", "ok", 100)
        assert row.number("images") == 10_000
        assert row.number("top1", "last") > 2


@pytest.mark.data
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_evaluation_leaves_a_row(tmp_path, data_root, number, code):
    log = tmp_path / "log.jsonl"
    command = [*COMMAND[:4], "resnet56-cifar10", "--level", "eval", "--data", str(data_root), "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("  structure"):  # the evaluation is next
                break
        time.sleep(1)
        running.send_signal(number)
        rest = running.stdout.read()
        assert running.wait(60) == code, rest
    assert "Traceback" not in rest
    assert [(row.level, row.status) for row in read(log).rows] == [("structure", "ok"), ("eval", "interrupted")]


def test_a_stop_in_the_middle_of_an_import_leaves_a_row_too(monkeypatch):
    """What was being imported cannot be imported again."""
    monkeypatch.setitem(sys.modules, "aabench.train", None)

    def measured():
        raise Terminated("stopped by SIGTERM")

    common = {"task": "resnet50", "level": "eval", "seed": None}
    row, _ = outcome(measured, common, settings={}, altered={})
    assert (row.status, row.error) == ("interrupted", "stopped by SIGTERM")
