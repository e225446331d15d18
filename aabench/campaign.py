"""Carry out a protocol: each of its networks trained with each seed, one row of the log a training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from aabench.catalog import Catalog, Protocol
from aabench.catalog.schema import Setting
from aabench.errors import AABenchError
from aabench.record import Measurement
from aabench.reproduce import Job, Outcome, attempt, training_plan
from aabench.shard import share
from aabench.verify import protocol_runs


class Trial(NamedTuple):
    """One training of a protocol."""

    task: str
    seed: int


def trials(protocol: Protocol, seeds: Iterable[int], shard: str | None = None) -> list[Trial]:
    """All trainings, or a shard's: seed by seed, so that what is stopped leaves whole pairs.

    Raises:
        AABenchError: a shard that is not i/n with i from 1 to n.
    """
    return share([Trial(task, seed) for seed in seeds for task in protocol.tasks], shard)


def finished(protocol: Protocol, setting: Setting, catalog: Catalog, rows: Sequence[Measurement]) -> set[Trial]:
    """The trainings that a log holds, diverged ones too."""
    runs = protocol_runs(protocol, setting, catalog, rows)
    return {Trial(task, seed) for task, own in runs.items() for seed in own}


def hours(job: Job, protocol: Protocol, setting: Setting, chosen: Sequence[Trial]) -> float:
    """What these trainings will take, one after the other: each network is measured on a few of its steps.

    Evaluation and checkpoints come on top.

    Raises:
        AABenchError: the data set cannot be read, or a setting cannot be carried out on it.
    """
    from aabench.data import load_cifar
    from aabench.train import estimate

    data = job.catalog.task(protocol.tasks[0]).data
    if data not in ("cifar10", "cifar100") or job.data_root is None:
        raise AABenchError(f"{protocol.name}: no {data} to train on")
    train_set, total = load_cifar(data, job.data_root, "train"), 0.0
    for task, count in Counter(trial.task for trial in chosen).items():
        plan = training_plan(_job(job, protocol, setting, Trial(task, seed=0)), task)
        total += count * estimate(plan, train_set).hours
    return total


def carry_out(job: Job, protocol: Protocol, setting: Setting, trial: Trial) -> Outcome:
    """One training, taken up again where it was begun and the job resumes. Its row carries the setting's name."""
    row, error = attempt(_job(job, protocol, setting, trial), trial.task, "train")
    altered = protocol.altered(setting, job.catalog.task(trial.task))
    return Outcome(row.model_copy(update={"altered": altered}), error)


def _job(job: Job, protocol: Protocol, setting: Setting, trial: Trial) -> Job:
    changes = protocol.changes(setting, job.catalog.task(trial.task))
    written = tuple(f"{key}={json.dumps(value)}" for key, value in changes.items())  # is TOML, for these types
    return replace(job, seed=trial.seed, changes=written)
