"""Timing of two revisions, in one run: fresh pairs of processes that take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from aabench.catalog import Task
from aabench.compare.finding import JUDGEMENTS, Comparison, Finding
from aabench.compare.pairs import Pair, SideFailed, Work, run_pair
from aabench.compare.revision import unpacked
from aabench.compare.timing import judge_times, precise
from aabench.profile.way import Way

PAIRS = 5
SECONDS = 2.0
MOST_TIMES = 4
"""On a machine that is not idle pairs are added while the interval is too wide, up to so many times as many: with two
busy neighbours on two cores, 5 to 10 pairs found 18 of 20 times a tenth more work."""

Points = Sequence[tuple[str, Work]]
"""Task names, each with what is run of it."""


def work_of(task: Task, side: int | None, way: Way) -> Work:
    """A task's model at a side (None: the task's own), run in eager execution; of the way the rest is taken."""
    return Work(
        model=task.model,
        arguments=dict(task.arguments),
        num_classes=task.num_classes,
        input_size=side or task.input_size,
        mode=way.mode,
        batch=way.batch,
        dtype=way.dtype,
        device=way.device,
    )


def rerun(
    repository: Path,
    revision: str,
    points: Points,
    *,
    pairs: int = PAIRS,
    seconds: float = SECONDS,
    seed: int = 0,
    done: Callable[[], object] = lambda: None,
) -> Comparison:
    """Time a revision against the working copy. Both run what HEAD's catalog says a task is.

    Args:
        repository: the working copy, which is HEAD.
        revision: BASE.
        points: what is run.
        pairs: of processes a point, at least 3; up to four times as many where they differ too much to tell.
        seconds: measuring time a pair.
        seed: of the orders.
        done: called after each pair.

    Raises:
        AABenchError: no such revision.
        NotComparable: the revision has no package aabench.
    """
    with unpacked(repository, revision) as base:
        findings = [
            compare_trees(base, repository, task, work, pairs=pairs, seconds=seconds, seed=seed, done=done)
            for task, work in points
        ]
    findings.sort(key=lambda finding: JUDGEMENTS.index(finding.judgement))
    return Comparison(base=revision, head="the working copy", findings=tuple(findings))


def compare_trees(
    base: Path,
    head: Path,
    task: str,
    work: Work,
    *,
    pairs: int = PAIRS,
    seconds: float = SECONDS,
    seed: int = 0,
    done: Callable[[], object] = lambda: None,
) -> Finding:
    """Time one point of two folders that each hold a package aabench; arguments as of :func:`rerun`."""
    at = {"input_size": work.input_size, "mode": work.mode, "batch": work.batch}
    at |= {"dtype": work.dtype, "device": work.device}
    runs: list[Pair] = []
    try:
        while len(runs) < pairs or (len(runs) < MOST_TIMES * pairs and not precise([run.log_ratios for run in runs])):
            runs.append(run_pair(base, head, work, seconds=seconds, seed=1000 * seed + len(runs)))
            done()
    except SideFailed as failure:
        return Finding(
            judgement="not comparable", task=task, level="rerun", at=at, metric="latency_ms", reason=str(failure)
        )
    timing = judge_times([run.log_ratios for run in runs])
    return Finding(
        judgement=timing.judgement,
        task=task,
        level="rerun",
        at=at,
        metric="latency_ms",
        unit="ms",
        base=1e3 * median(time for run in runs for time in run.base),
        head=1e3 * median(time for run in runs for time in run.head),
        estimate=timing.change.estimate,
        interval=(timing.change.low, timing.change.high),
        reason=str(timing),
    )
