"""Checkpoint files: whole or not at all, and no code is run by reading one."""

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from aabench.errors import AABenchError
from aabench.train.checkpoint import read_checkpoint, read_tensors, write_checkpoint

CONTENT = {"weights": {"a": torch.arange(3.0)}, "step": 7, "plan": {"lr": 0.1, "name": "x", "none": None}}


class Planted:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class PlantedCommand(Planted):
    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "new" / "folder" / "c.pt"
    write_checkpoint(path, CONTENT)
    content = read_checkpoint(path)
    assert torch.equal(content["weights"]["a"], torch.arange(3.0))
    assert (content["step"], content["plan"]) == (7, CONTENT["plan"])
    assert [file.name for file in path.parent.iterdir()] == ["c.pt"]


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "c.pt"
    write_checkpoint(path, CONTENT)
    return path


# In a process of its own: the limit would hold for pytest's own output too, where that goes to a file.
ON_A_FULL_DISK = """
import pathlib, resource, sys, torch
from aabench.errors import AABenchError
from aabench.train.checkpoint import write_checkpoint

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    write_checkpoint(pathlib.Path(sys.argv[1]), {"big": torch.zeros(10_000)})
except AABenchError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_one(written):
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(written)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.match(r"cannot write the checkpoint .*the checkpoint before it is still there$", said.strip())
    assert read_checkpoint(written)["step"] == 7
    assert [file.name for file in written.parent.iterdir()] == ["c.pt"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AABenchError, match=r"cannot write the checkpoint .*choose another folder$"):
        write_checkpoint(tmp_path / "file" / "c.pt", CONTENT)


def test_a_kill_in_the_middle_leaves_a_whole_one(tmp_path):
    path = tmp_path / "c.pt"
    code = f"""
import itertools, pathlib, torch
from aabench.train.checkpoint import write_checkpoint
for step in itertools.count():
    write_checkpoint(pathlib.Path({str(path)!r}), {{"step": step, "data": torch.full((300_000,), step)}})
"""
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        for _ in range(300):
            if path.exists():
                break
            time.sleep(0.1)
        for _ in range(3):
            time.sleep(0.05)
            content = read_checkpoint(path)
            assert content["data"].unique().tolist() == [content["step"]]
        os.kill(writer.pid, signal.SIGKILL)
    content = read_checkpoint(path)
    assert content["data"].unique().tolist() == [content["step"]]
    write_checkpoint(path, CONTENT)
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]  # a part that the kill left is gone


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_one_line(written, share):
    whole = written.read_bytes()
    written.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(AABenchError, match="truncated or corrupt") as caught:
        read_checkpoint(written)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\x00" * 100, b"<html>not found</html>", b"PK\x03\x04 and no more", b"hello"])
def test_something_else_is_one_line(tmp_path, content):
    path = tmp_path / "c.pt"
    path.write_bytes(content)
    with pytest.raises(AABenchError, match=r"truncated or corrupt \(\d+ bytes\), or no checkpoint at all") as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)


def bare_pickle(value, path, pickle_protocol):
    path.write_bytes(pickle.dumps(value, pickle_protocol))


@pytest.mark.parametrize("save", [torch.save, bare_pickle])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("planted", [Planted, PlantedCommand])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, save, protocol, planted):
    path = tmp_path / "c.pt"
    save({"state_dict": planted(tmp_path / "it-ran")}, path, pickle_protocol=protocol)
    with pytest.raises(AABenchError, match=r"refused to read the checkpoint .*can run code") as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "it-ran").exists()


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(AABenchError, match="there is no checkpoint"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(AABenchError, match=r"cannot read the checkpoint .*directory"):
        read_checkpoint(tmp_path)


def test_weights_alone_cannot_be_resumed(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "weights.pt")
    with pytest.raises(AABenchError, match="is no checkpoint of a training"):
        read_checkpoint(tmp_path / "weights.pt")
