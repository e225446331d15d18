"""CIFAR-10 and CIFAR-100, read by torchvision's own classes after each file's md5 was checked against their lists."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torchvision.datasets import CIFAR10, CIFAR100
from torchvision.datasets.utils import download_and_extract_archive

from aabench.data.image_set import ImageSet
from aabench.errors import AABenchError

Cifar = Literal["cifar10", "cifar100"]
Split = Literal["train", "test"]

_CLASSES: dict[Cifar, Any] = {"cifar10": CIFAR10, "cifar100": CIFAR100}
_TITLES: dict[Cifar, str] = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True)
class _Fault:
    path: Path
    expected: str
    found: str | None
    """The md5 of what is there; None if nothing is."""

    def __str__(self) -> str:
        found = "there is no such file" if self.found is None else f"found md5 {self.found}"
        return f"{self.path}: {found}, expected md5 {self.expected}"


def load_cifar(name: Cifar, root: Path, split: Split, download: bool = False) -> ImageSet:
    """Read one split: (N, 3, 32, 32) uint8 images in the data set's order, and their (fine) labels.

    Only the files of that split are needed.

    Args:
        name: ``cifar10`` or ``cifar100``.
        root: the folder that holds ``cifar-10-batches-py`` or ``cifar-100-python``.
        split: ``train`` (50,000 images) or ``test`` (10,000).
        download: fetch the data set into ``root`` if one of the files is missing or corrupt.

    Raises:
        AABenchError: a file is missing or corrupt, or the download failed.
    """
    reader = _reader(name, (split,))
    if download and _faults(reader, root):
        _download(reader, root)
    faults = _faults(reader, root)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise AABenchError(
            f"{faults[0]}{more}; point --data (or AABENCH_DATA) at a folder with the whole of {_TITLES[name]}, "
            "or fetch it with --download"
        )
    read = reader(root, train=split == "train")
    return ImageSet(
        images=torch.from_numpy(read.data).permute(0, 3, 1, 2).contiguous(),
        labels=torch.tensor(read.targets, dtype=torch.int64),
        num_classes=len(read.classes),
        source=f"{_TITLES[name]} {split}",
    )


def check_cifar(name: Cifar, root: Path) -> list[str]:
    """What keeps a data root from being whole: one line for each file of either split that is missing or corrupt."""
    return [str(fault) for fault in _faults(_reader(name, ("train", "test")), root)]


def _reader(name: Cifar, splits: tuple[Split, ...]) -> Any:
    """torchvision's class, asking for the files of these splits only: on its own it insists on both."""
    whole = _CLASSES[name]
    lists = {f"{split}_list": getattr(whole, f"{split}_list") if split in splits else [] for split in ("train", "test")}
    return type(whole.__name__, (whole,), lists)


def _faults(reader: Any, root: Path) -> list[_Fault]:
    wanted = [*reader.train_list, *reader.test_list, (reader.meta["filename"], reader.meta["md5"])]
    files = [(root / reader.base_folder / file, md5) for file, md5 in wanted]
    found = [_Fault(path, expected, _md5(path)) for path, expected in files]
    return [fault for fault in found if fault.found != fault.expected]


def _md5(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise AABenchError(f"cannot read {path} ({error.strerror or error}); make it readable") from error


def _download(reader: Any, root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Not the class's own download, which is content with broken label names.
        download_and_extract_archive(reader.url, root, filename=reader.filename, md5=reader.tgz_md5)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise AABenchError(
            f"cannot download {reader.url} into {root} ({reason}); fetch it elsewhere, unpack it, "
            "and point --data (or AABENCH_DATA) at that folder"
        ) from error
