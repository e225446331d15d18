"""Images from files, decoded and cropped by two workers, against two processes that do that and nothing else."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from aabench.data import load_imagenet
from tests.bench.interleave import interleave

WORKERS = 2
BATCH = 250
"""About that of the recipes; divides the images into an even number of batches."""
REPEATS = 8
CROPS = {
    "training": v2.Compose([v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]),
    "evaluation": v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224)]),
}


def decode_and_crop(folder: Path, names: tuple[str, ...], crop: v2.Compose) -> None:
    """One process's half of the work: nothing is collected or handed over."""
    torch.set_num_threads(1)
    for name in names:
        with Image.open(folder / name) as image:
            crop(v2.functional.pil_to_tensor(image.convert("RGB")))


@pytest.mark.data
@pytest.mark.parametrize("mode", CROPS)
def test_the_loader_against_a_bare_loop(benchmark, data_root, mode):
    folder = data_root / "imagenet1000" / "val"
    files = replace(load_imagenet(folder, "val", size=224, shorter_side=256), workers=WORKERS)
    # Several times over: the start of the workers, once an epoch, is nothing beside ImageNet's million images.
    files = replace(files, names=files.names * REPEATS, labels=files.labels.repeat(REPEATS))
    epochs = iter(range(100))

    def loader():
        steps = range(len(files) // BATCH)
        batches = files.once(BATCH) if mode == "evaluation" else files.epoch(0, next(epochs), BATCH, steps)
        assert sum(len(batch.labels) for batch in batches) == len(files)

    def bare_loop():
        # Started as the loader starts its workers: torch is imported once, here.
        start = multiprocessing.get_context("fork").Process
        halves = [files.names[number::WORKERS] for number in range(WORKERS)]
        processes = [start(target=decode_and_crop, args=(folder, half, CROPS[mode])) for half in halves]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * WORKERS

    seconds = interleave({"loader": loader, "bare": bare_loop}, rounds=7)
    ratio = seconds["bare"] / seconds["loader"]
    benchmark.extra_info.update(
        workers=WORKERS,
        loader_images_per_second=len(files) / seconds["loader"],
        bare_images_per_second=len(files) / seconds["bare"],
        ratio=ratio,
    )
    benchmark.pedantic(loader, rounds=1)
    assert ratio >= 0.9
