import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aabench.errors import AABenchError, NotMeasurable
from aabench.record import Measurement, UnsavedRow, Value, append, check_writable, log, new, read, status_of


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that does not exist yet; rows that cannot be saved go to tmp_path/kept."""
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    return tmp_path / "runs" / "log.jsonl"


def row(task: str = "aa-resnet50", **fields: object) -> Measurement:
    value = Value(metric="params", value=25_809_448, unit="parameters")
    return new(task=task, level="structure", values=(value,), **fields)  # type: ignore[arg-type]


def test_what_is_appended_is_read_back_in_order(path: Path) -> None:
    rows = [row("resnet50"), row("aa-resnet50", seed=3, detail={"curve": [{"epoch": 1, "loss": 4.6}]})]
    for one in rows:
        append(path, one)
    assert read(path).rows == tuple(rows)
    assert read(path).broken == ()
    assert len(path.read_text().splitlines()) == 2


def test_new_fills_in_id_time_and_environment() -> None:
    first, second = row(), row()
    assert first.id != second.id
    assert first.time <= second.time
    assert first.time.endswith("Z")
    assert first.environment["python"] == ".".join(map(str, sys.version_info[:3]))


def test_numbers_keep_their_type_and_non_finite_detail_is_null(path: Path) -> None:
    append(path, row(detail={"loss": float("nan")}))
    assert '"value":25809448,' in path.read_text()
    assert isinstance(read(path).rows[0].values[0].value, int)
    assert read(path).rows[0].detail == {"loss": None}


def test_a_missing_log_says_how_to_get_one(path: Path) -> None:
    with pytest.raises(NotMeasurable, match=r"no log at .*log\.jsonl; `aabench reproduce TASK` writes one"):
        read(path)


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(AABenchError, match=r"cannot read the log .*Is a directory"):
        read(tmp_path)


# --- broken lines


def test_a_broken_last_line_is_reported_and_the_rest_read(path: Path) -> None:
    good = row()
    append(path, good)
    with path.open("a") as file:
        file.write('{"schema_version": 1, "id": "ab')
    found = read(path)
    assert found.rows == (good,)
    (broken,) = found.broken
    assert broken.line == 2
    assert broken.text == '{"schema_version": 1, "id": "ab'
    assert broken.reason.startswith("not a JSON object")


@pytest.mark.parametrize("end", ["", "\n"])
def test_append_moves_a_broken_last_line_aside(path: Path, end: str) -> None:
    first, second, third = row(), row(), row()
    append(path, first)
    for tail, after in (('{"id": "é', second), ("half a row", third)):
        with path.open("a", encoding="utf-8") as file:
            file.write(tail + end)
        append(path, after)
    assert read(path) == log.Log(rows=(first, second, third))
    assert Path(f"{path}.broken").read_text(encoding="utf-8") == '{"id": "é\nhalf a row\n'


def test_a_log_that_is_nothing_but_a_broken_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("x" * 200_000)  # longer than a block read from the end
    append(path, one := row())
    assert read(path) == log.Log(rows=(one,))
    assert Path(f"{path}.broken").read_text() == "x" * 200_000 + "\n"


def test_a_whole_last_row_without_newline_is_kept(path: Path) -> None:
    first, second = row(), row()
    path.parent.mkdir()
    path.write_text(first.model_dump_json())
    append(path, second)
    assert read(path) == log.Log(rows=(first, second))
    assert not Path(f"{path}.broken").exists()


def test_broken_lines_in_the_middle_have_line_numbers(path: Path) -> None:
    first, last = row(), row()
    newer = json.dumps({**json.loads(row().model_dump_json()), "schema_version": 4, "colour": "blue"})
    wrong = json.dumps({**json.loads(row().model_dump_json()), "level": "deep"})
    path.parent.mkdir()
    lines = [first.model_dump_json(), "\x00\x01", newer, "", "[1, 2]", wrong, last.model_dump_json()]
    path.write_text("\n".join(lines) + "\n")
    found = read(path)
    assert found.rows == (first, last)
    assert [broken.line for broken in found.broken] == [2, 3, 5, 6]
    assert found.broken[1].reason == "schema version 4; this aabench reads up to 3: update it to use this row"
    assert found.broken[2].reason == "not a JSON object"
    assert found.broken[3].reason.startswith("not a measurement: level: ")
    append(path, one := row())  # and appending leaves them where they are
    assert read(path) == log.Log(rows=(first, last, one), broken=found.broken)


def test_bytes_that_are_no_text_are_a_broken_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"id": "\xff\xfe"}\n')
    assert [broken.line for broken in read(path).broken] == [1]


def test_logs_merge_with_cat(tmp_path: Path) -> None:
    rows = [row(), row()]
    for number, one in enumerate(rows):
        append(tmp_path / f"{number}.jsonl", one)
    merged = tmp_path / "merged.jsonl"
    merged.write_bytes(b"".join((tmp_path / f"{number}.jsonl").read_bytes() for number in range(2)))
    assert read(merged).rows == tuple(rows)


# --- places that take no row


def kept_row(error: UnsavedRow) -> Measurement:
    assert error.kept is not None
    (saved,) = read(error.kept).rows
    return saved


def test_no_folder_can_be_made(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(UnsavedRow, match=r"cannot write the log .*choose another place with --log") as caught:
        append(path, one := row())
    assert kept_row(caught.value) == one
    assert str(caught.value.kept) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(AABenchError, match=r"cannot write the log .*choose another place"):
        check_writable(path)


def test_a_full_disk(path: Path) -> None:
    with pytest.raises(UnsavedRow, match="No space left on device") as caught:
        append(Path("/dev/full"), one := row())
    assert kept_row(caught.value) == one


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_log(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """As root every folder is writable, so the system call is made to refuse."""

    def refuse(*arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("aabench.record.log.os.open", refuse)
    with pytest.raises(AABenchError, match=os.strerror(code)):
        check_writable(path)


def full_after(allowed: int, monkeypatch: pytest.MonkeyPatch, disk: Path) -> None:
    """All that lies below ``disk`` is on a disk that takes so many bytes more."""
    left = allowed
    write = os.write

    def write_a_part(descriptor: int, data: bytes) -> int:
        nonlocal left
        if disk not in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            return write(descriptor, data)
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, data[:left])
        left -= written
        return written

    monkeypatch.setattr("aabench.record.log.os.write", write_a_part)


def test_a_disk_that_fills_in_the_middle_of_a_row_leaves_no_half_row(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, row())
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        full_after(100, patch, disk=path.parent)
        with pytest.raises(UnsavedRow, match="No space left on device") as caught:
            append(path, one := row())
    assert path.read_bytes() == before
    with path.open("ab") as file:  # what the message says to do
        file.write(caught.value.kept.read_bytes())  # type: ignore[union-attr]
    assert read(path).rows[-1] == one


def test_a_disk_that_takes_a_row_in_two_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("aabench.record.log.os.write", lambda descriptor, data: write(descriptor, data[:300]))
    append(path, one := row())
    assert read(path) == log.Log(rows=(one,))


def test_with_no_place_at_all_the_message_carries_the_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_after(0, monkeypatch, disk=path.parents[1])
    with pytest.raises(UnsavedRow) as caught:
        append(path, one := row())
    assert caught.value.kept is None
    carried = str(caught.value).partition("; the row: ")[2]
    assert Measurement.model_validate_json(carried) == one
    assert list((path.parents[1] / "kept").iterdir()) == []


def test_without_a_temporary_folder_the_message_carries_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/no-folder")
    with pytest.raises(UnsavedRow, match=r"; the row: \{") as caught:
        append(Path("/dev/full"), row())
    assert caught.value.kept is None


def test_check_writable_makes_an_empty_log(path: Path) -> None:
    check_writable(path)
    assert read(path) == log.Log()


# --- several processes

WRITER = """
import sys
from pathlib import Path
from aabench.record import append, new
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    append(path, new(task=name, level="profile", seed=number, detail={"padding": name[-1] * 100_000}))
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, str(count)])


