"""Files that cannot be compared: one line each, with what to do."""

import json

import pytest

from aabench.compare import NotComparable, compare_files
from aabench.compare.source import load
from aabench.errors import AABenchError, NotMeasurable
from tests.compare.logs import row, write


def refused(path) -> AABenchError:
    with pytest.raises(AABenchError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_missing_file(tmp_path):
    error = refused(tmp_path / "none.jsonl")
    assert error.exit_code == 2
    assert "No such file" in str(error)


def test_a_folder(tmp_path):
    assert "Is a directory" in str(refused(tmp_path))


@pytest.mark.parametrize("content", ["hello\n", '{"a": 1}\n', "[1, 2]", "\x00\xff"])
def test_a_file_of_another_kind(tmp_path, content):
    path = tmp_path / "other"
    path.write_text(content)
    error = refused(path)
    assert error.exit_code == 2
    assert "neither a log" in str(error)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_log(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    error = refused(path)
    assert isinstance(error, NotMeasurable)
    assert "is empty" in str(error)


def test_a_log_without_counts(tmp_path):
    error = refused(write(tmp_path / "log.jsonl", row(level="smoke")))
    assert isinstance(error, NotMeasurable)
    assert "no row of level structure, predict, profile" in str(error)


def test_half_a_benchmark(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": [{"fullname": "x"}]}))
    assert "write it anew with --benchmark-json" in str(refused(path))
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": []}))
    assert isinstance(refused(path), NotMeasurable)


def test_rows_of_a_newer_schema(tmp_path):
    error = refused(write(tmp_path / "log.jsonl", row(), row(schema_version=99)))
    assert isinstance(error, NotComparable)
    assert error.exit_code == 4
    assert "schema version 99" in str(error)
    assert "update aabench" in str(error)


def test_logs_of_different_schema_versions(tmp_path):
    old = load(write(tmp_path / "old.jsonl", row(schema_version=1)))
    new = load(write(tmp_path / "new.jsonl", row()))
    for base, head in ((old, new), (new, old)):
        with pytest.raises(NotComparable, match=r"measure .*old\.jsonl anew"):
            compare_files(base, head)


def test_a_point_that_is_not_joined_may_be_old(tmp_path):
    base = load(write(tmp_path / "base.jsonl", row(), row(task="resnet50", schema_version=1)))
    assert compare_files(base, load(write(tmp_path / "head.jsonl", row()))).counts == {"missing": 1, "same": 4}


def test_a_log_and_a_benchmark(tmp_path):
    path = tmp_path / "bench.json"
    benchmark = {"fullname": "x", "stats": {"median": 1.0}}
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": [benchmark]}))
    with pytest.raises(NotComparable, match="is a log and"):
        compare_files(load(write(tmp_path / "log.jsonl", row())), load(path))


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"metrics": ["mac"]}, "unknown metric 'mac'; did you mean macs"),
        ({"metrics": ["macs/modell"]}, "unknown metric 'macs/modell'; did you mean macs/model"),
        ({"metrics": ["beauty"]}, "unknown metric 'beauty'; one of activations, "),
        ({"tasks": ["resnet20"]}, "unknown task 'resnet20'; did you mean resnet20-cifar10"),
        ({"tasks": ["zzz"]}, "unknown task 'zzz'; see `aabench list`"),
    ],
)
def test_unknown_names(tmp_path, filters, message):
    source = load(write(tmp_path / "log.jsonl", row()))
    with pytest.raises(AABenchError) as caught:
        compare_files(source, source, **filters)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
