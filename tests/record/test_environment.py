import json
import subprocess
import sys
from pathlib import Path

import pytest

from aabench.record import environment, fingerprint


def test_it_is_flat_json() -> None:
    found = fingerprint()
    assert json.loads(json.dumps(found)) == found
    assert all(value is None or isinstance(value, str | int) for value in found.values())
    assert found["cores"] >= 1
    assert found["torch"].split(".")[0] == "2"


def test_it_does_not_import_torch() -> None:
    code = "import sys; from aabench.record import fingerprint; print(fingerprint()['threads'], 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"]


def test_threads_are_torchs_own_once_it_is_imported() -> None:
    torch = pytest.importorskip("torch")
    assert fingerprint()["threads"] == torch.get_num_threads()
    assert (fingerprint()["gpu"] is None) == (not torch.cuda.is_available())


def test_allocator_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_ARENA_MAX"):
        monkeypatch.delenv(name, raising=False)
    assert fingerprint()["allocator"] == "default"
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    assert fingerprint()["allocator"] == "GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_ARENA_MAX=1"


def test_commit_of_a_working_copy(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert environment._commit(tmp_path) is None
    git("init", "-q")
    assert environment._commit(tmp_path) is None  # no commit yet
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-qm", "one")
    head = git("rev-parse", "HEAD")
    assert environment._commit(tmp_path) == head
    (tmp_path / "file").write_text("b")
    assert environment._commit(tmp_path) == f"{head}-dirty"


def test_unknown_is_none(tmp_path: Path) -> None:
    assert environment._cpu_model(tmp_path / "cpuinfo") is None
    assert environment._version("no-such-package-as-this") is None
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A CPU @ 2:0\n")
    assert environment._cpu_model(tmp_path / "cpuinfo") == "A CPU @ 2:0"
