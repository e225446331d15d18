"""A file to compare: a log, or pytest-benchmark's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aabench import record
from aabench.compare.benchmark import is_benchmark, points_of_benchmark
from aabench.compare.finding import NotComparable
from aabench.compare.points import LEVELS, Key, Point, points_of
from aabench.errors import AABenchError, NotMeasurable


@dataclass(frozen=True)
class Source:
    """What was read from a file."""

    path: Path
    kind: str
    """``log`` or ``benchmark``."""
    points: Mapping[Key, Point]
    broken: tuple[record.Broken, ...] = ()


def load(path: Path) -> Source:
    """Read a file to compare.

    Raises:
        AABenchError: it cannot be read, or is neither of the two.
        NotMeasurable: there is nothing in it to compare.
        NotComparable: a row of it was written by a newer aabench.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AABenchError(
            f"cannot read {path} ({error.strerror or error}); give two logs, or two JSON files of pytest-benchmark"
        ) from error
    if not content.strip():
        raise NotMeasurable(f"{path} is empty; `aabench profile TASK --predict --log {path}` fills a log")
    parsed = _json(content)
    if is_benchmark(parsed):
        return _benchmark(path, parsed)
    return _log(path, record.read(path))


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:  # several lines of JSON, say
        return None


def _benchmark(path: Path, content: dict[str, Any]) -> Source:
    try:
        points = points_of_benchmark(content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AABenchError(
            f"{path} looks like pytest-benchmark's JSON and is not whole ({type(error).__name__}: {error}); "
            "write it anew with --benchmark-json"
        ) from error
    if not points:
        raise NotMeasurable(f"{path} holds no benchmark; `make bench` runs them")
    return Source(path, "benchmark", points)


def _log(path: Path, log: record.Log) -> Source:
    newer = [version for broken in log.broken if (version := _newer_version(broken)) is not None]
    if newer:
        raise NotComparable(
            f"{path} has rows of schema version {max(newer)}, this aabench reads up to {record.SCHEMA_VERSION}: "
            "update aabench, or measure anew with this one"
        )
    if not log.rows:
        raise AABenchError(f"{path} is neither a log (JSON Lines of measurements) nor pytest-benchmark's JSON")
    points = points_of(log.rows)
    if not points:
        raise NotMeasurable(
            f"{path} has no row of level {', '.join(LEVELS)}; `aabench profile TASK --predict --log {path}` adds some"
        )
    return Source(path, "log", points, log.broken)


def _newer_version(broken: record.Broken) -> int | None:
    content = _json(broken.text.encode())
    version = content.get("schema_version") if isinstance(content, dict) else None
    return version if isinstance(version, int) and version > record.SCHEMA_VERSION else None
