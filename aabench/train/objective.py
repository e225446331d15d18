"""What a training is about: the loss of a micro-batch and the scores of an epoch, of a classifier or of a detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aabench.catalog import Recipe
from aabench.data import Batch, CanvasTransform, CocoFiles, DetectionBatch, Images, Transform
from aabench.errors import AABenchError
from aabench.evaluate import DetectionScores, Scores, evaluate, evaluate_detector
from aabench.models.detector import Detector
from aabench.terms import Size, Target
from aabench.train.plan import Plan

AnyScores = Scores | DetectionScores


class MicroBatch(Protocol):
    """Images on the device, ready for the network, with what it has to learn of them."""

    def __len__(self) -> int: ...

    def loss(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        """Mean loss over its images, in fp32, and how many of them were right (0 of a detector)."""


class Objective(Protocol):
    """What a network learns and how it is scored, by a plan."""

    counts_hits: bool
    """Whether the training images that are right are counted."""

    def micro_batches(self, batch: Any) -> Sequence[MicroBatch]:
        """A batch of the training set in as many parts as the recipe says; in as many as it has images, if fewer."""

    def evaluate(self, model: nn.Module, data: Any, on_batch: Callable[[int], None] | None = None) -> AnyScores:
        """Scores on a test set; ``on_batch`` is told how many images are done."""

    def restore(self, content: dict[str, Any]) -> AnyScores:
        """Scores from a checkpoint, where they are kept by the names of their fields."""


def objective_of(model: nn.Module, plan: Plan) -> Objective:
    """Detection for a detector, else classification."""
    return Detection(plan) if isinstance(model, Detector) else Classification(plan)


@dataclass(frozen=True)
class LabelledImages:
    """A classifier's: images (n, 3, H, W), labels (n,)."""

    images: Tensor
    labels: Tensor
    label_smoothing: float

    def __len__(self) -> int:
        return len(self.labels)

    def loss(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        """Cross-entropy, label smoothing included."""
        logits = model(self.images).float()
        loss = F.cross_entropy(logits, self.labels, label_smoothing=self.label_smoothing)
        return loss, (logits.detach().argmax(1) == self.labels).sum()


def split_labelled(
    images: Tensor, labels: Tensor, recipe: Recipe, *, channels_last: bool = False
) -> list[LabelledImages]:
    """Images (B, 3, H, W), normalised, and labels (B,), in the recipe's micro-batches.

    A batch with fewer images than there are micro-batches has one for each.
    """
    parts = zip(images.chunk(recipe.accumulate), labels.chunk(recipe.accumulate), strict=True)
    layout = _layout(channels_last)
    return [LabelledImages(x.contiguous(memory_format=layout), y, recipe.label_smoothing) for x, y in parts]


@dataclass(frozen=True)
class BoxedImages:
    """A detector's: images (n, 3, H, W) on one canvas, the size and the objects of each."""

    images: Tensor
    sizes: tuple[Size, ...]
    targets: tuple[Target, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    def loss(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        """The sum of the detector's losses, each over the micro-batch's own objects: with more parts, another loss."""
        assert isinstance(model, Detector)
        losses = model.losses(self.images, self.sizes, self.targets)
        return torch.stack(list(losses.values())).sum(), torch.zeros((), device=self.images.device)


class Classification:
    """Cross-entropy; top-1 and top-5."""

    counts_hits = True

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.transform = Transform(plan.normalisation, (plan.input_size, plan.input_size))

    def micro_batches(self, batch: Batch) -> list[LabelledImages]:
        """Each with labels, its images in the plan's memory format."""
        x = self.transform(batch.images)
        return split_labelled(x, batch.labels, self.plan.recipe, channels_last=self.plan.channels_last)

    def evaluate(self, model: nn.Module, data: Images, on_batch: Callable[[int], None] | None = None) -> Scores:
        """As :func:`aabench.evaluate.evaluate`, in the plan's precision."""
        return evaluate(model, data, transform=self.transform, on_batch=on_batch, **_way(self.plan))

    def restore(self, content: dict[str, Any]) -> Scores:
        """See :class:`Objective`."""
        return Scores(**content)


class Detection:
    """The detector's own losses; COCO's average precision."""

    counts_hits = False

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.transform = CanvasTransform(plan.normalisation)
        if plan.recipe.label_smoothing:
            raise AABenchError(f"recipe {plan.recipe.name} smooths labels: a detector has none to smooth; set it to 0")

    def micro_batches(self, batch: DetectionBatch) -> list[BoxedImages]:
        """Each with objects, its images in the plan's memory format, all on the batch's canvas."""
        x = self.transform(batch).contiguous(memory_format=_layout(self.plan.channels_last))
        chunks = x.chunk(self.plan.recipe.accumulate)
        ends = torch.tensor([len(images) for images in chunks]).cumsum(0).tolist()
        return [
            BoxedImages(images, batch.sizes[end - len(images) : end], batch.targets[end - len(images) : end])
            for images, end in zip(chunks, ends, strict=True)
        ]

    def evaluate(
        self, model: nn.Module, data: CocoFiles, on_batch: Callable[[int], None] | None = None
    ) -> DetectionScores:
        """As :func:`aabench.evaluate.evaluate_detector`, in the plan's precision."""
        assert isinstance(model, Detector)
        return evaluate_detector(model, data, transform=self.transform, on_batch=on_batch, **_way(self.plan))

    def restore(self, content: dict[str, Any]) -> DetectionScores:
        """See :class:`Objective`."""
        return DetectionScores(**content)


def _layout(channels_last: bool) -> torch.memory_format:
    return torch.channels_last if channels_last else torch.contiguous_format


def _way(plan: Plan) -> dict[str, Any]:
    """How a plan's network is evaluated: as it is trained."""
    return {"device": plan.device, "precision": plan.recipe.precision, "channels_last": plan.channels_last}
