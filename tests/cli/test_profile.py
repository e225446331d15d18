"""profile: one row a point, and what wrong input gets."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from aabench.profile import process
from aabench.record import read
from tests.cli.run import aabench

pytestmark = pytest.mark.alone

QUICK = ("--seconds", "0.05")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


def test_a_sweep_of_two_tasks(log, capsys):
    arguments = ["resnet20-cifar10", "aa-wrn-28-10-as-counted", "--res", "8,16", *QUICK, "--log", str(log)]
    assert aabench("profile", *arguments) == 0
    out = capsys.readouterr().out
    assert "4 of 4 points measured" in out
    points = [(row.task, row.settings["input_size"], row.status) for row in read(log).rows]
    assert points == [
        ("resnet20-cifar10", 8, "ok"),
        ("resnet20-cifar10", 16, "ok"),
        ("aa-wrn-28-10-as-counted", 8, "ok"),
        ("aa-wrn-28-10-as-counted", 16, "ok"),
    ]
    small, large = (row.number("params") for row in read(log).rows[2:])
    assert large - small == 4 * (2 * (16 + 16 - 8 - 8) + 2 * (8 + 8 - 4 - 4) + 2 * (4 + 4 - 2 - 2)) * 20  # the tables


def test_prediction_starts_no_process_and_needs_no_device(log, monkeypatch, capsys):
    monkeypatch.setattr(process, "WORKER", ("false",))
    arguments = ["resnet20-cifar10", "--predict", "--res", "32,64", "--batch", "256", "--device", "cuda"]
    assert aabench("profile", *arguments, "--log", str(log)) == 0
    assert "2 of 2 points predicted" in capsys.readouterr().out
    assert [(row.level, row.settings["device"]) for row in read(log).rows] == [("predict", "cuda")] * 2


def test_a_sweep_goes_on_where_it_stopped(log, capsys):
    arguments = ["profile", "resnet20-cifar10", *QUICK, "--log", str(log)]
    assert aabench(*arguments, "--res", "16") == 0
    assert aabench(*arguments, "--res", "16,32", "--resume") == 0
    assert "1 of 2 points are in" in capsys.readouterr().out
    assert [row.settings["input_size"] for row in read(log).rows] == [16, 32]
    assert aabench(*arguments, "--res", "16,32", "--resume") == 0
    assert "0 of 0 points measured" in capsys.readouterr().out


def test_shards_share_the_points(log, capsys):
    arguments = ["profile", "resnet20-cifar10", "--predict", "--res", "8,16,32", "--log", str(log)]
    assert aabench(*arguments, "--shard", "1/2") == aabench(*arguments, "--shard", "2/2") == 0
    assert sorted(row.settings["input_size"] for row in read(log).rows) == [8, 16, 32]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_a_kill_in_the_middle_leaves_whole_rows_and_no_process(log, number, code):
    arguments = ["resnet20-cifar10", "--res", "16,24,32", "--seconds", "4", "--log", str(log)]
    command = [sys.executable, "-c", "from aabench.cli.app import main; main()", "profile", *arguments]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0)
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(3)  # into the second point's process
    os.kill(running.pid, number)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == code
    if number == signal.SIGINT:
        assert "1 points are in" in errors or "2 points are in" in errors
        assert "go on with --resume" in errors
    content = read(log)
    assert content.broken == ()
    assert {row.status for row in content.rows} == {"ok"}
    time.sleep(0.5)
    assert running_in_group(running.pid) == []


def test_networks_in_turns_are_a_table_of_ratios(log, capsys):
    """Without --res at the side that is the tasks' own, 32."""
    arguments = ["resnet20-cifar10", "resnet56-cifar10", "--interleave", "--mode", "forward", "--unsynchronised"]
    assert aabench("profile", *arguments, *QUICK, "--device", "cpu", "--log", str(log)) == 0
    header, first, second, summary = capsys.readouterr().out.splitlines()
    assert header.split() == ["task", "side", "median", "ms", "ratio", "95", "%", "interval", "rounds"]
    task, side, _, ratio, interval, *rounds = first.split()
    assert (task, side, ratio, interval) == ("resnet20-cifar10", "32", "1.000", "-")
    task, side, median, ratio, interval, *same_rounds = second.split()
    assert (task, side, same_rounds) == ("resnet56-cifar10", "32", rounds)
    assert int(rounds[0]) >= 6
    low, high = map(float, interval.rstrip("!~").split(".."))
    assert low <= float(ratio) <= high
    assert float(ratio) > 1
    assert summary.startswith("2 of 2 networks timed in ")
    rows = read(log).rows
    assert [row.settings["synchronised"] for row in rows] == [False, False]
    assert f"{rows[1].number('latency_ms'):.2f}" == median


def test_an_interleaved_run_that_fails_is_exit_code_3(log, capsys):
    arguments = ["resnet20-cifar10", "ean-dia-resnet101", "--interleave", "--res", "32", "--log", str(log)]
    assert aabench("profile", *arguments) == 3
    assert "scheme is unspecified" in capsys.readouterr().out
    assert [row.status for row in read(log).rows] == ["failed", "failed"]


