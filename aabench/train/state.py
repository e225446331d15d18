"""TrainingState: all that changes while a plan is carried out, and its way into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from aabench.data import CocoFiles
from aabench.data.either import AnyImages
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.models.detector import Detector
from aabench.train.meter import Meter
from aabench.train.objective import AnyScores, objective_of
from aabench.train.optimizer import make_optimizer
from aabench.train.plan import Plan, differences
from aabench.train.result import CurvePoint
from aabench.train.schedule import make_schedule, peak_rate
from aabench.train.weights import load_backbone


class TrainingState:
    """Everything at its start, seeded by the plan. Sets torch's global seed: call it under ``fork_rng``.

    Attributes:
        objective: what is learnt, and how it is scored.
        step: optimizer steps done.
        curve: the epochs that are over.
        best: scores of the best epoch so far, and ``best_epoch``, which one it was; None before the first evaluation.
        last: scores of the newest evaluation.
        unreadable: why a training image could not be read, by its name.
    """

    def __init__(self, plan: Plan, train_set: AnyImages, test_set: AnyImages) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.settings = {
            **plan.settings(),
            "train_set": f"{train_set.source} ({len(train_set)} images)",
            "test_set": f"{test_set.source} ({len(test_set)} images)",
        }
        self.steps_per_epoch = plan.steps_per_epoch(len(train_set))
        self.total_steps = plan.total_steps(len(train_set))
        self.model = build_model(plan)
        if isinstance(self.model, Detector) != isinstance(train_set, CocoFiles):
            kind = "a detector" if isinstance(self.model, Detector) else "a classifier"
            raise AABenchError(
                f"{plan.model} is {kind}, which cannot learn from {train_set.source}; take another model"
            )
        self.objective = objective_of(self.model, plan)
        self.ema = None if plan.recipe.ema_decay is None else make_ema(self.model, plan.recipe.ema_decay)
        self.optimizer = make_optimizer(self.model, plan.recipe, peak_rate(plan.recipe))
        self.schedule = make_schedule(self.optimizer, plan.recipe, self.total_steps)
        self.meter = Meter(plan.device, hits=self.objective.counts_hits)
        self.step = 0
        self.curve: list[CurvePoint] = []
        self.best: AnyScores | None = None
        self.best_epoch = 0
        self.last: AnyScores | None = None
        self.unreadable: dict[str, str] = {}

    @property
    def scored_model(self) -> nn.Module:
        """What is evaluated: the averaged weights, where there are any."""
        return self.model if self.ema is None else self.ema.module

    @property
    def at_epoch_end(self) -> bool:
        """Whether an epoch, or the whole training, ends at this step."""
        return self.step > 0 and (self.step % self.steps_per_epoch == 0 or self.step == self.total_steps)

    @property
    def epoch_is_closed(self) -> bool:
        """Whether the newest point of the curve was made at this step."""
        return bool(self.curve) and self.curve[-1].step == self.step

    def all_finite(self) -> bool:
        """Whether all weights and statistics are numbers. Waits for the device."""
        tensors = [*self.scored_model.state_dict().values(), *self.model.state_dict().values()]
        return all(bool(tensor.isfinite().all()) for tensor in tensors)

    def capture(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {
            "settings": self.settings,
            "step": self.step,
            "epoch": self.step // self.steps_per_epoch,
            "model": self.model.state_dict(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "ema_updates": 0 if self.ema is None else int(self.ema.n_averaged),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": _rng_state(self.plan.device),
            "meter": self.meter.state_dict(),
            "curve": [point.model_dump() for point in self.curve],
            "best": None if self.best is None else vars(self.best),
            "best_epoch": self.best_epoch,
            "last": None if self.last is None else vars(self.last),
            "unreadable": self.unreadable,
        }

    def restore(self, content: dict[str, Any], origin: Path) -> None:
        """Go on from what :meth:`capture` gave.

        Raises:
            AABenchError: it belongs to another plan or data set; says what differs.
        """
        differing = differences(content["settings"], self.settings)
        if differing:
            raise AABenchError(
                f"{origin} was made with other settings ({'; '.join(differing)}): "
                "resume it with those, or start in another folder"
            )
        self.step = content["step"]
        self.model.load_state_dict(content["model"])
        if self.ema is not None:
            self.ema.module.load_state_dict(content["ema"])
            self.ema.n_averaged.fill_(content["ema_updates"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.meter.load_state_dict(content["meter"])
        self.curve = [CurvePoint.model_validate(point) for point in content["curve"]]
        self.best = None if content["best"] is None else self.objective.restore(content["best"])
        self.best_epoch = content["best_epoch"]
        self.last = None if content["last"] is None else self.objective.restore(content["last"])
        self.unreadable = dict(content["unreadable"])
        _set_rng_state(content["rng"])


def build_model(plan: Plan) -> nn.Module:
    """The plan's model on its device; weights are drawn from torch's global generator, but for a backbone's given ones.

    Raises:
        AABenchError: these cannot be read, or do not fit.
    """
    arguments: dict[str, Any] = dict(plan.arguments)
    model = create_model(plan.model, input_size=plan.input_size, num_classes=plan.num_classes, **arguments)
    if plan.backbone is not None:
        assert isinstance(model, Detector)  # a classifier's plan has none
        load_backbone(model, Path(plan.backbone.file))
    layout = torch.channels_last if plan.channels_last else torch.contiguous_format
    return model.to(device=plan.device, memory_format=layout)  # type: ignore[call-overload, no-any-return]


def make_ema(model: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of weights and of normalisation statistics; counters are copied.

    Its start is the model after the first update. (On CUDA, torch waits for the device at each update.)
    """
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            average(averaged, current, count)
        else:
            for mine, its in zip(averaged, current, strict=True):
                mine.copy_(its)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)


def _rng_state(device: str) -> dict[str, Any]:
    """torch's generators, which dropout draws from. What is random about the data is drawn anew from (seed, epoch)."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state() if device == "cuda" else None}


def _set_rng_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])
