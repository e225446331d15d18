"""CocoFiles: images with boxes in COCO's format, decoded in worker processes while the network works."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from aabench.catalog.schema import Framing
from aabench.cores import usable_cores
from aabench.data.batch import Unreadable
from aabench.data.coco_annotations import CATEGORIES, annotations_of, read_content
from aabench.data.coco_content import Content
from aabench.data.coco_targets import Objects, learnt_objects
from aabench.data.decode import CannotDecode, read_image
from aabench.data.detection import DetectionBatch
from aabench.data.detection_views import Frame, View
from aabench.data.epoch import draw_epoch
from aabench.data.rooms import Asked, Filled, Shown, fill_rooms
from aabench.places import coco_files
from aabench.terms import Size, Target

_Change = Callable[[View, int], View]
"""(an image with its boxes, its index) -> what of it is shown."""


class _Framed(NamedTuple):
    """What goes with the pixels of an image. Arrays: tensors would travel by files in /dev/shm."""

    size: Size
    original: Size
    boxes: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True)
class CocoFiles:
    """Images in files, with their objects from an annotation file.

    Attributes:
        folder: where the images lie.
        annotations: the annotation file.
        categories: ids, as in the file: some of 1 to 90.
        image_ids: N ids, likewise.
        names: N files in the folder.
        originals: N heights and widths, of the files.
        objects: of all images of the file.
        rows: (N,) int64, which of the file's images these are.
        source: what it is, in words; rows of the log carry it.
        frame: how images are framed.
        workers: processes that decode. Which images they give does not depend on it.
        device: where batches are wanted.
    """

    folder: Path
    annotations: Path
    categories: tuple[int, ...]
    image_ids: tuple[int, ...]
    names: tuple[str, ...]
    originals: tuple[Size, ...]
    objects: Objects
    rows: Tensor
    source: str
    frame: Frame
    workers: int
    device: torch.device | str = "cpu"
    num_classes: ClassVar[int] = CATEGORIES

    def __len__(self) -> int:
        return len(self.names)

    @property
    def augmentation(self) -> str:
        """How :meth:`epoch` changes images: a recipe's ``augmentation``."""
        return "scale-jitter" if self.frame.framing == "square" else "flip"

    @property
    def faults(self) -> tuple[str, ...]:
        """The annotations of these images that are no targets or not as in the file, and why.

        Crowds are, where their boxes are without area or go beyond the image.
        """
        ids = set(self.image_ids)
        return tuple(fault for image, fault in self.objects.faults if image in ids)

    def ground_truth(self) -> Content:
        """COCO's annotations of just these images, crowd boxes and all, for the evaluator.

        Read from the file each time: to hold them would take more memory than all else here.

        Raises:
            AABenchError: the file cannot be read any more.
        """
        return annotations_of(self.annotations, self.image_ids)

    def chosen(self, indices: Tensor, source: str) -> CocoFiles:
        """The images at these positions, in this order, under another name."""
        places = indices.tolist()
        return replace(
            self,
            image_ids=tuple(self.image_ids[place] for place in places),
            names=tuple(self.names[place] for place in places),
            originals=tuple(self.originals[place] for place in places),
            rows=self.rows[indices],
            source=source,
        )

    def first(self, count: int) -> CocoFiles:
        """The first ``count`` images (all, if there are fewer); ``source`` says so."""
        if count >= len(self):
            return self
        return self.chosen(torch.arange(count), f"{self.source}, first {count} of {len(self)} images")

    def to(self, device: torch.device | str) -> CocoFiles:
        """The same files, giving batches on a device."""
        return replace(self, device=device)

    def epoch(self, seed: int, epoch: int, batch_size: int, steps: range) -> Generator[DetectionBatch]:
        """Batches ``steps`` (from 0) of an epoch's whole batches; what is drawn depends on (seed, epoch) alone.

        Framed by the shorter side, the images of a batch are all wider than high or all higher than wide, as far as
        they can be: what is left over is the last batch.
        """
        order = draw_epoch(seed, epoch, len(self)).order.tolist()
        if self.frame.framing == "shorter-side":
            wide = [self.originals[index][1] >= self.originals[index][0] for index in order]
            batches = grouped(order, wide, batch_size)
        else:
            batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        change = partial(_drawn, frame=self.frame, seed=seed, epoch=epoch)
        return self._stream([batches[step] for step in steps], change)

    def once(self, batch_size: int) -> Generator[DetectionBatch]:
        """Each whole image exactly once, in order; the last batch may be smaller."""
        batches = [indices.tolist() for indices in torch.split(torch.arange(len(self)), batch_size)]
        return self._stream(batches, partial(_whole, frame=self.frame))

    def target(self, index: int) -> Target:
        """The objects of an image, in pixels of its file."""
        begin, end = self.objects.spans[self.rows[index]].tolist()
        return {"boxes": self.objects.boxes[begin:end], "labels": self.objects.labels[begin:end]}

    def _stream(self, batches: Sequence[list[int]], change: _Change) -> Generator[DetectionBatch]:
        """On the CPU a batch's images are valid until the next batch is taken: its room is filled again then."""
        asked = [Asked(indices, self.frame.canvas([self.originals[index] for index in indices])) for indices in batches]
        show = partial(self._show, change=change)
        for filled in fill_rooms(asked, show, workers=self.workers, layout=torch.channels_last):
            yield self._batch(filled)

    def _show(self, index: int, change: _Change) -> Shown[_Framed] | Unreadable:
        try:
            pixels = read_image(self.folder / self.names[index])
        except CannotDecode as error:
            return self._unreadable(index, str(error))
        image = View(pixels, **self.target(index))
        if image.size != self.originals[index]:
            (height, width), (wanted_height, wanted_width) = image.size, self.originals[index]
            return self._unreadable(
                index, f"{width} x {height} pixels; {self.annotations.name} says {wanted_width} x {wanted_height}"
            )
        view = change(image, index)
        return Shown(view.pixels, _Framed(view.size, image.size, view.boxes.numpy(), view.labels.numpy()))

    def _unreadable(self, index: int, reason: str) -> Unreadable:
        return Unreadable(index, self.names[index], f"image id {self.image_ids[index]}: {reason}")

    def _batch(self, filled: Filled[_Framed]) -> DetectionBatch:
        images = filled.images
        if torch.device(self.device).type == "cuda":
            images = images.pin_memory()
        return DetectionBatch(
            indices=filled.indices,
            images=images,
            sizes=tuple(framed.size for framed in filled.extras),
            originals=tuple(framed.original for framed in filled.extras),
            targets=tuple(
                {"boxes": torch.tensor(framed.boxes), "labels": torch.tensor(framed.labels)} for framed in filled.extras
            ),
            unreadable=filled.unreadable,
        ).to(self.device)


