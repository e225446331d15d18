"""The stand-in for COCO: the same format, repeatable, its boxes where its patches are."""

import json

import pytest
import torch

from aabench.data import load_coco, write_synthetic_coco
from aabench.data.decode import read_image
from aabench.places import coco_files

COLOURS = torch.tensor([[210, 60, 60], [60, 180, 60], [70, 80, 220]])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    write_synthetic_coco(folder, train=12, val=5)
    return folder


def test_it_has_cocos_format(root):
    train, val = (load_coco(root, split, size=128, framing="square") for split in ("train", "test"))
    assert (train.image_ids, val.image_ids) == (tuple(range(1, 13)), tuple(range(13, 18)))
    assert train.faults == val.faults == ()
    counts = [len(train.target(index)["boxes"]) for index in range(12)]
    assert set(counts[1:]) <= {2, 3, 4}
    crowds = [entry["image_id"] for entry in train.ground_truth()["annotations"] if entry["iscrowd"]]
    assert crowds == [1]
    assert [len(val.target(index)["boxes"]) == 0 for index in range(5)] == [False] * 4 + [True]
    assert sum(len(batch.indices) for batch in train.once(4)) == 12


def test_a_patch_is_of_the_colour_of_its_class_and_nothing_else_is(root):
    data = load_coco(root, "train", size=128, framing="square")
    folder, _ = coco_files("train", root)
    seen = set()
    for index in range(1, 12):
        image, target = read_image(folder / data.names[index]).float(), data.target(index)
        covered = torch.zeros(128, 128, dtype=torch.bool)
        for box, label in zip(target["boxes"].int().tolist(), target["labels"].tolist(), strict=True):
            x1, y1, x2, y2 = box
            assert 24 <= x2 - x1 <= 64
            assert 24 <= y2 - y1 <= 64
            colour = image[:, y1:y2, x1:x2].flatten(1).median(1).values
            assert (COLOURS - colour).abs().sum(1).argmin() == label - 1
            covered[y1:y2, x1:x2] = True
            seen.add(label)
        background = image[:, ~covered]
        assert (background.mean(1).max() - background.mean(1).min()) < 12, "the background is grey"
    assert seen == {1, 2, 3}


def test_equal_arguments_give_equal_files(root, tmp_path):
    write_synthetic_coco(tmp_path / "again", train=12, val=5)
    write_synthetic_coco(tmp_path / "other", train=12, val=5, seed=1)
    for split in ("train", "test"):
        (folder, annotations), (again, same), (_, others) = (
            coco_files(split, place) for place in (root, tmp_path / "again", tmp_path / "other")
        )
        assert same.read_bytes() == annotations.read_bytes()
        assert others.read_bytes() != annotations.read_bytes()
        for file in folder.iterdir():
            assert (again / file.name).read_bytes() == file.read_bytes()
    boxes = [entry["bbox"] for entry in json.loads(annotations.read_text())["annotations"]]
    train = [entry["bbox"] for entry in json.loads(coco_files("train", root)[1].read_text())["annotations"]]
    assert not any(box in train for box in boxes), "the splits show other images"
