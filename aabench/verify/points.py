"""Which points of the profiles in a log a claim on cost is judged by: those of its task and its baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aabench.catalog import Claim, Sweep
from aabench.profile.conditions import UNSYNCHRONISED, Conditions, by_conditions, is_interleaved, is_point
from aabench.profile.ranges import parse_resolutions
from aabench.record import Measurement
from aabench.verify.verdict import Verdict

Number = Callable[[Measurement], float | int | None]
"""What is compared of two points; None where a row does not have it."""


@dataclass(frozen=True)
class Curves:
    """A number of the claim's task and of its baseline, at the sides where both have it, run in one way."""

    way: Conditions
    sides: tuple[int, ...]
    ours: tuple[float | int, ...]
    theirs: tuple[float | int, ...]
    rows: tuple[Measurement, ...]
    """Those of the task, then those of the baseline."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the rows, for a verdict."""
        return tuple(row.id for row in self.rows)

    def missing(self, sweep: Sweep) -> tuple[int, ...]:
        """The sides of the sweep that are not here."""
        return tuple(side for side in sweep.sides if side not in self.sides)


def curves(claim: Claim, sweep: Sweep, rows: Iterable[Measurement], number: Number) -> list[Curves]:
    """The curves of each way in which both tasks were run in the sweep's mode at some of its sides.

    Those with the most sides come first, of equally many the newest. Of two rows of a point the newer counts.
    """
    chosen = {row.id: row for row in rows if is_of(row, claim, sweep)}
    ordered = sorted(chosen.values(), key=lambda row: row.time)
    found = [_curves(claim, way, points, number) for way, points in by_conditions(ordered)]
    return sorted((of for of in found if of.sides), key=_sides_then_time, reverse=True)


def is_of(row: Measurement, claim: Claim, sweep: Sweep) -> bool:
    """Whether a row, finished or not, is of the sweep for the claim's task or its baseline: a point, or interleaved.

    The side is what a sweep varies: it is the one alteration of a task that is let through.
    """
    return (
        row.task in (claim.task, claim.baseline)
        and row.altered.keys() <= {"input_size"}
        and row.settings.get("mode") == sweep.mode
        and row.settings.get("input_size") in sweep.sides
        and (is_point(row) or is_interleaved(row))
    )


def _curves(claim: Claim, way: Conditions, points: Sequence[Measurement], number: Number) -> Curves:
    known = {(row.task, int(row.settings["input_size"])): row for row in points if number(row) is not None}
    sides = sorted({side for task, side in known if task == claim.task} & {s for t, s in known if t == claim.baseline})
    ours, theirs = ([known[str(task), side] for side in sides] for task in (claim.task, claim.baseline))
    return Curves(way, tuple(sides), _numbers(ours, number), _numbers(theirs, number), (*ours, *theirs))


def _numbers(rows: Sequence[Measurement], number: Number) -> tuple[float | int, ...]:
    return tuple(value for row in rows if (value := number(row)) is not None)


def _sides_then_time(of: Curves) -> tuple[int, str]:
    return len(of.sides), max(row.time for row in of.rows)


def fits(way: Conditions, sweep: Sweep) -> bool:
    """Whether points of a way are what the sweep asks for."""
    on_its_gpu = sweep.gpu is None or (way.device == "cuda" and sweep.gpu in way.machine)
    as_timed = way.predicted or way.device != "cuda" or sweep.synchronised == (UNSYNCHRONISED not in way.options)
    as_run = (way.mode, way.batch, way.dtype) == (sweep.mode, sweep.batch, sweep.dtype)
    return on_its_gpu and as_timed and as_run and eager(way)


def eager(way: Conditions) -> bool:
    """Whether nothing was compiled: a sweep is of eager execution."""
    return "compiled" not in way.options


def predicted_in(way: Conditions) -> str:
    """The way, for a reason that rests on what was predicted; rows of a measured one carry the prediction too."""
    return way.title if way.predicted else f"predicted for {way.title}"


def command(claim: Claim, sweep: Sweep, *, predict: bool) -> str:
    """The command that makes the points. Times at one side are taken in turns, the baseline's first."""
    sides, first, last = sweep.sides, sweep.sides[0], sweep.sides[-1]
    usual = len(sides) > 1 and parse_resolutions(f"{first}..{last}") == sides
    res = f"{first}..{last}" if usual else ",".join(map(str, sides))
    way = f"--mode {sweep.mode} --batch {sweep.batch}" + (f" --dtype {sweep.dtype}" if sweep.dtype != "fp32" else "")
    if predict:
        return f"`aabench profile {claim.task} {claim.baseline} {way} --res {res} --predict`"
    how = ("" if sweep.synchronised else " --unsynchronised") + (" --interleave" if len(sides) == 1 else "")
    return f"`aabench profile {claim.baseline} {claim.task} {way} --res {res}{how}`"


def not_predicted(claim: Claim, sweep: Sweep, rows: Iterable[Measurement]) -> Verdict:
    """No side at which both tasks were profiled in the sweep's way: says what would do it, and what failed last."""
    reason = f"{command(claim, sweep, predict=True)} settles it{failures(claim, sweep, rows)}"
    return Verdict(claim=claim, status="not-run", reason=reason)


def incomplete(found: Curves, claim: Claim, sweep: Sweep, rows: Iterable[Measurement]) -> str | None:
    """That sides of the sweep are missing, and what would bring them; None if all are here."""
    missing = found.missing(sweep)
    if not missing:
        return None
    listed = name_sides(missing, sweep.sides)
    return f"no points at {listed} yet: {command(claim, sweep, predict=True)}{failures(claim, sweep, rows)}"


def failures(claim: Claim, sweep: Sweep, rows: Iterable[Measurement]) -> str:
    """`` (the last try failed at 32: ...)`` of the newest failed point of the sweep, or nothing."""
    failed = [
        row
        for row in rows
        if row.level in ("predict", "profile") and row.status == "failed" and is_of(row, claim, sweep)
    ]
    if not failed:
        return ""
    last = max(failed, key=lambda row: row.time)
    return f" (the last try failed at {last.settings['input_size']}: {last.task}: {last.error})"


def name_sides(sides: Sequence[int], of: Sequence[int]) -> str:
    """``32, 96 to 512``: sides, those that follow each other in ``of`` as a range."""
    runs: list[list[int]] = []
    for index in (of.index(side) for side in sides):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    named = [[f"{of[run[0]]} to {of[run[-1]]}"] if len(run) > 2 else [str(of[index]) for index in run] for run in runs]
    return ", ".join(name for names in named for name in names)
