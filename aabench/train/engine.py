"""Carries out a plan: epochs, evaluation, checkpoints, interruption and resumption."""

from __future__ import annotations

from pathlib import Path

import torch

from aabench.data.either import AnyImages
from aabench.errors import AABenchError
from aabench.train.checkpoint import BEST, LAST, read_checkpoint, write_checkpoint
from aabench.train.interrupt import Interrupted, StopRequest, stop_on_signals
from aabench.train.loop import NonFinite, train_steps
from aabench.train.objective import AnyScores
from aabench.train.plan import Plan
from aabench.train.progress import Progress, Silent
from aabench.train.result import CurvePoint, Result
from aabench.train.schedule import learning_rate
from aabench.train.state import TrainingState


class Diverged(AABenchError):
    """The loss, or a weight, was not finite. ``checkpoint`` is the last good one, or None."""

    def __init__(self, what: str, step: int, lr: float, checkpoint: Path | None) -> None:
        self.step = step
        self.lr = lr
        self.checkpoint = checkpoint
        super().__init__(
            f"{what} not finite at step {step} (learning rate {lr:.4g}); last good checkpoint: {checkpoint or 'none'}; "
            "lower the learning rate or clip gradients, and start in another folder"
        )


def train(
    plan: Plan,
    *,
    train_set: AnyImages,
    test_set: AnyImages,
    directory: Path,
    resume: bool = False,
    progress: Progress | None = None,
    stop: StopRequest | None = None,
) -> Result:
    """Train, and keep the state of the best and of the last epoch in ``directory``.

    On a CPU, the same plan gives the same weights bit for bit, resumed or not (with as many threads).

    Args:
        plan: what to do.
        train_set: in any order; shuffled and augmented anew each epoch. An image that cannot be read is left out of
            its batch.
        test_set: evaluated as it is.
        directory: of ``checkpoint-best.pt`` and ``checkpoint-last.pt``; made.
        resume: go on from ``checkpoint-last.pt``.
        progress: is told how it goes.
        stop: asks for a stop when its ``signum`` is set. Without one, SIGINT and SIGTERM do.

    Raises:
        Interrupted: a stop was asked for; the state is saved.
        Diverged: the loss or a weight was not finite.
        AABenchError: the plan does not fit the sets or the checkpoint, or a file cannot be read or written.
    """
    if stop is None:
        with stop_on_signals() as stop:
            return train(
                plan,
                train_set=train_set,
                test_set=test_set,
                directory=directory,
                resume=resume,
                progress=progress,
                stop=stop,
            )
    plan.check(train_set, test_set)
    _check_folder(directory, resume)
    progress = progress or Silent()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if plan.device == "cuda" else []):
        training = _Training(plan, train_set, test_set, directory, progress, stop)
        if resume:
            training.resume()
        progress.start(training.state.total_steps, training.state.step)
        try:
            return training.run()
        finally:
            progress.finish()


def _check_folder(directory: Path, resume: bool) -> None:
    last = directory / LAST
    if resume and not last.exists():
        raise AABenchError(f"there is nothing to resume: no {LAST} in {directory}; start without --resume")
    if not resume and last.exists():
        raise AABenchError(
            f"{directory} holds a training already ({LAST}): go on with --resume, or choose another folder"
        )


class _Training:
    """One call of :func:`train`."""

    def __init__(
        self,
        plan: Plan,
        train_set: AnyImages,
        test_set: AnyImages,
        directory: Path,
        progress: Progress,
        stop: StopRequest,
    ) -> None:
        self.plan = plan
        self.state = TrainingState(plan, train_set, test_set)
        self.train_set = train_set.to(plan.device)
        self.test_set = test_set
        self.directory = directory
        self.progress = progress
        self.stop = stop
        self.last_good: Path | None = None

    def resume(self) -> None:
        last = self.directory / LAST
        self.state.restore(read_checkpoint(last), last)
        self.last_good = last

    def run(self) -> Result:
        state = self.state
        while state.step < state.total_steps or not state.epoch_is_closed:
            if not state.at_epoch_end or state.epoch_is_closed:
                self._train_to(self._next_stop())
            if state.at_epoch_end and self.stop.signum is None:
                self._close_epoch()
            self._save(LAST)
            if self.stop.signum is not None:
                raise Interrupted(self.stop.signum, state.step, state.total_steps, self.directory / LAST)
        return self._result()

    def _next_stop(self) -> int:
        """The next step after which the state is saved."""
        state, every = self.state, self.plan.checkpoint_every_steps
        stops = [(state.step // state.steps_per_epoch + 1) * state.steps_per_epoch, state.total_steps]
        if every is not None:
            stops.append((state.step // every + 1) * every)
        return min(stops)

    def _train_to(self, until: int) -> None:
        try:
            train_steps(self.state, self.train_set, until, self.stop, self.progress)
        except NonFinite as error:
            raise self._diverged("the loss is", error.step) from error

    def _close_epoch(self) -> None:
        """Evaluate, and enter the epoch into the curve. A stop asked for meanwhile leaves it open."""
        state, totals = self.state, self.state.meter.totals()
        self._check_weights()
        epoch = -(-state.step // state.steps_per_epoch)
        scores = None
        if epoch % self.plan.eval_every == 0 or state.step == state.total_steps:
            try:
                scores = self._evaluate()
            except _StoppedEvaluationError:
                return
        point = CurvePoint(
            epoch=epoch,
            step=state.step,
            lr=learning_rate(self.plan.recipe, state.step - 1, state.total_steps),
            train_loss=totals.loss,
            train_top1=totals.top1,
            seconds=totals.seconds,
            images_per_second=totals.images_per_second,
            **(scores.curve_values if scores else {}),
        )
        state.curve.append(point)
        state.meter.reset()
        if scores is not None:
            state.last = scores
            if state.best is None or scores.rank > state.best.rank:
                state.best, state.best_epoch = scores, epoch
                self._save(BEST)
        self.progress.epoch(point)

    def _evaluate(self) -> AnyScores:
        def on_batch(images: int) -> None:
            self.progress.evaluating(images, len(self.test_set))
            if self.stop.signum is not None:
                raise _StoppedEvaluationError

        return self.state.objective.evaluate(self.state.scored_model, self.test_set, on_batch)

    def _save(self, name: str) -> None:
        self._check_weights()
        write_checkpoint(self.directory / name, self.state.capture())
        self.last_good = self.directory / name

    def _check_weights(self) -> None:
        """A finite loss may still have had an infinite gradient: that shows in the weights first."""
        if not self.state.all_finite():
            raise self._diverged("a weight is", self.state.step)

    def _diverged(self, what: str, step: int) -> Diverged:
        lr = learning_rate(self.plan.recipe, step - 1, self.state.total_steps)
        return Diverged(what, step, lr, self.last_good)

    def _result(self) -> Result:
        state = self.state
        assert state.best is not None  # the last epoch is always evaluated
        assert state.last is not None
        seconds = sum(point.seconds for point in state.curve)
        return Result(
            curve=tuple(state.curve),
            best=state.best,
            best_epoch=state.best_epoch,
            last=state.last,
            steps=state.step,
            unreadable=dict(state.unreadable),
            images_per_second=state.step * self.plan.recipe.batch_size / seconds,
            seconds=seconds,
            best_checkpoint=self.directory / BEST,
            last_checkpoint=self.directory / LAST,
        )


class _StoppedEvaluationError(Exception):
    """A stop was asked for in the middle of an evaluation."""
