"""Holding out the first images of each class."""

import pytest
import torch

from aabench.data import ImageSet, hold_out
from aabench.data.imagenet import list_images
from aabench.errors import AABenchError

LABELS = [2, 0, 1, 2, 2, 0, 1, 0, 1, 2]


def images():
    labels = torch.tensor(LABELS)
    shown = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous()
    return ImageSet(images=shown, labels=labels, num_classes=3, source="ten images")


def test_the_first_images_of_each_class_are_held_out():
    rest, held = hold_out(images(), 2)
    assert held.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6]
    assert rest.images[:, 0, 0, 0].tolist() == [4, 7, 8, 9]
    assert held.labels.tolist() == [2, 0, 1, 2, 0, 1]
    assert rest.labels.tolist() == [2, 0, 1, 2]
    assert held.source == "ten images, the first 2 images of each class"
    assert rest.source == "ten images without the first 2 images of each class"


def test_images_in_files_are_held_out_by_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(b"")
    rest, held = hold_out(list_images(tmp_path, ("a", "b"), "files", size=4, shorter_side=4), 1)
    assert held.names == ("a/0.png", "b/0.png")
    assert rest.names == ("a/1.png", "a/2.png", "b/1.png", "b/2.png")
    assert rest.labels.tolist() == [0, 0, 1, 1]


def test_a_class_that_would_be_left_without_images_is_an_error():
    with pytest.raises(AABenchError, match="3 images of each class cannot be held out of ten images: class 0 has 3"):
        hold_out(images(), 3)