def test_two_processes_writing_at_once_keep_all_rows_whole(path: Path) -> None:
    processes = [writer(path, name, 60) for name in ("task-a", "task-b")]
    assert [process.wait(60) for process in processes] == [0, 0]
    found = read(path)
    assert found.broken == ()
    for name in ("task-a", "task-b"):
        own = [one for one in found.rows if one.task == name]
        assert [one.seed for one in own] == list(range(60))
        assert {one.detail["padding"] for one in own} == {name[-1] * 100_000}


def test_a_killed_writer_costs_no_other_row(path: Path) -> None:
    process = writer(path, "task-a", 100_000)
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size > 1_000_000):
        assert time.monotonic() < deadline, "the writer wrote nothing"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    append(path, row("after"))  # also: the lock went with the process
    found = read(path)
    assert found.broken == ()
    assert [one.seed for one in found.rows[:-1]] == list(range(len(found.rows) - 1))
    assert found.rows[-1].task == "after"


class Terminated(AABenchError):
    exit_code = 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotMeasurable("no data"), "blocked"),
        (AABenchError("wrong"), "failed"),
        (ValueError("x"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (Terminated("stopped by SIGTERM"), "interrupted"),
    ],
)
def test_status_of_an_exception(error: BaseException, status: str) -> None:
    assert status_of(error) == status
