"""The words of the catalog: Paper, Claim, Task. Frozen, and strict about unknown keys."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

Tag = Literal["printed", "abstract", "code", "second-hand", "recalled", "derived", "ours"]
"""Where a claim comes from. ``ours``: no paper says it, it is a question of ours that is judged like a claim."""
Metric = Literal[
    "params", "flops", "top1", "top5", "correct", "correct5", "AP", "AP50", "AP75",
    "latency_ms", "memory", "train_loss", "seed_spread", "diverged",
]  # fmt: skip
Kind = Literal["absolute", "delta", "ordinal", "growth"]
Setting = Literal["full", "scaled"]
"""Of a protocol. ``full``: the tasks and their recipe as they are, for a GPU. ``scaled``: its scaled-down setting."""
Data = Literal["cifar10", "cifar100", "imagenet", "imagenet1000", "coco"]
"""``imagenet1000`` is the data bundle's: one image for each class of ImageNet, for calibration."""
Framing = Literal["square", "shorter-side"]
"""How an image is brought to a detector. ``square``: its longer side becomes ``input_size``, on a canvas of that side.
``shorter-side``: its shorter side becomes ``input_size``, the longer one at most 1333 / 800 of that."""
NormalisationName = Literal["cifar100", "imagenet", "caffe", "dianet"]
Argument = bool | int | float | str
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")]

UNITS = {"M": 10**6, "GFLOPs": 10**9, "%": 1, "points": 1, "images": 1}
"""Printed unit -> factor to the unit measurements are stored in (parameters, FLOPs, percent, points, images)."""

UNITS_OF: dict[str, tuple[str, ...]] = {
    "params": ("M",),
    "flops": ("GFLOPs",),
    "top1": ("%", "points"),
    "top5": ("%", "points"),
    "correct": ("images",),
    "correct5": ("images",),
    "AP": ("%", "points"),
    "AP50": ("%", "points"),
    "AP75": ("%", "points"),
    "latency_ms": ("%",),
    "memory": (),
    "train_loss": (),
    "seed_spread": (),
    "diverged": (),
}
"""Which units a claim on a metric may be printed in; none for what is only compared. Of a latency only the increase
over a baseline is claimed, in % of that."""

KINDS_OF: dict[str, tuple[Kind, ...]] = {
    "flops": ("absolute", "ordinal", "growth"),
    "latency_ms": ("delta", "ordinal"),
    "memory": ("ordinal", "growth"),
}
"""Which kinds a claim on a metric may be of, where not any but ``growth``."""

PROFILED = ("latency_ms", "memory")
"""Metrics that are measured by a profile: a claim on one names the sweep that judges it."""

COSTS = ("params", "flops", *PROFILED)
"""Metrics of which less is better: an ordinal claim on one says less, not more."""

AVERAGE_PRECISIONS = ("AP", "AP50", "AP75")
"""COCO's: of all IoU thresholds from .50 to .95, and of one. No shares of the images."""

ACCURACIES = ("top1", "top5")
"""Metrics of which a training has two: of its last epoch, and of its best one."""

UNSPECIFIED = "unspecified"
"""What stands for a value, or for a network's scheme, that no sheet gives."""

_QUANTITY = re.compile(r"^(?P<printed>[+-]?\d+(?:\.\d+)?)(?:\s+(?P<unit>\S+))?$")


class Frozen(BaseModel):
    """A record that cannot change and takes no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Frozen):
    """A number as a paper prints it, e.g. ``25.8 M``: its digits are its precision.

    Written in TOML as one string. A bare TOML number is refused: it cannot carry the printed precision
    (8.0 and 8 are the same float, but not the same claim).
    """

    printed: str
    unit: str

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return given
        if not isinstance(given, str):
            raise ValueError(
                f'value without precision: {given!r} is a number; write it as printed, with its unit: "{given} UNIT"'
            )
        match = _QUANTITY.match(given.strip())
        if match is None:
            raise ValueError(f'{given!r} is not a printed number with a unit, such as "25.8 M"')
        if match["unit"] is None:
            raise ValueError(f"missing unit: {given!r}; one of {', '.join(UNITS)}")
        if match["unit"] not in UNITS:
            raise ValueError(f"unknown unit {match['unit']!r}; one of {', '.join(UNITS)}")
        return {"printed": match["printed"], "unit": match["unit"]}

    @model_serializer
    def _write(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.printed} {self.unit}"

    @property
    def value(self) -> float:
        """The value in base units (parameters, FLOPs, percent, points, images)."""
        return float(Decimal(self.printed) * UNITS[self.unit])

    @property
    def precision(self) -> float:
        """One unit of the last printed digit, in base units."""
        exponent = Decimal(self.printed).as_tuple().exponent
        return float(Decimal(1).scaleb(int(exponent)) * UNITS[self.unit])

    @property
    def interval(self) -> tuple[float, float]:
        """The half-open interval [low, high) of values that print like this, in base units."""
        exponent = Decimal(self.printed).as_tuple().exponent
        half = Decimal(5).scaleb(int(exponent) - 1)
        scale = UNITS[self.unit]
        return float((Decimal(self.printed) - half) * scale), float((Decimal(self.printed) + half) * scale)

    def format(self, value: float) -> str:
        """A value in base units, in this quantity's unit with two digits more than printed."""
        exponent = Decimal(self.printed).as_tuple().exponent
        digits = max(0, -int(exponent)) + (2 if UNITS[self.unit] > 1 else 1)
        digits = 0 if self.unit == "images" else digits
        return f"{value / UNITS[self.unit]:.{digits}f} {self.unit}"


