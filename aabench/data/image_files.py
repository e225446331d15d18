"""ImageFiles: labelled images in files, decoded in worker processes while the network works."""

from __future__ import annotations

import mmap
import signal
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from aabench.data.batch import Batch, Unreadable
from aabench.data.crops import centre_crop, inception_crop
from aabench.data.decode import CannotDecode, read_image
from aabench.data.epoch import draw_epoch
from aabench.parent import die_with_parent

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MADV_POPULATE_WRITE = 23

AHEAD = 2
"""Batches that each worker is asked for ahead."""

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
        """On the CPU a batch's images are valid until the next batch is taken: its room is filled again then.

        The layout is that of the view's crops: to change it would cost as much as half of the resizing.
        """
        if not batches:
            return
        workers = min(self.workers, len(batches))
        # One for each batch that is asked for ahead, and one for the batch that was handed over last.
        shape = (workers * AHEAD + 1, max(map(len, batches)), 3, self.size, self.size)
        memory = mmap.mmap(-1, prod(shape))
        _map_pages(memory)
        rooms = _rooms(memory, shape, layout)
        loader = DataLoader(
            _Decoded(self, view, rooms),
            sampler=[(number % len(rooms), indices) for number, indices in enumerate(batches)],
            batch_size=None,
            num_workers=workers,
            prefetch_factor=AHEAD if workers else None,
            multiprocessing_context="fork" if workers else None,  # what the rooms are shared by
            collate_fn=_as_it_is,
            worker_init_fn=partial(_start_worker, memory),
            # Of its own: the loader's draw for its workers must not move torch's generator, or a resumed training
            # would not end with the same bits.
            generator=torch.Generator(),
        )
        with _signals_held_back():
            filled = iter(loader)
        for room, read, lost in filled:
            yield self._batch(rooms[room, : len(read)], torch.tensor(read, dtype=torch.int64), lost)

    def _batch(self, images: Tensor, indices: Tensor, lost: tuple[Unreadable, ...]) -> Batch:
        if torch.device(self.device).type == "cuda":
            images = images.pin_memory()
        return Batch(indices, images, self.labels[indices], lost).to(self.device)


_Filled = tuple[int, list[int], tuple[Unreadable, ...]]
"""The room that a batch was put in, the images in it, and those that cannot be read."""


class _Decoded(Dataset[_Filled]):
    """What a worker does with the indices of a batch, and with the room that it gets.

    The rooms are used again and again: pages that are new to a process cost more than all else that is done to a
    decoded image.
    """

    def __init__(self, files: ImageFiles, view: View, rooms: Tensor) -> None:
        self.files, self.view, self.rooms = files, view, rooms

    def __getitem__(self, task: tuple[int, list[int]]) -> _Filled:
        room, indices = task
        read: list[int] = []
        lost: list[Unreadable] = []
        with warnings.catch_warnings(action="ignore"):  # Pillow's, of broken EXIF data: no pixel depends on it
            for index in indices:
                name = self.files.names[index]
                try:
                    image = read_image(self.files.folder / name)
                except CannotDecode as error:
                    lost.append(Unreadable(index, name, str(error)))
                else:
                    self.rooms[room, len(read)] = self.view(image, index)
                    read.append(index)
        return room, read, tuple(lost)


def _rooms(memory: mmap.mmap, shape: tuple[int, ...], layout: torch.memory_format) -> Tensor:
    """(rooms, images, 3, size, size) bytes that processes forked from this one see too.

    The memory is not in /dev/shm, which containers keep small.
    """
    flat = torch.frombuffer(memory, dtype=torch.uint8)
    if layout == torch.channels_last:
        rooms, images, channels, height, width = shape
        return flat.view(rooms, images, height, width, channels).permute(0, 1, 4, 2, 3)
    return flat.view(shape)


def _map_pages(memory: mmap.mmap) -> None:
    """All of its pages in this process at once, which costs less than one by one. A Linux before 5.14 cannot."""
    with suppress(OSError):
        memory.madvise(_MADV_POPULATE_WRITE)


def _as_it_is(filled: Any) -> Any:
    """In the place of the loader's own way, which makes tensors of all numbers."""
    return filled


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


def _start_worker(memory: mmap.mmap, _: int) -> None:
    """It ends with the process that it decodes for; the signals that it was started deaf to are not touched."""
    die_with_parent()
    _map_pages(memory)


def _random_view(image: Tensor, index: int, *, size: int, seed: int, epoch: int) -> Tensor:
    return inception_crop(image, size, seed=seed, epoch=epoch, index=index)


def _centre_view(image: Tensor, index: int, *, size: int, shorter_side: int) -> Tensor:
    return centre_crop(image, shorter_side, size)
