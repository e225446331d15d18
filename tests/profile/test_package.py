"""The package's front door imports names when they are first used."""

import subprocess
import sys
from pathlib import Path

import pytest

import aabench
from aabench import profile


@pytest.mark.parametrize("name", profile.__all__)
def test_every_public_name_is_there_and_no_module(name: str) -> None:
    for _ in range(2):  # importing a module of the same name would hide it the second time
        assert type(getattr(profile, name)).__name__ != "module"


def test_an_unknown_name_is_the_usual_error() -> None:
    with pytest.raises(AttributeError, match=r"'aabench\.profile' has no attribute 'guess'"):
        profile.guess  # noqa: B018


def test_resolutions_are_read_without_torch() -> None:
    code = (
        "import sys; from aabench.profile import parse_resolutions as p; p('32..64'); sys.exit('torch' in sys.modules)"
    )
    root = Path(aabench.__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