class Paper(Frozen):
    """A paper whose claims are judged."""

    name: Name
    title: str
    authors: str
    arxiv: str | None = None
    venue: str
    sheet: str
    """The fact sheet that its numbers come from."""


class Claim(Frozen):
    """One number (or one comparison) of one row of one table of a paper."""

    id: str
    """``paper/table/task/metric``, unique. With ``-vs-BASELINE`` after the task and ``-growth`` after the metric, where
    that is claimed; then ``/SWEEP`` that judges it; at the end ``@NAME`` of a protocol's scaled-down setting."""
    paper: str
    table: str
    row: str
    tag: Tag
    task: str
    """The task, or the protocol, that it is on."""
    metric: Metric
    kind: Kind = "absolute"
    value: Quantity | None = None
    """None for a claim of kind ordinal or growth, and where it is unspecified."""
    unspecified: bool = False
    """The paper claims a value, and no sheet gives it."""
    convention: str | None = None
    """How the paper counts, for FLOPs. Of an accuracy ``best``, where the paper's is that of the best epoch on the test
    set; None for the last epoch."""
    up_to: bool = False
    """The value is the largest of several gains, and the sheet does not name the models: one pair is asked, and
    contradicts nothing."""
    baseline: str | None = None
    """The task compared with. The claim is on task minus baseline (of a latency: in % of the baseline's), on task >
    baseline (of a cost: task < baseline), or on growing slower with the side than the baseline does."""
    sweep: str | None = None
    """The sweep (:mod:`aabench.catalog.sweep`) that judges a claim on a cost or on growth."""
    setting: Setting = "full"
    """Whether runs as the tasks define them judge it, or those of its protocol's scaled-down setting."""

    @property
    def measure(self) -> str:
        """The metric, and how it is run or which epoch counts, where the claim depends on that:
        ``latency_ms (v100-training)``, ``top1 (best epoch)``.
        """
        if self.of_best_epoch:
            return f"{self.metric} (best epoch)"
        return self.metric if self.sweep is None else f"{self.metric} ({self.sweep})"

    @property
    def of_best_epoch(self) -> bool:
        """Whether it is on the accuracy of the best epoch, which was chosen on the test set."""
        return self.metric in ACCURACIES and self.convention == "best"

    @property
    def saying(self) -> str:
        """What is claimed of it: ``25.8 M``, ``+1.3 points over resnet50``, ``up to +0.57 points over se-resnet50``,
        ``above resnet50``.
        """
        if self.kind == "ordinal":
            return f"{'below' if self.metric in COSTS else 'above'} {self.baseline}"
        if self.kind == "growth":
            return f"grows slower than {self.baseline}"
        value = f"{'up to ' if self.up_to else ''}{self.value}" if self.value else UNSPECIFIED
        return f"{value} over {self.baseline}" if self.baseline else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = KINDS_OF.get(self.metric, ("absolute", "delta", "ordinal"))
        if self.kind not in known:
            raise ValueError(f"a claim on {self.metric} is of kind {' or '.join(known)}, not {self.kind}")
        profiled = self.metric in PROFILED or self.kind == "growth"
        if profiled != (self.sweep is not None):
            what = f"{self.metric}, kind {self.kind}"
            raise ValueError(f"a claim on {what}, {'needs a sweep that judges it' if profiled else 'takes no sweep'}")
        if self.kind == "absolute" and self.baseline is not None:
            raise ValueError("an absolute claim has no baseline")
        if self.kind != "absolute" and self.baseline is None:
            raise ValueError(f"a claim of kind {self.kind!r} needs a baseline task")
        compares = self.kind in ("ordinal", "growth")
        if compares and (self.value is not None or self.unspecified):
            raise ValueError(f"a claim of kind {self.kind!r} takes no value")
        if not compares and (self.value is None) != self.unspecified:
            raise ValueError(f'a claim of kind {self.kind!r} needs a value, or "{UNSPECIFIED}" for it')
        if self.up_to and (self.value is None or self.value.unit != "points"):
            raise ValueError("up_to goes with kind 'delta' and a value in points")
        if self.value is not None:
            allowed = UNITS_OF[self.metric]
            if not allowed:
                raise ValueError(f"{self.metric} is only compared: write it as an ordinal claim")
            if self.value.unit not in allowed:
                raise ValueError(f"{self.metric} is given in {' or '.join(allowed)}, not {self.value.unit}")
            if self.metric not in PROFILED and (self.kind == "delta") != (self.value.unit == "points"):
                raise ValueError(f"a claim of kind {self.kind!r} is not given in {self.value.unit}")
        return self


