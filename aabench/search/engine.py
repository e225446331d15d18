"""Carries out a search: steps, checkpoints, interruption and resumption."""

from __future__ import annotations

from pathlib import Path

from aabench.errors import AABenchError
from aabench.search.plan import SearchPlan
from aabench.search.progress import SearchProgress, SilentSearch
from aabench.search.result import SearchResult
from aabench.search.score import Evaluator
from aabench.search.state import SearchState
from aabench.train.checkpoint import Format, read_checkpoint, write_checkpoint
from aabench.train.interrupt import Interrupted, StopRequest, stop_on_signals

LAST_SEARCH = "search-last.pt"
"""The newest state of a search: what is resumed."""
SEARCH = Format("search", 1, "start in another folder")


def search(
    plan: SearchPlan,
    evaluator: Evaluator,
    *,
    directory: Path,
    resume: bool = False,
    progress: SearchProgress | None = None,
    stop: StopRequest | None = None,
) -> SearchResult:
    """Search for a scheme, and keep the state after each step in ``directory``.

    On a CPU, the same plan and scores give the same steps bit for bit, resumed or not.

    Args:
        plan: what to do.
        evaluator: scores schemes; is asked for each scheme once, and for the new ones of a step together.
        directory: of ``search-last.pt``; made.
        resume: go on from ``search-last.pt``. A finished search gives its result again.
        progress: is told how it goes.
        stop: asks for a stop when its ``signum`` is set. Without one, SIGINT and SIGTERM do.

    Raises:
        Interrupted: a stop was asked for; the step is finished and the state saved.
        AABenchError: the plan does not fit the checkpoint, an accuracy is not finite, or a file cannot be read or
            written.
    """
    if stop is None:
        with stop_on_signals() as stop:
            return search(plan, evaluator, directory=directory, resume=resume, progress=progress, stop=stop)
    last, state = directory / LAST_SEARCH, SearchState(plan)
    _check_folder(last, resume)
    if resume:
        state.restore(read_checkpoint(last, form=SEARCH), last)
    progress = progress or SilentSearch()
    progress.start(state.method.total_steps, len(state.history))
    try:
        _take_steps(state, evaluator, last, progress, stop)
        return _result(state, evaluator, last)
    finally:
        progress.finish()


def _check_folder(last: Path, resume: bool) -> None:
    if resume and not last.exists():
        raise AABenchError(f"there is nothing to resume: no {last.name} in {last.parent}; start without --resume")
    if not resume and last.exists():
        raise AABenchError(
            f"{last.parent} holds a search already ({last.name}): go on with --resume, or choose another folder"
        )


def _take_steps(
    state: SearchState, evaluator: Evaluator, last: Path, progress: SearchProgress, stop: StopRequest
) -> None:
    while not state.method.finished:
        step = state.advance(evaluator)
        write_checkpoint(last, state.capture(), form=SEARCH)
        assert state.best is not None  # there was a step
        progress.step(step, state.best)
        if stop.signum is not None:
            raise Interrupted(stop.signum, step.step, state.method.total_steps, last)


def _result(state: SearchState, evaluator: Evaluator, last: Path) -> SearchResult:
    """The scheme it found, which is evaluated unless it was before."""
    assert state.best is not None  # there was a step
    (final,) = state.score([state.method.found(state.best.flags)], evaluator)
    write_checkpoint(last, state.capture(), form=SEARCH)
    return SearchResult(
        final=final,
        found_by=state.method.found_by,
        best=state.best,
        history=tuple(state.history),
        requested=sum(len(step.schemes) for step in state.history),
        evaluated=len(state.memory),
        image_forwards=state.memory.image_forwards,
        checkpoint=last,
    )
