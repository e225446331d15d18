"""Search for the scheme of a task's attention (EAN): the supernet that schemes are scored with, and the search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aabench.alter import alter, alter_search, read_changes
from aabench.catalog import Recipe, SchemeSearch, Task
from aabench.errors import AABenchError, NotMeasurable
from aabench.levels import missing_split
from aabench.record import Value
from aabench.reproduce.allocation import tune_allocator
from aabench.reproduce.attempt import Outcome, outcome
from aabench.reproduce.job import Found, Job
from aabench.reproduce.sets import load
from aabench.reproduce.training import content_of, make_plan
from aabench.reproduce.values import plan_settings, score_values, speed, unreadable

if TYPE_CHECKING:
    from aabench.data import Images
    from aabench.models.plugged import PluggedNetwork
    from aabench.search import MethodName, SearchResult
    from aabench.train import Plan


@dataclass(frozen=True)
class SearchJob:
    """What is searched, and how.

    Attributes:
        job: data, device, seed, folder and who is told. Its ``checkpoint`` holds the supernet's weights; without one,
            the supernet is trained first.
        task: in the form EAN, altered as asked.
        recipe: of the supernet, likewise.
        search: likewise.
        method: which one chooses the schemes.
        altered: what is not as the catalog has it.
    """

    job: Job
    task: Task
    recipe: Recipe
    search: SchemeSearch
    method: MethodName
    altered: dict[str, Any]

    @property
    def task_changes(self) -> list[str]:
        """Of the job's changes, those of the task: what a training of the found scheme needs too."""
        elsewhere = self.search.settings().keys() | self.recipe.settings_names()
        return [change for change in self.job.changes if change.partition("=")[0] not in elsewhere]

    @property
    def arguments(self) -> dict[str, Any]:
        """The model's arguments but for the scheme, which is searched."""
        return {name: value for name, value in self.task.arguments.items() if name != "scheme"}

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the network that schemes are searched for."""
        task = self.task
        return {
            "model": task.model,
            "arguments": self.arguments,
            "input_size": task.input_size,
            "num_classes": task.num_classes,
        }

    def supernet_plan(self) -> Plan:
        """The training of the supernet: like any other, with another scheme in each step."""
        changes = {"name": f"{self.task.name}-supernet", "arguments": {**self.arguments, "scheme": "random"}}
        return make_plan(self.job, self.task.model_copy(update=changes), self.recipe)

    @cached_property
    def sets(self) -> tuple[Images, Images]:
        """(what the supernet trains on, what schemes are scored on): the training set in two.

        Raises:
            NotMeasurable: the training set is not there.
        """
        from aabench.data import CocoFiles, hold_out

        missing = missing_split(self.task.data, "train", self.job.data_root)
        if missing or self.job.data_root is None:
            raise NotMeasurable(f"a search for the scheme of {self.task.name} needs {' and '.join(missing)}")
        train_set = load(self.task, self.job.data_root, "train")
        assert not isinstance(train_set, CocoFiles)  # a task with a search is a classifier's
        return hold_out(train_set, self.search.held_out)

    def folder(self, kind: str, content: Mapping[str, Any]) -> Path:
        """Of the supernet or of the search: another one for each way of doing it."""
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
        return self.job.directory / f"{self.task.name}-{kind}-seed{self.job.seed}-{digest}"

    @property
    def supernet_folder(self) -> Path:
        """Where the supernet's training keeps its checkpoints."""
        return self.folder("supernet", {**content_of(self.supernet_plan()), "held_out": self.search.held_out})


def search_job(job: Job, name: str, options: Mapping[str, Any], method: MethodName) -> SearchJob:
    """A search for the scheme of a task of the catalog, altered as asked.

    Args:
        job: its ``changes`` are fields of the search, of the supernet's recipe, ``input_size``, or model arguments.
        name: of the task.
        options: further fields of the search.
        method: which one chooses the schemes.

    Raises:
        AABenchError: the task has no scheme to search for, or a change does not fit.
    """
    task = job.catalog.task(name)
    search = job.catalog.search_of(task)
    own = [change for change in job.changes if change.partition("=")[0] in search.settings()]
    others = [change for change in job.changes if change not in own]
    task, recipe, altered = alter(task, job.catalog.recipes[search.supernet], others)
    assert recipe is not None  # it was given
    changes = {**read_changes(own), **options}
    return SearchJob(job, task, recipe, alter_search(search, changes), method, {**altered, **changes})


def train_supernet(run: SearchJob) -> Outcome | None:
    """Train the supernet, or go on with its training. None, if it is given, or trained already."""
    from aabench.train.checkpoint import LAST, read_checkpoint

    if run.job.checkpoint is not None:
        return None
    plan, last = run.supernet_plan(), run.supernet_folder / LAST
    if last.exists() and read_checkpoint(last)["step"] == plan.total_steps(len(run.sets[0])):
        return None
    common = {"task": run.task.name, "level": "supernet", "seed": run.job.seed}
    return outcome(lambda: _supernet(run, plan), common, settings=run.settings, altered=run.altered)