def load_coco(data_root: Path, split: Literal["train", "test"], *, size: int, framing: Framing) -> CocoFiles:
    """Read and check the annotations of one split; images are read when they are needed.

    All images stay, those without objects too, in the order of the file.

    Args:
        data_root: where COCO lies: see :func:`~aabench.places.coco_files`.
        split: which of its splits.
        size: side of the square, or what an image's shorter side becomes, in pixels.
        framing: how images are framed.

    Raises:
        AABenchError: images or annotations cannot be read, or the annotations are not in COCO's format, or do not fit
            together or to the images, or nothing can be judged by those of the test split: see
            :func:`~aabench.data.coco_annotations.read_content`.
    """
    folder, annotations = coco_files(split, data_root)
    content = read_content(annotations, folder, judged=split == "test")
    images, frame = content["images"], Frame(framing, size)
    shown = f"longer side {size}" if framing == "square" else f"shorter side {size}, longer at most {frame.longest}"
    return CocoFiles(
        folder=folder,
        annotations=annotations,
        categories=tuple(category["id"] for category in content["categories"]),
        image_ids=tuple(image["id"] for image in images),
        names=tuple(image["file_name"] for image in images),
        originals=tuple((image["height"], image["width"]) for image in images),
        objects=learnt_objects(content),
        rows=torch.arange(len(images)),
        source=f"COCO {folder.name}" + (f", {shown}" if split == "test" else ""),
        frame=frame,
        workers=usable_cores(),
    )


def grouped(order: Sequence[int], kinds: Sequence[bool], batch_size: int) -> list[list[int]]:
    """Batches of one kind each, in the order in which they become full; what is left over of both kinds comes last.

    Args:
        order: images.
        kinds: of each of them.
        batch_size: images of a batch; the last one may be smaller.
    """
    batches: list[list[int]] = []
    waiting: dict[bool, list[int]] = {False: [], True: []}
    for index, kind in zip(order, kinds, strict=True):
        waiting[kind].append(index)
        if len(waiting[kind]) == batch_size:
            batches.append(waiting[kind])
            waiting[kind] = []
    left = {*waiting[True], *waiting[False]}
    rest = [index for index in order if index in left]
    return batches + [rest[start : start + batch_size] for start in range(0, len(rest), batch_size)]


def _drawn(image: View, index: int, *, frame: Frame, seed: int, epoch: int) -> View:
    return frame.drawn(image, seed=seed, epoch=epoch, index=index)


def _whole(image: View, _: int, *, frame: Frame) -> View:
    return frame.whole(image)
