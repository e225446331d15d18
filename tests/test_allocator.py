"""glibc's malloc: what is kept, and when that may be chosen unasked."""

import subprocess
import sys
from pathlib import Path

import pytest

from aabench import allocator
from aabench.errors import AABenchError

ROOT = Path(allocator.__file__).resolve().parents[1]
BLOCK = 64 * 2**20
FAULTS = f"""
import resource
from aabench import allocator

def faults_of_a_block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for page in range(0, len(block := bytearray(b"x") * {BLOCK}), 4096):
        block[page] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

"""


def faults(code: str) -> list[int]:
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", FAULTS + code], cwd=ROOT, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def test_kept_memory_is_not_paged_in_again() -> None:
    first, second = faults("print(faults_of_a_block()); print(faults_of_a_block())")
    assert min(first, second) >= BLOCK / 4096 / 512  # a huge page is one fault
    first, second = faults("allocator.warm(); print(faults_of_a_block()); print(faults_of_a_block())")
    assert first >= BLOCK / 4096 / 512
    assert second < first / 10


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with glibc, 1,000 bytes available, and no variable of malloc's set."""
    for name in allocator.set_by_user():
        monkeypatch.delenv(name)
    monkeypatch.setattr(allocator, "_available_bytes", lambda: 1000)
    monkeypatch.setattr(allocator, "_mallopt", lambda: lambda what, value: 1)
    return monkeypatch


def test_it_is_safe_with_memory_for_twice_the_live_bytes(untouched: pytest.MonkeyPatch) -> None:
    assert allocator.warm_is_safe(500)
    assert not allocator.warm_is_safe(501)


@pytest.mark.parametrize("name", ["GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_ARENA_MAX"])
def test_what_the_user_has_set_is_left_alone(untouched: pytest.MonkeyPatch, name: str) -> None:
    untouched.setenv(name, "glibc.malloc.arena_max=1")
    assert allocator.set_by_user() == [name]
    assert not allocator.warm_is_safe(1)


def test_it_is_not_chosen_where_memory_or_libc_is_unknown(untouched: pytest.MonkeyPatch) -> None:
    with untouched.context() as patch:
        patch.setattr(allocator, "_available_bytes", lambda: None)
        assert not allocator.warm_is_safe(1)
    untouched.setattr(allocator, "_mallopt", lambda: None)
    assert not allocator.warm_is_safe(1)
    with pytest.raises(AABenchError, match="needs glibc's mallopt, which is not here"):
        allocator.warm()
