"""Batches of images filled by worker processes, in rooms of memory that they share with this one."""

from __future__ import annotations

import mmap
import signal
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from aabench.data.batch import Unreadable
from aabench.parent import die_with_parent

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MADV_POPULATE_WRITE = 23

AHEAD = 2
"""Batches that each worker is asked for ahead."""

Extra = TypeVar("Extra")


class Asked(NamedTuple):
    """A batch to be filled.

    Attributes:
        indices: its images, by their positions in the data set.
        canvas: height and width that each of them has room for, in pixels.
    """

    indices: list[int]
    canvas: tuple[int, int]


class Shown(NamedTuple, Generic[Extra]):
    """What is shown of an image.

    Attributes:
        pixels: (3, h, w) uint8, at most as large as the canvas of its batch.
        extra: what goes with them. It travels by a pipe: small, and no tensor.
    """

    pixels: Tensor
    extra: Extra


Show = Callable[[int], Shown[Extra] | Unreadable]
"""What a worker does with the index of an image."""


class Filled(NamedTuple, Generic[Extra]):
    """A batch that was filled.

    Attributes:
        indices: (n,) int64, the images that could be read.
        images: (n, 3, H, W) uint8, each in the upper left corner of its canvas, 0 beyond it. The memory is filled
            again when the next batch is taken.
        extras: n of them.
        unreadable: the images that could not be read.
    """

    indices: Tensor
    images: Tensor
    extras: tuple[Extra, ...]
    unreadable: tuple[Unreadable, ...]


def fill_rooms(
    batches: Sequence[Asked], show: Show[Extra], *, workers: int, layout: torch.memory_format
) -> Generator[Filled[Extra]]:
    """Fill batches one after the other, while those before are being used.

    Args:
        batches: what is asked for.
        show: what of each image is shown; runs in the workers.
        workers: processes. What is in the batches does not depend on their number; 0: this process fills them.
        layout: of the images. That of what ``show`` gives: to change it would cost as much as half of a resizing.
    """
    if not batches:
        return
    workers = min(workers, len(batches))
    # One for each batch that is asked for ahead, and one for the batch that was handed over last.
    count, largest = workers * AHEAD + 1, max(_bytes(len(asked.indices), asked.canvas) for asked in batches)
    memory = mmap.mmap(-1, count * largest)  # not in /dev/shm, which containers keep small
    _map_pages(memory)
    rooms = torch.frombuffer(memory, dtype=torch.uint8).view(count, largest)
    loader = DataLoader(
        _Filling(show, rooms, layout),
        sampler=[(number % count, asked) for number, asked in enumerate(batches)],
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
    for room, canvas, read, extras, lost in filled:
        indices = torch.tensor(read, dtype=torch.int64)
        yield Filled(indices, _canvases(rooms[room], len(read), canvas, layout), extras, lost)


_Message = tuple[int, tuple[int, int], list[int], tuple[Any, ...], tuple[Unreadable, ...]]
"""The room that a batch was put in, its canvas, the images in it, their extras, and those that cannot be read."""


class _Filling(Dataset[_Message]):
    """What a worker does with a batch that is asked for, and with the room that it gets.

    The rooms are used again and again: pages that are new to a process cost more than all else that is done to a
    decoded image.
    """

    def __init__(self, show: Show[Any], rooms: Tensor, layout: torch.memory_format) -> None:
        self.show, self.rooms, self.layout = show, rooms, layout

    def __getitem__(self, task: tuple[int, Asked]) -> _Message:
        room, (indices, canvas) = task
        images = _canvases(self.rooms[room], len(indices), canvas, self.layout)
        read: list[int] = []
        extras: list[Any] = []
        lost: list[Unreadable] = []
        with warnings.catch_warnings(action="ignore"):  # Pillow's, of broken EXIF data: no pixel depends on it
            for index in indices:
                shown = self.show(index)
                if isinstance(shown, Unreadable):
                    lost.append(shown)
                else:
                    _place(shown.pixels, images[len(read)])
                    read.append(index)
                    extras.append(shown.extra)
        return room, canvas, read, tuple(extras), tuple(lost)


def _bytes(images: int, canvas: tuple[int, int]) -> int:
    return images * 3 * canvas[0] * canvas[1]


def _canvases(room: Tensor, images: int, canvas: tuple[int, int], layout: torch.memory_format) -> Tensor:
    """(images, 3, H, W): the beginning of a room."""
    height, width = canvas
    flat = room[: _bytes(images, canvas)]
    if layout == torch.channels_last:
        return flat.view(images, height, width, 3).permute(0, 3, 1, 2)
    return flat.view(images, 3, height, width)


def _place(pixels: Tensor, canvas: Tensor) -> None:
    """In the upper left corner. What another batch left in the rest of the canvas is cleared."""
    height, width = pixels.shape[-2:]
    canvas[:, :height, :width] = pixels
    canvas[:, height:] = 0
    canvas[:, :height, width:] = 0


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
