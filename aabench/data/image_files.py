"""ImageFiles: labelled images in files, decoded in worker processes while the network works."""

from __future__ import annotations

import ctypes
import math
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from aabench.data.batch import Batch, Unreadable
from aabench.data.crops import centre_crop, inception_crop
from aabench.data.decode import CannotDecode, read_image
from aabench.data.epoch import draw_epoch

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PR_SET_PDEATHSIG = 1

View = Callable[[Tensor, int], Tensor]
"""(image (3, H, W), its index) -> what of it is shown, (3, size, size)."""


def usable_cores() -> int:
    """Cores that this process may run on: as many workers decode."""
    return len(os.sched_getaffinity(0))


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

    def first(self, count: int) -> ImageFiles:
        """The first ``count`` images (all, if there are fewer); ``source`` says so."""
        if count >= len(self):
            return self
        source = f"{self.source}, first {count} of {len(self)} images"
        return replace(self, names=self.names[:count], labels=self.labels[:count], source=source)

    def to(self, device: torch.device | str) -> ImageFiles:
        """The same files, giving batches on a device."""
        return replace(self, device=device)

    def epoch(self, seed: int, epoch: int, batch_size: int, steps: range) -> Generator[Batch]:
        """Batches ``steps`` (from 0) of an epoch, in its order; each image is cropped by (seed, epoch, index) alone."""
        order = draw_epoch(seed, epoch, len(self)).order
        batches = [order[step * batch_size : (step + 1) * batch_size].tolist() for step in steps]
        view = partial(_random_view, size=self.size, seed=seed, epoch=epoch)
        return self._stream(batches, view)

    def once(self, batch_size: int) -> Generator[Batch]:
        """The centre of each image, exactly once, in order; the last batch may be smaller."""
        batches = [indices.tolist() for indices in torch.split(torch.arange(len(self)), batch_size)]
        return self._stream(batches, partial(_centre_view, size=self.size, shorter_side=self.shorter_side))

    def _stream(self, batches: Sequence[list[int]], view: View) -> Generator[Batch]:
        loader = DataLoader(
            _Decoded(self, view),
            sampler=batches,
            batch_size=None,
            num_workers=min(self.workers, len(batches)),
            collate_fn=_as_it_is,
            worker_init_fn=_start_worker,
            pin_memory=torch.device(self.device).type == "cuda",
            # Of its own: the loader's draw for its workers must not move torch's generator, or a resumed training
            # would not end with the same bits.
            generator=torch.Generator(),
        )
        with _signals_held_back():
            batches_read = iter(loader)
        for batch in batches_read:
            yield batch.to(self.device)


class _Decoded(Dataset[Batch]):
    """What a worker does with the indices of a batch."""

    def __init__(self, files: ImageFiles, view: View) -> None:
        self.files, self.view = files, view

    def __getitem__(self, indices: list[int]) -> Batch:
        images = _room(len(indices), self.files.size)
        read: list[int] = []
        lost: list[Unreadable] = []
        for index in indices:
            name = self.files.names[index]
            try:
                image = read_image(self.files.folder / name)
            except CannotDecode as error:
                lost.append(Unreadable(index, name, str(error)))
            else:
                # One by one: to keep a batch of them, and stack it, would write all of it twice.
                images[len(read)] = self.view(image, index)
                read.append(index)
        which = torch.tensor(read, dtype=torch.int64)
        return Batch(which, images[: len(read)], self.files.labels[which], tuple(lost))


def _room(images: int, size: int) -> Tensor:
    """Space for images, (n, 3, size, size) uint8, channels last in memory as decoded images are: no copy transposes.

    In a worker it is in shared memory, where they would be copied to else.
    """
    shape = (images, size, size, 3)
    if get_worker_info() is None:
        room = torch.empty(shape, dtype=torch.uint8)
    else:
        # As torch's default_collate does: there is no public way that does not touch all of it first.
        storage: torch.UntypedStorage = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
        room = torch.empty(0, dtype=torch.uint8).set_(storage).view(shape)
    return room.permute(0, 3, 1, 2)


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """SIGINT and SIGTERM reach this thread, and the processes that it starts, afterwards.

    Ctrl-C and a batch system signal all processes of a job. That is the training's affair, which saves and then ends
    its workers: these are started deaf to it, for none may die before it has said that it does not listen.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(_: int) -> None:
    """The signals that it was started deaf to stay so; it ends with the process that it decodes for."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _random_view(image: Tensor, index: int, *, size: int, seed: int, epoch: int) -> Tensor:
    return inception_crop(image, size, seed=seed, epoch=epoch, index=index)


def _centre_view(image: Tensor, index: int, *, size: int, shorter_side: int) -> Tensor:
    return centre_crop(image, shorter_side, size)
