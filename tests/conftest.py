"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The unpacked real-data bundle: skipped without one, unless AABENCH_REQUIRE_DATA=1 makes that a failure."""
    given = os.environ.get("AABENCH_DATA")
    if given and Path(given).is_dir():
        return Path(given)
    reason = f"AABENCH_DATA={given!r} is no folder; unpack the data bundle and point AABENCH_DATA at it"
    if os.environ.get("AABENCH_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _threads_are_left_as_they_were():
    """Results depend on the number of threads to the last bit: a test that changes it would break others."""
    before = torch.get_num_threads()
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == before, f"the test left torch with {after} threads, not {before}"