STAND_IN = """
import json, os, signal, sys, time
if json.load(sys.stdin)["point"]["networks"][0]["input_size"] == 16:
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
rounds = {"times_ms": [[1.0, 2.0]] * 6, "probes_us": [], "stopped_by": "time", "warmup_rounds": 1, "settled": True}
print(json.dumps({"rounds": rounds, "allocator": "", "threads": 1, "machine": {}}))
"""
"""A measuring process in whose second run Ctrl-C is pressed."""


def test_ctrl_c_ends_an_interleaved_run_and_keeps_the_sides_that_were_done(log):
    code = "import sys; from aabench.profile import process; process.WORKER = (sys.executable, '-c', sys.argv.pop(1)); "
    code += "from aabench.cli.app import main; main()"
    arguments = ["resnet20-cifar10", "resnet56-cifar10", "--interleave", "--res", "8,16,24", "--log", str(log)]
    command = [sys.executable, "-c", code, STAND_IN, "profile", *arguments]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (
        130,
        f"stopped; 2 rows are in {log}: a side that was not done is measured anew\n",
    )
    assert [line.split()[1:4] for line in out.splitlines()[1:]] == [["8", "1.00", "1.000"], ["8", "2.00", "2.000"]]
    assert [row.settings["input_size"] for row in read(log).rows] == [8, 8]
    time.sleep(0.5)
    assert running_in_group(running.pid) == []


def running_in_group(group):
    """Processes of a group that are not dead: field 3 of /proc/PID/stat is the state, field 5 the group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


def test_the_largest_batch_is_told(log, capsys):
    arguments = ["--find-max", "batch", "--memory", "100MiB", "--res", "32", "--log", str(log)]
    assert aabench("profile", "resnet20-cifar10", *arguments) == 0
    out = capsys.readouterr().out
    rows = read(log).rows
    assert "resnet20-cifar10: the largest batch that fits into 100MiB at 32 pixels is" in out
    fits = max(row.settings["batch"] for row in rows if row.status == "ok" and row.detail["taken"] <= 100 * 2**20)
    assert f"at 32 pixels is {fits}; {fits + 1} does not" in out
    assert {row.settings["memory_limit"] for row in rows} == {100 * 2**20}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--res", "512..32"], "the range 512..32 is reversed; write 32..512"),
        (["--res", "big"], "'big' is no side in pixels"),
        (["--res", ""], "is no side in pixels"),
        (["--res", "32..64:0"], "cannot step by 0"),
        (["--res", "32", "--batch", "0"], "batch must be above 0"),
        (["--res", "32", "--mode", "dream"], "mode is infer or forward or train, not 'dream'"),
        (["--res", "32", "--dtype", "fp8"], "dtype is fp32 or bf16 or fp16, not 'fp8'"),
        (["--res", "32", "--device", "tpu"], "device is cpu or cuda, not 'tpu'"),
        (["--res", "32", "--shard", "3/2"], "a shard is i/n with i from 1 to n"),
        (["--res", "32", "--seconds", "0"], "seconds must be above 0"),
        (["--res", "32", "--predict", "--by-module"], "--predict and --by-module are different jobs"),
        (["--find-max", "batch"], "--find-max needs --memory"),
        (["--find-max", "depth", "--memory", "1GiB"], "res or batch, not 'depth'"),
        (["--find-max", "batch", "--memory", "much"], "memory 'much' is no amount"),
        (["--find-max", "batch", "--memory", "1GiB", "--res", "32,64"], "one side is expected here"),
        (["resnet50", "--interleave", "--res", "32"], "--interleave times networks in turns: give two tasks or more"),
        (
            ["resnet50", "resnet20-cifar10", "--interleave"],
            "the tasks' own sides differ (32, 224): give one with --res",
        ),
        (["--interleave", "--predict"], "--predict and --interleave are different jobs: give one of them"),
        (["--interleave", "--by-module"], "--by-module and --interleave are different jobs"),
        (["--interleave", "--find-max", "batch"], "--find-max and --interleave are different jobs"),
        (["--interleave", "--shard", "1/2"], "--interleave and --shard are different jobs"),
        (["--interleave", "--resume"], "--interleave and --resume are different jobs"),
        (["--interleave", "--plot", "x.svg"], "--interleave and --plot are different jobs"),
        (["resnet5"], "unknown task 'resnet5'; did you mean resnet50"),
        (["xx-*"], "no task with a network here matches 'xx-*'"),
        (["resnet50", "--all"], "give tasks, or --all"),
    ],
)
def test_wrong_usage(log, capsys, arguments, message):
    assert aabench("profile", *arguments, "--log", str(log)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_pattern_names_all_tasks_that_match_and_have_a_network(log):
    arguments = ["ean-dia-res*50*", "ean-dia-resnet101*", "ean-dia-resnet50", "--predict", "--res", "32"]
    assert aabench("profile", *arguments, "--log", str(log)) == 0
    tasks = [row.task for row in read(log).rows]
    # Once each; ean-dia-resnet101's scheme is unspecified.
    assert sorted(tasks) == ["ean-dia-resnet101-share", "ean-dia-resnet50", "ean-dia-resnet50-share"]


def test_nothing_measured_is_exit_code_3(log, capsys):
    assert aabench("profile", "ean-dia-resnet101", "--res", "64", "--log", str(log)) == 3
    assert "scheme is unspecified" in capsys.readouterr().out
    assert read(log).rows[0].status == "failed"
