"""A training set in two: the first images of each class, and the rest."""

from __future__ import annotations

from typing import TypeVar

import torch

from aabench.data.batch import Images
from aabench.errors import AABenchError

_Images = TypeVar("_Images", bound=Images)


def hold_out(data: _Images, per_class: int) -> tuple[_Images, _Images]:
    """(the rest, the first ``per_class`` images of each class), each in the data set's order.

    Raises:
        AABenchError: a class does not have more images than that.
    """
    counts = data.labels.bincount(minlength=data.num_classes)
    fewest = int(counts.min())
    if per_class >= fewest:
        raise AABenchError(
            f"{per_class} images of each class cannot be held out of {data.source}: "
            f"class {int(counts.argmin())} has {fewest}; hold out fewer"
        )
    # A stable sort puts the images of a class side by side, in their order: each one's place among them follows.
    by_class = data.labels.argsort(stable=True)
    place = torch.empty_like(by_class)
    place[by_class] = torch.arange(len(data)) - (counts.cumsum(0) - counts)[data.labels[by_class]]
    first = place < per_class
    return (
        data.chosen((~first).nonzero()[:, 0], f"{data.source} without the first {per_class} images of each class"),
        data.chosen(first.nonzero()[:, 0], f"{data.source}, the first {per_class} images of each class"),
    )
