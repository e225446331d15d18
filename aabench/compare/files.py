"""Two files compared: points joined, filtered, judged."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aabench.compare.exponents import curves
from aabench.compare.finding import JUDGEMENTS, Comparison, Finding, NotComparable
from aabench.compare.judging import judge_exponents, judge_points, one_sided
from aabench.compare.metrics import check_known, chosen
from aabench.compare.points import Key, Point
from aabench.compare.source import Source
from aabench.errors import AABenchError


def compare_files(
    base: Source,
    head: Source,
    *,
    metrics: Sequence[str] = (),
    tasks: Sequence[str] = (),
    known_tasks: Iterable[str] = (),
) -> Comparison:
    """Judge HEAD's numbers by BASE's. Findings come by what asks for action, then by task.

    Args:
        base: what :func:`aabench.compare.source.load` read.
        head: likewise.
        metrics: only these (``macs`` or ``macs/model``); without any, all.
        tasks: only these; without any, all.
        known_tasks: tasks that may be asked for besides those of the files.

    Raises:
        AABenchError: a metric or task that nobody knows.
        NotComparable: files of different kinds or schema versions.
    """
    present = {label for source in (base, head) for point in source.points.values() for label in point.values}
    check_known(metrics, present)
    in_files = {key.task for source in (base, head) for key in source.points}
    _check_tasks(tasks, in_files | set(known_tasks))
    if base.kind != head.kind:
        raise NotComparable(
            f"{base.path} is a {base.kind} and {head.path} a {head.kind}: give two logs, or two JSON files of "
            "pytest-benchmark"
        )
    ours, theirs = (_filtered(source.points, metrics, tasks) for source in (base, head))
    _check_versions(base, head, ours, theirs)
    found = [finding for finding in _findings(ours, theirs) if _wanted(finding, metrics)]
    found.sort(key=lambda finding: (JUDGEMENTS.index(finding.judgement), finding.task))
    return Comparison(base=str(base.path), head=str(head.path), findings=tuple(found))


def _findings(base: dict[Key, Point], head: dict[Key, Point]) -> Iterator[Finding]:
    for key, point in base.items():
        if key in head:
            yield from judge_points(point, head[key])
        else:
            yield _only_base(point)
    for key, point in head.items():
        if key not in base:
            yield one_sided(point, "new", "only HEAD has this point")
    for curve in curves([key for key in base if key in head]):
        yield from judge_exponents(base, head, curve)


def _only_base(point: Point) -> Finding:
    if point.failure is not None:
        return one_sided(point, "not judged", f"only BASE has this point, {point.failure}")
    return one_sided(point, "missing", "only BASE has this point; measure it in HEAD, or leave it out by --task")


def _filtered(points: Mapping[Key, Point], metrics: Sequence[str], tasks: Sequence[str]) -> dict[Key, Point]:
    """Points of the tasks; without those that have no number asked for, themselves or by an exponent."""
    return {
        key: point
        for key, point in points.items()
        if (not tasks or key.task in tasks)
        and (point.failure is not None or any(chosen(label, metrics) for label in _with_exponents(point)))
    }


def _with_exponents(point: Point) -> Iterator[str]:
    for label in point.values:
        yield label
        yield f"exponent/{label}"


def _wanted(finding: Finding, metrics: Sequence[str]) -> bool:
    return finding.metric == "point" or chosen(finding.metric, metrics)


def _check_tasks(wanted: Sequence[str], known: set[str]) -> None:
    for given in wanted:
        if given not in known:
            near = difflib.get_close_matches(given, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "see `aabench list`"
            raise AABenchError(f"unknown task {given!r}; {hint}")


def _check_versions(base: Source, head: Source, ours: dict[Key, Point], theirs: dict[Key, Point]) -> None:
    """Rows that are joined must be of one schema version: a number may be counted otherwise in the next."""
    for key in ours.keys() & theirs.keys():
        first, second = ours[key].schema_version, theirs[key].schema_version
        if first is not None and second is not None and first != second:
            older = base if first < second else head
            raise NotComparable(
                f"{base.path} has schema version {first} and {head.path} {second}: renew the older one, measure "
                f"{older.path} anew with this aabench (`aabench profile` or `aabench reproduce --level structure`)"
            )