class Task(Frozen):
    """Something that can be reproduced: a model with its arguments, a data set, an input size and a recipe."""

    name: Name
    paper: str
    model: str
    arguments: dict[str, Argument] = {}
    smoke_arguments: dict[str, Argument] = {}
    """Arguments that replace these in a smoke run (a narrower width, say)."""
    data: Data
    input_size: Annotated[int, Field(gt=0)]
    normalisation: NormalisationName
    """Whose per-channel mean and standard deviation the inputs are normalised with."""
    resize: Annotated[int, Field(gt=0)] | None = None
    """ImageNet only: the shorter side, in pixels, that an evaluated image is resized to before its centre is cut out;
    None for 8/7 of ``input_size``, the usual 256 for 224 (ours)."""
    framing: Framing | None = None
    """COCO only."""
    backbone: str | None = None
    """Of a detector: the task whose classifier its backbone starts from, by ``--backbone``; None: it starts anew."""
    recipe: str | None = None
    """None: the task is only evaluated, with ``checkpoint``."""
    search: str | None = None
    """How the scheme of its attention is searched for (EAN)."""
    checkpoint: str | None = None
    """Published weights, relative to the data root."""
    torchvision_weights: str | None = None
    """torchvision's name of the weights at ``checkpoint``: where they are fetched from, and checked against.

    Their accuracy is that of torchvision's training, so that no claim of a paper is judged by it.
    """
    calibration: bool = False
    """A known result that checks aabench itself, no claim of one of the papers."""
    blocked: str | None = None
    """What this version of aabench lacks for the task; see :attr:`obstacle`."""
    source: dict[str, str]

    @field_validator("model")
    @classmethod
    def _identifier(cls, model: str) -> str:
        if not model.isidentifier():
            raise ValueError(f"{model!r} is not a model name (lower case with underscores)")
        return model

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        may_be_none = ("resize", "torchvision_weights", "framing", "backbone")
        optional = {name for name in may_be_none if getattr(self, name) is not None}
        unsourced = {"model", "input_size", "normalisation", *optional, *self.arguments} - self.source.keys()
        if unsourced:
            raise ValueError(f"no source for {', '.join(sorted(unsourced))}")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.resize is not None and self.resize < self.input_size:
            raise ValueError(f"resize ({self.resize}) is below input_size ({self.input_size})")
        if (self.framing is None) == (self.data == "coco" and self.blocked is None):
            raise ValueError('framing goes with data = "coco", and only with it')
        if self.backbone is not None and self.data != "coco":
            raise ValueError('backbone goes with data = "coco" only: a detector has one')
        if self.torchvision_weights is not None and self.checkpoint is None:
            raise ValueError("torchvision_weights needs checkpoint: where the file lies below the data root")
        if self.search is not None and "scheme" not in self.arguments:
            raise ValueError("search goes with a scheme in arguments, which it finds")
        if self.search is not None and self.data == "coco":
            raise ValueError("a search is for the scheme of a classifier: give its result as the scheme")
        if self.arguments.get("scheme") == UNSPECIFIED and self.search is None:
            raise ValueError("an unspecified scheme needs search: how one is found")
        return self

    @property
    def obstacle(self) -> str | None:
        """Why nothing of this task can run yet, None if it can: its claims are judged ``blocked`` with this reason."""
        if self.blocked is None and self.arguments.get("scheme") == UNSPECIFIED:
            return f"its scheme is {UNSPECIFIED}; `aabench search {self.name}` finds one, and --scheme BITS takes it"
        return self.blocked

    @property
    def num_classes(self) -> int:
        """Classes of the task's data set."""
        return {"cifar10": 10, "cifar100": 100, "imagenet": 1000, "imagenet1000": 1000, "coco": 90}[self.data]

    @property
    def shorter_side(self) -> int:
        """What an image of ImageNet is resized to before its centre is cut out."""
        return self.resize or round(self.input_size * 8 / 7)
