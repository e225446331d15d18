"""The log: append-only JSON Lines, one measurement a row. It survives a kill, and logs merge with ``cat``."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aabench.errors import AABenchError, NotMeasurable
from aabench.record.environment import fingerprint
from aabench.record.measurement import SCHEMA_VERSION, Level, Measurement, Status, Value

_BLOCK = 1 << 16


class UnsavedRow(AABenchError):
    """A row could not be appended. ``kept`` is the file it was written to instead.

    If that was not possible either, ``kept`` is None and the message ends with the row itself, as the JSON line that
    the log would have held. So nothing is lost: the row can be put into a log with ``cat``.
    """

    def __init__(self, problem: str, row: str, kept: Path | None) -> None:
        self.row = row
        self.kept = kept
        fate = f"the row is kept in {kept}: `cat` it onto the log afterwards" if kept else f"the row: {row}"
        super().__init__(f"{problem}; make room there, or choose another place with --log or AABENCH_LOG; {fate}")


@dataclass(frozen=True)
class Broken:
    """A line of a log that cannot be used, and why. ``line`` counts from 1."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Log:
    """What was read from a log, in its order."""

    rows: tuple[Measurement, ...] = ()
    broken: tuple[Broken, ...] = ()


def new(
    *,
    task: str,
    level: Level,
    status: Status = "ok",
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    altered: Mapping[str, Any] | None = None,
    values: tuple[Value, ...] = (),
    detail: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> Measurement:
    """A measurement made now and here: id, time and environment are filled in. Fields as in :class:`Measurement`."""
    return Measurement(
        id=uuid.uuid4().hex[:12],
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        task=task,
        level=level,
        status=status,
        seed=seed,
        settings=dict(settings or {}),
        altered=dict(altered or {}),
        values=values,
        detail=dict(detail or {}),
        error=error,
        environment=fingerprint(),
    )


def status_of(error: BaseException) -> Status:
    """The status of a row whose run ended in this exception."""
    if isinstance(error, NotMeasurable):
        return "blocked"
    stopped = isinstance(error, AABenchError) and error.exit_code > 128  # 128 + the signal's number
    return "interrupted" if stopped or isinstance(error, KeyboardInterrupt) else "failed"


def append(path: Path, measurement: Measurement) -> None:
    """Append one row, whole or not at all: under a lock, in one write, flushed to the disk before it returns.

    Makes the folder and the file. A broken last line, as a kill in the middle of a write leaves it, is first moved to
    ``<log>.broken``.

    Raises:
        UnsavedRow: the log cannot be written. It tells where the row was kept.
    """
    line = measurement.model_dump_json() + "\n"
    try:
        with _locked(path) as descriptor:
            _set_broken_tail_aside(descriptor, path)
            _write_whole(descriptor, line.encode())
    except OSError as error:
        problem = f"cannot write the log {path} ({error.strerror or error})"
        raise UnsavedRow(problem, line.rstrip("\n"), _keep(line, measurement.id)) from error


def check_writable(path: Path) -> None:
    """Find out before a long run, not after it, that a log cannot be written. Makes the folder and an empty log.

    Raises:
        AABenchError: it cannot.
    """
    try:
        with _locked(path):
            pass
    except OSError as error:
        raise AABenchError(
            f"cannot write the log {path} ({error.strerror or error}); choose another place with --log or AABENCH_LOG"
        ) from error


def read(path: Path) -> Log:
    """Read a log: all rows that are whole, and the lines that are not.

    Raises:
        NotMeasurable: there is no log.
        AABenchError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # so that a row being written is not taken for a broken one
            content = file.read()
    except FileNotFoundError as error:
        raise NotMeasurable(
            f"no log at {path}; `aabench reproduce TASK` writes one, or point --log or AABENCH_LOG at one"
        ) from error
    except OSError as error:
        raise AABenchError(
            f"cannot read the log {path} ({error.strerror or error}); point --log or AABENCH_LOG at a log"
        ) from error
    parsed = [_parse(number, line) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    return Log(
        rows=tuple(row for row in parsed if isinstance(row, Measurement)),
        broken=tuple(row for row in parsed if isinstance(row, Broken)),
    )


def _parse(number: int, line: bytes) -> Measurement | Broken:
    text = line.decode("utf-8", errors="replace")
    try:
        content = json.loads(line)
    except ValueError as error:
        return Broken(number, f"not a JSON object: {error}", text)
    if not isinstance(content, dict):
        return Broken(number, "not a JSON object", text)
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        newer = f"schema version {version}; this aabench reads up to {SCHEMA_VERSION}: update it to use this row"
        return Broken(number, newer, text)
    try:
        return Measurement.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        return Broken(number, f"not a measurement: {'.'.join(map(str, first['loc']))}: {first['msg']}", text)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The log's descriptor, made if need be, under an exclusive lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # given back with the descriptor, by a kill too
        yield descriptor
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it, or leave the file as it was."""
    before = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, data)
        while written < len(data):  # a nearly full disk takes a part, and says why only when asked again
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    except OSError:
        if os.fstat(descriptor).st_size > before:
            os.ftruncate(descriptor, before)
        raise


def _set_broken_tail_aside(descriptor: int, path: Path) -> None:
    """Make the log end with a whole line. What is not one goes to the end of ``<log>.broken``."""
    start, tail = _last_line(descriptor)
    if not tail.strip():
        return
    try:
        whole = isinstance(json.loads(tail), dict)
    except ValueError:
        whole = False
    if whole and tail.endswith(b"\n"):
        return
    if whole:
        _write_whole(descriptor, b"\n")
        return
    with path.with_name(path.name + ".broken").open("ab") as aside:
        aside.write(tail.rstrip(b"\n") + b"\n")
        aside.flush()
        os.fsync(aside.fileno())
    os.ftruncate(descriptor, start)


def _last_line(descriptor: int) -> tuple[int, bytes]:
    """(offset, content) of the last line, with its newline if it has one."""
    start = os.fstat(descriptor).st_size
    tail = b""
    while start > 0:
        size = min(_BLOCK, start)
        start -= size
        tail = os.pread(descriptor, size, start) + tail
        newline = tail.rfind(b"\n", 0, -1)
        if newline >= 0:
            return start + newline + 1, tail[newline + 1 :]
    return 0, tail


def _keep(line: str, row_id: str) -> Path | None:
    """Write a row that the log did not take to the temporary folder; None if that fails too."""
    try:
        kept = Path(tempfile.gettempdir()) / f"aabench-unsaved-{row_id}.jsonl"
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError:
        return None
    try:
        _write_whole(descriptor, line.encode())
    except OSError:
        kept.unlink()
        return None
    finally:
        os.close(descriptor)
    return kept
