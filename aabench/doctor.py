"""What is at hand here: versions, devices, memory, the log's place, data sets, and how far each paper can be taken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from aabench.catalog import Catalog, load_catalog
from aabench.catalog.schema import Frozen
from aabench.levels import IMAGENET1000, SPLIT_FILES, TITLES, Level, image_folder, reachable
from aabench.places import COCO_IMAGES, COCO_SPLITS, coco_files
from aabench.record import fingerprint

PACKAGES = ("fvcore", "matplotlib", "numpy", "pandas", "pydantic", "rich", "scipy", "torch", "torchvision", "typer")
"""What aabench is built on."""

State = Literal["whole", "partial", "corrupt", "absent"]


class Gpu(Frozen):
    """A CUDA device."""

    name: str
    memory_bytes: int


class Devices(Frozen):
    """What models can run on besides the CPU."""

    cuda: tuple[Gpu, ...]
    no_cuda: str | None
    """Why there is no CUDA device."""


class Memory(Frozen):
    """The machine's main memory, in bytes; None where the system does not tell."""

    total: int | None
    available: int | None


class LogPlace(Frozen):
    """Where measurements would be logged."""

    path: str
    fault: str | None
    """Why it cannot be written; None if it can."""
    free_bytes: int
    """Disk space left there."""


class DataSet(Frozen):
    """One data set of a data root."""

    name: str
    state: State
    detail: str


class Root(Frozen):
    """A data root that was given."""

    path: str
    fault: str | None
    """Why there is nothing to look at; None for a folder."""
    sets: tuple[DataSet, ...]

    @property
    def unusable(self) -> bool:
        """Whether it is no folder, or some file in it is not what it should be."""
        return self.fault is not None or any(found.state == "corrupt" for found in self.sets)


class Group(Frozen):
    """Tasks of one paper that can be taken equally far."""

    paper: str
    level: Level | None
    """The highest level within reach; None for blocked tasks."""
    on: str | None
    """What a smoke run would train on: real CIFAR-100 or its synthetic stand-in; None where smoke is not the level."""
    next: Level | None
    missing: str | None
    """What the next level needs."""
    tasks: tuple[str, ...]


class Examination(Frozen):
    """All that the doctor found."""

    environment: dict[str, Any]
    """The fingerprint that every row of the log carries."""
    packages: dict[str, str | None]
    """Version of each package that aabench is built on; None for one that is not installed."""
    devices: Devices
    memory: Memory
    log: LogPlace
    root: Root | None
    """None: no data root was given."""
    reach: tuple[Group, ...]


