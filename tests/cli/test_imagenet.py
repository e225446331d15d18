"""ImageNet at the command line, on a root with its 1000 folders and one small picture in each."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from aabench.data.imagenet import synsets
from aabench.models import create_model
from aabench.record import read
from aabench.train import LAST, loop
from tests.cli.run import aabench
from tests.data.pictures import jpeg, picture

SMALL = ["--set", "width=4", "--set", "input_size=32"]
TRAINING = [
    *SMALL,
    "--set",
    "batch_size=100",
    "--set",
    "epochs=2",
    "--set",
    "milestones=[1]",
    "--set",
    "warmup_epochs=1",
]
PARTIAL = {"train_set": "1,000 of 1,281,167 images", "test_set": "1,000 of 50,000 images"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with 1000 images to train and 1000 to test; of the latter, two cannot be read."""
    root = tmp_path_factory.mktemp("root")
    pictures = [jpeg(picture(number)) for number in range(4)]
    for split in ("train", "val"):
        for label, name in enumerate(synsets()):
            folder = root / "imagenet" / split / name
            folder.mkdir(parents=True)
            (folder / "1.JPEG").write_bytes(pictures[label % 4])
    (root / "imagenet" / "val" / synsets()[7] / "1.JPEG").write_bytes(b"")
    (root / "imagenet" / "val" / synsets()[9] / "1.JPEG").write_bytes(pictures[0][:-300])
    return root


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.delenv("AABENCH_DATA", raising=False)
    return tmp_path / "log.jsonl"


@pytest.fixture
def evaluation(root, tmp_path, log):
    """Arguments that evaluate a network which always says class 9, whose image cannot be read."""
    state = create_model("resnet50", input_size=32, num_classes=1000, width=4).state_dict()
    state["fc.bias"] = torch.nn.functional.one_hot(torch.tensor(9), 1000) * 1e4
    torch.save(state, tmp_path / "weights.pt")
    given = ["--data", str(root), "--checkpoint", str(tmp_path / "weights.pt"), "--log", str(log)]
    return ["reproduce", "resnet50", "--level", "eval", *SMALL, *given]


def training(root, log):
    return ["reproduce", "resnet50", "--level", "train", *TRAINING, "--data", str(root), "--log", str(log)]


def test_evaluation_names_what_cannot_be_read_and_counts_it_as_wrong(evaluation, log, capsys):
    assert aabench(*evaluation) == 3
    row, out = read(log).rows[-1], capsys.readouterr().out
    assert (row.level, row.status) == ("eval", "ok")
    assert [row.number(metric) for metric in ("images", "correct", "top1")] == [1000, 0, 0]
    empty, cut = (f"{name}/1.JPEG" for name in (synsets()[7], synsets()[9]))
    found = row.detail["unreadable"]["test"]
    assert (found["count"], list(found["images"])) == (2, [empty, cut])
    assert "2 test images could not be read, counted as wrong:" in out
    assert f"{empty}: no image that Pillow knows" in out
    assert f"{cut}: image file is truncated" in out
    assert row.settings["test_set"] == "ImageNet val, shorter side 37, centre 32"
    assert row.altered == {"width": 4, "input_size": 32, "test_set": PARTIAL["test_set"]}
    assert "1 altered" in " ".join(out.split()), "never judged"


def test_missing_and_extra_synsets_are_named(root, evaluation, log, capsys):
    tench = root / "imagenet" / "val" / "n01440764"
    moved = tench.rename(tench.with_name("tench"))
    try:
        assert aabench(*evaluation) == 2
    finally:
        moved.rename(tench)
    assert read(log).rows[-1].status == "failed"
    assert "1 missing (n01440764); 1 extra (tench)" in capsys.readouterr().out


def assert_one_line_of_a_dead_worker(log, capsys):
    """At the command line and in the log."""
    row, captured = read(log).rows[-1], capsys.readouterr()
    assert row.status == "failed"
    assert row.error.startswith("a process that decodes images died (DataLoader worker (pid")
    assert "\n" not in row.error
    assert row.error in captured.out
    assert "Traceback" not in captured.out + captured.err


def test_a_worker_that_dies_is_one_line_and_a_row(evaluation, log, capsys, monkeypatch):
    monkeypatch.setattr("aabench.data.image_files.read_image", lambda path: os._exit(1))
    assert aabench(*evaluation) == 2
    assert_one_line_of_a_dead_worker(log, capsys)


def test_a_worker_that_is_killed_during_a_step_is_no_traceback_either(root, log, capsys, monkeypatch):
    step = loop.optimizer_step

    def killing(*args, **kwargs):
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, signal.SIGKILL)
        time.sleep(5)  # till torch hears of it, in here
        return step(*args, **kwargs)

    monkeypatch.setattr(loop, "optimizer_step", killing)
    assert aabench(*training(root, log)) == 2
    assert_one_line_of_a_dead_worker(log, capsys)


def test_stopped_by_a_signal_to_all_its_processes_it_resumes_and_ends_as_if_it_had_not_been(root, log, tmp_path):
    """As a terminal or a batch system sends it: the workers must not die before the training has saved."""
    with subprocess.Popen(
        [sys.executable, "-c", "from aabench.cli.app import main; main()", *training(root, log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob(LAST)) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)  # of two epochs, one is over
        os.killpg(running.pid, signal.SIGTERM)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 143, out
    assert "Traceback" not in out
    row = read(log).rows[-1]
    assert (row.level, row.status) == ("train", "interrupted")
    assert "go on with --resume" in row.error
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)  # no process of it is left

    assert aabench(*training(root, log), "--resume") == 3
    whole_log = tmp_path / "whole" / "log.jsonl"
    assert aabench(*training(root, whole_log)) == 3
    resumed, whole = read(log).rows[-1], read(whole_log).rows[-1]
    assert (resumed.status, whole.status) == ("ok", "ok")
    assert whole.number("steps") == 20
    assert {**whole.altered, **PARTIAL} == whole.altered
    for metric in ("top1", "top5", "loss", "train_loss"):
        assert resumed.number(metric, "last") == whole.number(metric, "last")
