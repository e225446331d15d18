"""ImageFiles: labelled images in files, decoded in worker processes while the network works."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from aabench.data.batch import Batch, Unreadable
from aabench.data.crops import centre_crop, inception_crop
from aabench.data.decode import CannotDecode, read_image
from aabench.data.epoch import draw_epoch
from aabench.data.rooms import Asked, Filled, Shown, fill_rooms

View = Callable[[Tensor, int], Tensor]
"""(image (3, H, W), its index) -> what of it is shown, (3, size, size)."""


@dataclass(frozen=True)
class ImageFiles:
    """Labelled images in files.

    Attributes:
        folder: where they lie.
        names: N paths below it.
        labels: (N,) int64, from 0 to ``num_classes`` - 1.
        num_classes: classes of the data set.
        source: what it is, in words; rows of the log carry it.
        size: side of the crops, in pixels.
        shorter_side: what an evaluated image's shorter side is resized to.
        workers: processes that decode. Which images they give does not depend on it.
        device: where batches are wanted.
    """

    folder: Path
    names: tuple[str, ...]
    labels: Tensor
    num_classes: int
    source: str
    size: int
    shorter_side: int
    workers: int
    device: torch.device | str = "cpu"
    augmentation: ClassVar[str] = "inception"

    def __len__(self) -> int:
        return len(self.names)

    def chosen(self, indices: Tensor, source: str) -> ImageFiles:
        """The images at these positions, in this order, under another name."""
        names = tuple(self.names[index] for index in indices.tolist())
        return replace(self, names=names, labels=self.labels[indices], source=source)

    def first(self, count: int) -> ImageFiles:
        """The first ``count`` images (all, if there are fewer); ``source`` says so."""
        if count >= len(self):
            return self
        source = f"{self.source}, first {count} of {len(self)} images"
        return self.chosen(torch.arange(count), source)

    def to(self, device: torch.device | str) -> ImageFiles:
        """The same files, giving batches on a device."""
        return replace(self, device=device)

    def epoch(self, seed: int, epoch: int, batch_size: int, steps: range) -> Generator[Batch]:
        """Batches ``steps`` (from 0) of an epoch, in its order; each image is cropped by (seed, epoch, index) alone."""
        order = draw_epoch(seed, epoch, len(self)).order
        batches = [order[step * batch_size : (step + 1) * batch_size].tolist() for step in steps]
        view = partial(_random_view, size=self.size, seed=seed, epoch=epoch)
        return self._stream(batches, view, torch.contiguous_format)

    def once(self, batch_size: int) -> Generator[Batch]:
        """The centre of each image, exactly once, in order; the last batch may be smaller."""
        batches = [indices.tolist() for indices in torch.split(torch.arange(len(self)), batch_size)]
        view = partial(_centre_view, size=self.size, shorter_side=self.shorter_side)
        return self._stream(batches, view, torch.channels_last)

    def _stream(self, batches: Sequence[list[int]], view: View, layout: torch.memory_format) -> Generator[Batch]:
        """On the CPU a batch's images are valid until the next batch is taken: its room is filled again then."""
        asked = [Asked(indices, (self.size, self.size)) for indices in batches]
        show = partial(self._show, view=view)
        for filled in fill_rooms(asked, show, workers=self.workers, layout=layout):
            yield self._batch(filled)

    def _show(self, index: int, view: View) -> Shown[None] | Unreadable:
        name = self.names[index]
        try:
            image = read_image(self.folder / name)
        except CannotDecode as error:
            return Unreadable(index, name, str(error))
        return Shown(view(image, index), None)

    def _batch(self, filled: Filled[None]) -> Batch:
        images = filled.images
        if torch.device(self.device).type == "cuda":
            images = images.pin_memory()
        return Batch(filled.indices, images, self.labels[filled.indices], filled.unreadable).to(self.device)


def _random_view(image: Tensor, index: int, *, size: int, seed: int, epoch: int) -> Tensor:
    return inception_crop(image, size, seed=seed, epoch=epoch, index=index)


def _centre_view(image: Tensor, index: int, *, size: int, shorter_side: int) -> Tensor:
    return centre_crop(image, shorter_side, size)