def _supernet(run: SearchJob, plan: Plan) -> Found:
    from aabench.train import train

    rest, held_out = run.sets
    plan.check(rest, held_out)
    tuned = tune_allocator(plan)
    run.job.reporter.training(plan, rest)
    result = train(
        plan,
        train_set=rest,
        test_set=held_out,
        directory=run.supernet_folder,
        resume=run.job.resume == "always",
        progress=run.job.reporter.progress(),
    )
    values = (
        *score_values(result.last, "held-out"),
        Value(metric="train_loss", value=result.curve[-1].train_loss, unit="nats", convention="last"),
        speed(result.images_per_second),
        Value(metric="steps", value=result.steps, unit="steps"),
        Value(metric="train_seconds", value=result.seconds, unit="s"),
    )
    detail = {
        "curve": [point.model_dump() for point in result.curve],
        "allocator": tuned,
        "unreadable": {"train": unreadable(result.unreadable), "test": unreadable(result.last.unreadable)},
    }
    return Found({**plan_settings(plan), "train_set": rest.source, "test_set": held_out.source}, values, detail)


def search_scheme(run: SearchJob, *, resume: bool = False) -> Outcome:
    """Search by the weights of the supernet, or go on with a search that was stopped (there has to be one)."""
    common = {"task": run.task.name, "level": "search", "seed": run.job.seed}
    return outcome(lambda: _searched(run, resume), common, settings=run.settings, altered=run.altered)


def _searched(run: SearchJob, resume: bool) -> Found:
    from aabench.data import Transform
    from aabench.search import SearchPlan, SupernetEvaluator, search

    rest, held_out = run.sets
    network = _load_supernet(run, rest)
    progress = run.job.reporter.searching()
    evaluator = SupernetEvaluator(
        network.to(run.job.device),
        held_out,
        transform=Transform(run.task.normalisation, (run.task.input_size, run.task.input_size)),
        calibration=rest if run.search.accuracy == "expected" else None,
        device=run.job.device,
        on_batch=progress.evaluating,
    )
    plan = SearchPlan(
        search=run.search,
        blocks=sum(network.depths),
        supernet=_digest(network),
        held_out=f"{held_out.source}, on {run.job.device}",
        method=run.method,
        seed=run.job.seed,
    )
    directory = run.folder("search", plan.settings())
    result = search(plan, evaluator, directory=directory, resume=resume, progress=progress)
    return _found(run, plan.settings(), result, network, len(held_out))


def _load_supernet(run: SearchJob, rest: Images) -> PluggedNetwork:
    """The network with modules for all blocks, and a supernet's weights.

    Raises:
        AABenchError: the weights are of another supernet, or not all of its training set was held back from them.
    """
    from aabench.models import create_model
    from aabench.models.plugged import PluggedNetwork
    from aabench.train import LAST, load_weights
    from aabench.train.checkpoint import read_tensors

    file = run.job.checkpoint or run.supernet_folder / LAST
    _check_supernet(file, read_tensors(file), run.supernet_plan(), rest)
    task = run.task
    network = create_model(task.model, input_size=task.input_size, num_classes=task.num_classes, **run.arguments)
    if not isinstance(network, PluggedNetwork):
        raise AABenchError(f"{task.model} takes no attention to be plugged in, so that it has no scheme")
    load_weights(network, file)
    return network


def _check_supernet(file: Path, content: Any, plan: Plan, rest: Images) -> None:
    """A checkpoint that was trained here says what it is; of other weights only the shapes tell."""
    from aabench.train.plan import differences

    if not isinstance(content, dict) or "settings" not in content:
        return
    wanted = {**plan.model_dump(mode="json"), "train_set": f"{rest.source} ({len(rest)} images)"}
    names = ("model", "arguments", "input_size", "num_classes", "normalisation", "train_set")
    given = {name: content["settings"].get(name) for name in names}
    differing = differences(given, {name: wanted[name] for name in names})
    if differing:
        raise AABenchError(
            f"{file} is not the supernet of {plan.task.removesuffix('-supernet')} ({'; '.join(differing)}): "
            "give the one that was trained for this search, or none, and it is trained"
        )


def _digest(network: PluggedNetwork) -> str:
    """Of the weights: two supernets have one of their own each."""
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _found(
    run: SearchJob, settings: dict[str, Any], result: SearchResult, network: PluggedNetwork, images: int
) -> Found:
    from aabench.models.scheme import bits, from_flags, integers
    from aabench.search.reward import sparsity

    scheme = from_flags(result.final.flags, network.depths)
    values = (
        Value(metric="reward", value=result.final.reward, unit="%"),
        Value(metric="top1", value=result.final.score.top1, unit="%", convention="held-out"),
        Value(metric="sparsity", value=100 * sparsity(result.final.flags), unit="%"),
        Value(metric="image_forwards", value=result.requested * images, unit="images", convention="as-published"),
        Value(metric="image_forwards", value=result.image_forwards, unit="images", convention="executed"),
    )
    detail = {
        "method": run.method,
        "found_by": result.found_by,
        "scheme": {"bits": bits(scheme), "integers": integers(scheme)},
        "best": {
            "bits": bits(from_flags(result.best.flags, network.depths)),
            "reward": result.best.reward,
            "top1": result.best.score.top1,
        },
        "requested": result.requested,
        "evaluated": result.evaluated,
        "history": [step.model_dump(mode="json") for step in result.history],
    }
    return Found({**run.settings, **settings}, values, detail)
