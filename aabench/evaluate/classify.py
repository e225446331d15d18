"""Top-1 and top-5 over a test set, each image exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aabench.data.batch import Images, Unreadable, none_readable, reading
from aabench.errors import AABenchError

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Scores:
    """What a classifier scores on a test set.

    Attributes:
        top1_percent: of the images, those whose label has the greatest logit.
        top5_percent: those whose label is among the five greatest (among all, with fewer classes).
        correct: images right by top-1.
        correct5: images right by top-5.
        images: N, unreadable ones too: they count as wrong.
        loss: mean cross-entropy over the images that could be read, in nats.
        correct_mask: (N,) bool on the CPU, right by top-1, in the test set's order.
        unreadable: why an image could not be read, by its name.
    """

    top1_percent: float
    top5_percent: float
    correct: int
    correct5: int
    images: int
    loss: float
    correct_mask: Tensor
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> float:
        """The best of several epochs has the greatest."""
        return self.correct

    @property
    def curve_values(self) -> dict[str, float]:
        """What a learning curve shows of them."""
        return {"top1": self.top1_percent, "top5": self.top5_percent, "test_loss": self.loss}


class Tally:
    """Gathers what was seen of a test set of ``images`` images, and gives scores once each was seen exactly once."""

    def __init__(self, images: int) -> None:
        self.images = images
        self._indices: list[Tensor] = []
        self._hits: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._unreadable: list[Unreadable] = []

    def add(self, indices: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: positions in the test set (n,) on the CPU, logits (n, classes) and labels (n,)."""
        self._indices.append(indices)
        self._hits.append(top_hits(logits, labels))
        self._losses.append(F.cross_entropy(logits.double(), labels, reduction="none"))

    def add_unreadable(self, images: tuple[Unreadable, ...]) -> None:
        """Add images that could not be read."""
        self._unreadable += images

    def scores(self) -> Scores:
        """The scores.

        Raises:
            AABenchError: an image was seen twice or never, none could be read, or some image's logits were no finite
                numbers.
        """
        lost = torch.tensor([image.position for image in self._unreadable], dtype=torch.int64)
        read = torch.cat([*self._indices, lost[:0]])
        check_each_once(torch.cat([read, lost]), self.images)
        if len(lost) == self.images:
            raise none_readable(self._unreadable, "test images")
        order = read.argsort()
        losses = torch.cat(self._losses).cpu()[order]
        hits = torch.zeros(self.images, 2, dtype=torch.bool)
        hits[read] = torch.cat(self._hits).cpu()
        broken = int((~losses.isfinite()).sum())
        if broken:
            raise AABenchError(
                f"the network's output is not finite for {broken} of {self.images} images: its weights are broken, "
                "take an earlier checkpoint"
            )
        correct, among_five = hits.sum(0).tolist()
        return Scores(
            top1_percent=100 * correct / self.images,
            top5_percent=100 * among_five / self.images,
            correct=correct,
            correct5=among_five,
            images=self.images,
            loss=losses.mean().item(),
            correct_mask=hits[:, 0].clone(),
            unreadable={image.name: image.reason for image in self._unreadable},
        )


def top_hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether each label is the first, and among the first five: logits (n, classes), labels (n,) -> (n, 2) bool."""
    ranked = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    return torch.stack([ranked[:, 0], ranked.any(1)], dim=1)


def evaluate(
    model: nn.Module,
    data: Images,
    *,
    transform: Callable[[Tensor], Tensor],
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
    channels_last: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> Scores:
    """Score a classifier; its train or eval mode is what it was before.

    Args:
        model: (n, 3, *) -> logits (n, classes), on ``device``.
        data: the test set. An image that cannot be read counts as wrong.
        transform: a batch of images as stored -> the model's input.
        batch_size: images a forward pass; the last one may be smaller.
        device: where the model is.
        precision: ``bf16`` runs the forward pass under autocast.
        channels_last: memory format of the model's input.
        on_batch: called after each batch with the number of images done.

    Raises:
        AABenchError: no image, or none that can be read; a label that the model has no output for; output that is not
            finite.
    """
    if len(data) == 0:
        raise AABenchError("the test set holds no image; give one that does")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    kind = torch.device(device).type
    tally, done = Tally(len(data)), 0
    amp = torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16")
    with eval_mode(model), torch.no_grad(), amp, reading(data.once(batch_size)) as batches:
        for batch in batches:
            tally.add_unreadable(batch.unreadable)
            if len(batch.labels):
                x = transform(batch.images.to(device)).contiguous(memory_format=layout)
                logits = model(x).float()
                _check_classes(int(batch.labels.max()), logits.shape[1])
                tally.add(batch.indices, logits, batch.labels.to(device))
            done += len(batch.labels) + len(batch.unreadable)
            if on_batch is not None:
                on_batch(done)
    return tally.scores()


def _check_classes(greatest_label: int, classes: int) -> None:
    if greatest_label >= classes:
        raise AABenchError(
            f"the model has {classes} classes, and the test set a label {greatest_label}: "
            "evaluate a model on the data set that it was built for"
        )


def check_each_once(indices: Tensor, images: int) -> None:
    """Check that positions in a test set of so many images are all there, once each.

    Raises:
        AABenchError: they are not.
    """
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < images:
        raise AABenchError(
            f"image {int(indices.max() if indices.max() >= images else indices.min())} was evaluated, "
            f"but the test set has {images} images: evaluate each exactly once"
        )
    seen = indices.bincount(minlength=images)
    missing, repeated = (seen == 0).nonzero()[:, 0].tolist(), (seen > 1).nonzero()[:, 0].tolist()
    if missing or repeated:
        found = [
            f"{len(which)} {what} (the first: image {which[0]})"
            for what, which in (("never", missing), ("more than once", repeated))
            if which
        ]
        raise AABenchError(f"of {images} test images, {' and '.join(found)}: evaluate each exactly once")


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while; each sub-module gets back the mode it had, since some may have been frozen in eval."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
