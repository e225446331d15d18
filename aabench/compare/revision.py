"""The working copy, and a revision of it unpacked beside: `git archive`, which leaves no trace in the repository."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aabench
from aabench.compare.finding import NotComparable
from aabench.errors import AABenchError

PACKAGE = "aabench"


def working_copy() -> Path:
    """The root of the git working copy that this aabench runs from.

    Raises:
        AABenchError: it runs from none.
    """
    root = Path(aabench.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        raise AABenchError(f"--rerun needs a git working copy of aabench; this one is installed in {root}")
    return root


@contextmanager
def unpacked(repository: Path, revision: str) -> Iterator[Path]:
    """A temporary folder with the package as it is in a revision; gone afterwards, also on an interrupt.

    Raises:
        AABenchError: there is no such revision, or no git.
        NotComparable: the revision has no package of this name.
    """
    commit = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise AABenchError(f"no revision {revision!r} in {repository}; give a commit, a tag or a branch of it")
    archive = _git(repository, "archive", commit.decode().strip(), PACKAGE)
    if archive is None:
        raise NotComparable(f"revision {revision} of {repository} has no folder {PACKAGE}")
    with tempfile.TemporaryDirectory(prefix="aabench-base-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder).resolve()


def _git(repository: Path, *arguments: str) -> bytes | None:
    """What git prints; None if it refuses."""
    try:
        done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise AABenchError("--rerun needs git, which is not installed") from error
    return done.stdout if done.returncode == 0 else None
