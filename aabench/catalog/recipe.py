"""Recipe: how a task's model is trained, and its short smoke run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aabench.catalog.schema import Frozen, Name


class Smoke(Frozen):
    """The short training run that must learn: on CIFAR-100 or its stand-in, a detector on COCO's. All of it is ours.

    The width it is reduced to belongs to the model: ``Task.smoke_arguments``.
    """

    input_size: Annotated[int, Field(gt=0)]
    steps: Annotated[int, Field(gt=0)]
    batch_size: Annotated[int, Field(gt=0)]
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate, as used (not per 256)."""
    times_chance: Annotated[float, Field(gt=1)] | None = None
    """Top-1 on the test set has to exceed this multiple of chance, with its whole 95 % interval."""
    least_ap: Annotated[float, Field(gt=0, lt=100)] | None = None
    """Likewise, in the place of that, a detector's average precision, in percent."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.times_chance is None) == (self.least_ap is None):
            raise ValueError("give times_chance, or least_ap for a detector")
        return self


class Recipe(Frozen):
    """How a task's model is trained. Every field has a source: a tag and a place in a sheet, or ``ours``."""

    name: Name
    epochs: Annotated[int, Field(gt=0)]
    batch_size: Annotated[int, Field(gt=0)]
    optimizer: Literal["sgd", "rmsprop"] = "sgd"
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate for ``lr_batch`` images; scaled linearly with the batch size."""
    lr_batch: Annotated[int, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    nesterov: bool
    mean_square_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """What is kept of the mean squared gradient each step (RMSProp)."""
    epsilon: Annotated[float, Field(gt=0)] | None = None
    """Added to the root of the mean squared gradient (RMSProp)."""
    weight_decay: Annotated[float, Field(ge=0)]
    decay_norm_and_bias: bool
    """Whether weight decay also applies to normalisation parameters and biases."""
    schedule: Literal["constant", "cosine", "step", "exponential"]
    warmup_epochs: Annotated[float, Field(ge=0)]
    """Linear warm-up from 0, in epochs; the schedule counts from the start of training."""
    milestones: tuple[int, ...] = ()
    """Epochs after which the learning rate is multiplied by ``gamma`` (step schedule)."""
    decay_epochs: Annotated[float, Field(gt=0)] | None = None
    """The learning rate is multiplied by ``gamma`` each time so many epochs are over (exponential schedule)."""
    gamma: Annotated[float, Field(gt=0, lt=1)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    augmentation: Literal["crop-flip", "inception", "scale-jitter", "flip"]
    accumulate: Annotated[int, Field(gt=0)] = 1
    """Micro-batches a step: each holds batch_size / accumulate images."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    source: dict[str, str]
    smoke: Smoke

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError('milestones go with schedule = "step", and only with it')
        if (self.schedule == "exponential") != (self.decay_epochs is not None):
            raise ValueError('decay_epochs goes with schedule = "exponential", and only with it')
        if (self.schedule in ("constant", "cosine")) != (self.gamma is None):
            raise ValueError('gamma goes with schedule = "step" or "exponential", and only with them')
        for value in (self.mean_square_decay, self.epsilon):
            if (self.optimizer == "rmsprop") != (value is not None):
                raise ValueError('mean_square_decay and epsilon go with optimizer = "rmsprop", and only with it')
        if self.optimizer == "rmsprop" and self.nesterov:
            raise ValueError('nesterov goes with optimizer = "sgd" only')
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs}) exceeds epochs ({self.epochs})")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size ({self.batch_size}) is not a multiple of accumulate ({self.accumulate})")
        unsourced = self.settings().keys() - self.source.keys()
        if unsourced:
            raise ValueError(f"no source for {', '.join(sorted(unsourced))}")
        return self

    def settings(self) -> dict[str, Any]:
        """How to train, by name: the fields that a source is owed for. Options that are not used are left out."""
        return self.model_dump(include=self.settings_names(), exclude_none=True)

    @classmethod
    def settings_names(cls) -> set[str]:
        """Names of all settings, used or not."""
        return cls.model_fields.keys() - {"name", "source", "smoke"}
