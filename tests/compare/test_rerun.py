"""Two revisions that take turns: real processes, small networks."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import aabench
from aabench.compare import NotComparable
from aabench.compare.pairs import LEAST_ROUNDS, SideFailed, run_pair
from aabench.compare.rerun import compare_trees, rerun
from aabench.compare.revision import unpacked, working_copy
from aabench.errors import AABenchError
from tests.compare.stand_in import WORK, write_package

pytestmark = pytest.mark.alone


def git(folder, *arguments) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def state(folder) -> list[bytes]:
    """Working copy, work trees and references, as git has them."""
    commands = (["status", "--porcelain"], ["worktree", "list"], ["show-ref"])
    return [subprocess.check_output(["git", "-C", str(folder), *command]) for command in commands]


@pytest.fixture
def repository(tmp_path):
    """A working copy with 10 forward passes at ``base``, and 40 not committed."""
    folder = tmp_path / "a repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "README").touch()
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "nothing yet")
    git(folder, "tag", "nothing")
    write_package(folder)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "a package")
    git(folder, "tag", "base")
    return write_package(folder, forwards=40)


def test_a_working_copy_that_does_more_is_slower(repository):
    before = state(repository)
    done = []
    comparison = rerun(repository, "base", [("repeated", WORK)], pairs=3, seconds=0.2, done=lambda: done.append(None))
    (finding,) = comparison.findings
    assert (finding.judgement, comparison.exit_code) == ("regression", 1)
    assert finding.base < finding.head
    low, high = finding.interval
    assert 0.02 < low < finding.change < high
    assert f"{len(done)} pairs of processes" in finding.reason
    assert len(done) >= 3
    assert state(repository) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError(name)", "HEAD: KeyError: 'repeated'"),
        (
            "import os; print('it aches', file=__import__('sys').stderr); os._exit(3)",
            "exit status 3; its last line: it aches",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "HEAD: its process ended by SIGKILL"),
    ],
)
def test_a_side_that_has_no_such_model_is_not_comparable(tmp_path, body, said):
    base, head = write_package(tmp_path / "a"), write_package(tmp_path / "b", body=body)
    finding = compare_trees(base, head, "repeated", WORK, pairs=3, seconds=0.01)
    assert finding.judgement == "not comparable"
    assert said in finding.reason


def test_a_side_that_imports_another_aabench_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SideFailed, match=r"aabench was imported from|No module named 'aabench'"):
        run_pair(write_package(tmp_path / "a"), tmp_path / "empty", WORK, seconds=0.01, seed=0)


def test_training_in_another_type(tmp_path):
    tree = write_package(tmp_path / "a")
    work = replace(WORK, mode="train", dtype="bf16", batch=2, input_size=16)
    pair = run_pair(tree, tree, work, seconds=0.01, seed=0)
    assert len(pair.base) == len(pair.head) == len(pair.log_ratios) == LEAST_ROUNDS
    assert min(pair.base + pair.head) > 0


def test_the_revision_is_gone_afterwards(repository):
    with unpacked(repository, "base") as folder:
        assert "Repeated(10)" in (folder / "aabench" / "models" / "__init__.py").read_text()
        assert not (folder / "README").exists()
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), unpacked(repository, "base") as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


@pytest.mark.parametrize("revision", ["no-such", "--help", ""])
def test_an_unknown_revision(repository, revision):
    with pytest.raises(AABenchError, match=f"no revision {revision!r}") as caught, unpacked(repository, revision):
        pass
    assert caught.value.exit_code == 2


def test_a_revision_without_the_package(repository):
    with pytest.raises(NotComparable, match="has no folder aabench"), unpacked(repository, "nothing"):
        pass


def test_an_installed_package_has_no_revisions(tmp_path, monkeypatch):
    monkeypatch.setattr(aabench, "__file__", str(tmp_path / "aabench" / "__init__.py"))
    with pytest.raises(AABenchError, match="needs a git working copy"):
        working_copy()


INTERRUPTED = """
import sys
from pathlib import Path
import aabench.compare.revision as revision
from aabench.cli.app import main

repository = Path(sys.argv.pop(1))
revision.working_copy = lambda: repository
main()
"""


def test_ctrl_c_leaves_nothing_behind(repository, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    command = [sys.executable, "-c", INTERRUPTED, str(repository), "compare", "--rerun", "base", "resnet20-cifar10"]
    with subprocess.Popen([*command, "--seconds", "60"], stderr=subprocess.PIPE, start_new_session=True) as running:
        while not list(temporary.glob("aabench-base-*")) and running.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)  # into the start of a pair
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert list(temporary.iterdir()) == []
    left = subprocess.run(["pgrep", "-g", str(running.pid)], capture_output=True, check=False)
    assert left.stdout == b""
