"""What a data set is to training and evaluation: something that gives batches, from memory or from files."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple, Protocol, Self, TypeVar

import torch
from torch import Tensor

from aabench.errors import AABenchError


class Unreadable(NamedTuple):
    """An image that cannot be decoded: its position in the data set, its name, and why."""

    position: int
    name: str
    reason: str


def none_readable(unreadable: Sequence[Unreadable], what: str) -> AABenchError:
    """The error where no image can be read; ``what`` follows their number."""
    first = unreadable[0]
    return AABenchError(
        f"not one of the {len(unreadable)} {what} can be read, the first being {first.name} ({first.reason}): "
        "fetch the data set again"
    )


class Batch(NamedTuple):
    """Images on their way to a network.

    Attributes:
        indices: (n,) int64, positions in the data set, on the CPU.
        images: (n, 3, H, W) uint8; on the CPU a data set may write the next batch over them.
        labels: (n,) int64.
        unreadable: further images that belong here and cannot be decoded.
    """

    indices: Tensor
    images: Tensor
    labels: Tensor
    unreadable: tuple[Unreadable, ...] = ()

    def to(self, device: torch.device | str) -> Batch:
        """The same batch with images and labels on a device."""
        return self._replace(
            images=self.images.to(device, non_blocking=True), labels=self.labels.to(device, non_blocking=True)
        )

    def require_images(self) -> Batch:
        """The batch itself.

        Raises:
            AABenchError: not one of its images can be read.
        """
        if len(self.labels) == 0:
            raise none_readable(self.unreadable, "images of a batch")
        return self


_Any = TypeVar("_Any")


@contextmanager
def reading(batches: Generator[_Any]) -> Iterator[Generator[_Any]]:
    """Batches of a data set, closed at the end.

    Raises:
        AABenchError: a process that decodes images died. torch tells of it at once, in whatever is done meanwhile.
    """
    try:
        with closing(batches):
            yield batches
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise AABenchError(
            f"a process that decodes images died ({str(error).splitlines()[0]}): most often memory is too "
            "small for the batches under way; take a smaller batch"
        ) from error


class Images(Protocol):
    """A labelled data set. Attributes are those of :class:`~aabench.data.ImageSet`."""

    @property
    def num_classes(self) -> int:
        """Classes of the data set."""

    @property
    def source(self) -> str:
        """What it is, in words; rows of the log carry it."""

    @property
    def augmentation(self) -> str:
        """How :meth:`epoch` changes images: a recipe's ``augmentation``."""

    def __len__(self) -> int: ...

    @property
    def labels(self) -> Tensor:
        """(N,) int64, of each image."""

    def chosen(self, indices: Tensor, source: str) -> Self:
        """The images at these positions, in this order, under another name."""

    def first(self, count: int) -> Self:
        """The first ``count`` images (all, if there are fewer); ``source`` says so."""

    def to(self, device: torch.device | str) -> Self:
        """The same data set, giving batches on a device."""

    def epoch(self, seed: int, epoch: int, batch_size: int, steps: range) -> Generator[Batch]:
        """Batches ``steps`` (from 0) of an epoch's whole batches: shuffled and augmented by (seed, epoch) alone."""

    def once(self, batch_size: int) -> Generator[Batch]:
        """Each image exactly once, as it is, in order; the last batch may be smaller."""