def examine(data: Path | None, log: Path) -> Examination:
    """Find out what is at hand. Reads every CIFAR file of the data root once, for its md5; changes nothing.

    Args:
        data: the data root, or None without one.
        log: where measurements would be logged.
    """
    catalog = load_catalog()
    devices = _devices()  # imports torch, so that the fingerprint tells its threads and devices
    return Examination(
        environment=fingerprint(),
        packages={name: _version(name) for name in PACKAGES},
        devices=devices,
        memory=_memory(Path("/proc/meminfo")),
        log=_log_place(log),
        root=None if data is None else _root(data, catalog),
        reach=_reach(catalog, data, "cuda" if devices.cuda else "cpu"),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Devices:
    import torch

    if torch.version.cuda is None:
        return Devices(cuda=(), no_cuda=f"torch {torch.__version__} is built without CUDA")
    try:
        torch.empty(0, device="cuda")  # unlike is_available(), it says why not
    except RuntimeError as error:
        return Devices(cuda=(), no_cuda=str(error).partition(". ")[0])
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return Devices(cuda=tuple(Gpu(name=gpu.name, memory_bytes=gpu.total_memory) for gpu in found), no_cuda=None)


def _memory(meminfo: Path) -> Memory:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return Memory(total=None, available=None)
    kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    total, available = (kibibytes.get(name) for name in ("MemTotal", "MemAvailable"))
    return Memory(total=total and total * 1024, available=available and available * 1024)


def _log_place(log: Path) -> LogPlace:
    """Looks only: neither the log nor its folder is made."""
    there = next(path for path in (log.absolute(), *log.absolute().parents) if path.exists())
    if log.is_dir():
        fault = "is a folder; give a file"
    elif there != log.absolute() and not there.is_dir():
        fault = f"{there} is not a folder"
    elif not os.access(there, os.W_OK):
        fault = f"{there} cannot be written"
    else:
        fault = None
    return LogPlace(path=str(log), fault=fault, free_bytes=shutil.disk_usage(there).free)


def _root(root: Path, catalog: Catalog) -> Root:
    if not root.is_dir():
        return Root(path=str(root), fault="is not a folder" if root.exists() else "is not there", sets=())
    return Root(path=str(root), fault=None, sets=tuple(_data_sets(root, catalog)))


def _data_sets(root: Path, catalog: Catalog) -> Iterator[DataSet]:
    yield _cifar(root, "cifar100")
    yield _cifar(root, "cifar10")
    yield _imagenet("ImageNet train", image_folder("imagenet", "train", root), "train")
    yield _imagenet("ImageNet val", image_folder("imagenet", "test", root), "val")
    yield _imagenet("ImageNet (imagenet1000/val)", root / IMAGENET1000, "val")
    yield _coco(root)
    yield _checkpoints(root, catalog)


def _cifar(root: Path, name: Literal["cifar10", "cifar100"]) -> DataSet:
    """Whole, or the splits that are there; a file with another md5 than torchvision's list makes it corrupt."""
    from aabench.data.cifar import check_cifar

    lacking = {
        split: [file for file in files if not (root / file).is_file()] for split, files in SPLIT_FILES[name].items()
    }
    absent = {file for files in lacking.values() for file in files}
    title = TITLES[name]
    if absent >= {file for files in SPLIT_FILES[name].values() for file in files}:
        return DataSet(name=title, state="absent", detail=f"no file of it below {root}")
    corrupt = [
        fault for fault in check_cifar(name, root) if not any(fault.startswith(f"{root / file}:") for file in absent)
    ]
    if corrupt:
        return DataSet(name=title, state="corrupt", detail="; ".join(corrupt))
    there = " and ".join(split for split, files in lacking.items() if not files)
    if absent:
        detail = f"{there or 'no'} split only: {min(absent)} is not there"
        return DataSet(name=title, state="partial", detail=detail)
    return DataSet(name=title, state="whole", detail=f"{there}, every md5 as published")


def _imagenet(name: str, folder: Path, split: Literal["train", "val"]) -> DataSet:
    """Counts classes and images, as the loader sees them; none is read."""
    from aabench.data.imagenet import IMAGES, synsets, visible_files

    try:
        classes = visible_files(folder) if folder.is_dir() else {}
    except OSError as error:
        return DataSet(name=name, state="corrupt", detail=f"cannot read {error.filename}: {error.strerror}")
    images, full = sum(len(files) for files in classes.values()), (len(synsets()), IMAGES[split])
    if not images:
        return DataSet(name=name, state="absent", detail=f"no image below {folder}")
    whole = (len(classes), images) == full
    return DataSet(
        name=name,
        state="whole" if whole else "partial",
        detail=f"{len(classes):,} classes, {images:,} images"
        + ("" if whole else "; all of it is {:,} and {:,}: no paper's accuracy".format(*full)),
    )


def _coco(root: Path) -> DataSet:
    """Counts the images of each split whose annotation file is there."""
    found = [coco_files(split, root) for split in COCO_SPLITS]
    counts = {
        folder.name: sum(1 for _ in folder.iterdir())
        for folder, annotations in found
        if folder.is_dir() and annotations.is_file()
    }
    if not counts:
        return DataSet(name=TITLES["coco"], state="absent", detail=f"no annotated split below {found[0][0].parent}")
    whole = {name: COCO_IMAGES[split] for split, name in COCO_SPLITS.items()}
    detail = ", ".join(f"{split} {count:,} of {whole[split]:,} images" for split, count in counts.items())
    return DataSet(name=TITLES["coco"], state="whole" if counts == whole else "partial", detail=detail)


def _checkpoints(root: Path, catalog: Catalog) -> DataSet:
    """The published weights that tasks name."""
    wanted = sorted({task.checkpoint for task in catalog.tasks.values() if task.checkpoint is not None})
    absent = [file for file in wanted if not (root / file).is_file()]
    state: State = "whole" if not absent else "absent" if absent == wanted else "partial"
    detail = f"{len(wanted) - len(absent)} of the {len(wanted)} files that tasks name"
    return DataSet(name="checkpoints", state=state, detail=detail + (f"; no {absent[0]}" if absent else ""))


def _reach(catalog: Catalog, data: Path | None, device: str) -> tuple[Group, ...]:
    groups: dict[tuple[str, Level | None, str | None, Level | None, str | None], list[str]] = {}
    for task in catalog.tasks.values():
        reach = reachable(task, data_root=data, device=device)
        on = ("CIFAR-100" if reach.real_smoke else "synthetic images") if reach.level == "smoke" else None
        following, missing = reach.next or (None, None)
        if reach.level is None:
            # One group for all that lack the same thing: the reason may name the task.
            following, missing = None, reach.missing["structure"].replace(task.name, "TASK")
        groups.setdefault((task.paper, reach.level, on, following, missing), []).append(task.name)
    return tuple(
        Group(paper=paper, level=level, on=on, next=following, missing=missing, tasks=tuple(tasks))
        for (paper, level, on, following, missing), tasks in groups.items()
    )
