"""COCO's files as batches: the bundle's, and made-up ones."""

import json
import os
from dataclasses import replace

import pytest
import torch
from torchvision import datasets

from aabench.data import CanvasTransform, load_coco
from aabench.data.batch import reading
from aabench.data.coco import grouped
from aabench.data.decode import read_image
from aabench.data.detection import DetectionBatch
from aabench.errors import AABenchError
from aabench.levels import missing_split
from aabench.places import coco_files
from tests.data.coco_sets import annotation, image, repaint, write_coco

SPLITS = ["train", "test"]


def kept(batches):
    """All of them, with images of their own: a batch's are valid until the next one is taken."""
    return [batch._replace(images=batch.images.clone()) for batch in batches]


def same(ours, theirs):
    assert torch.equal(ours.indices, theirs.indices)
    assert torch.equal(ours.images, theirs.images)
    assert (ours.sizes, ours.originals) == (theirs.sizes, theirs.originals)
    for one, other in zip(ours.targets, theirs.targets, strict=True):
        assert torch.equal(one["boxes"], other["boxes"])
        assert torch.equal(one["labels"], other["labels"])


@pytest.fixture
def mixed(tmp_path):
    """Six wide images, five high ones, each with an object; sizes differ."""
    images = [image(number, 64 + number, 48) for number in range(1, 7)]
    images += [image(number, 40, 50 + number) for number in range(7, 12)]
    return write_coco(tmp_path, images, [annotation(number, number, [2, 3, 30, 20], 90) for number in range(1, 12)])


def load(root, split="train", framing="shorter-side", size=48, workers=0):
    return replace(load_coco(root, split, size=size, framing=framing), workers=workers)


# --- the bundle


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("split", SPLITS)
def test_torchvision_reads_the_same_images_and_boxes(data_root, split, capsys):
    folder, annotations = coco_files(split, data_root)
    theirs = datasets.wrap_dataset_for_transforms_v2(datasets.CocoDetection(folder, annotations))
    crowds = {entry["image_id"] for entry in json.loads(annotations.read_text())["annotations"] if entry["iscrowd"]}
    ours = load(data_root, split)
    assert sorted(ours.image_ids) == theirs.ids
    for index, image_id in enumerate(ours.image_ids):
        pixels, target = theirs[theirs.ids.index(image_id)]
        assert ours.originals[index] == (pixels.height, pixels.width)
        boxes, labels = target.get("boxes", torch.zeros(0, 4)), target.get("labels", torch.zeros(0))
        if image_id not in crowds:  # which torchvision takes for objects
            torch.testing.assert_close(ours.target(index)["boxes"], boxes.as_subclass(torch.Tensor), atol=1e-3, rtol=0)
            assert ours.target(index)["labels"].tolist() == labels.tolist()
        else:
            assert len(labels) - len(ours.target(index)["labels"]) > 0


@pytest.mark.data
@pytest.mark.parametrize(
    # data/README.md: crowd boxes and images without objects occur. Objects are those that are no crowd.
    ("split", "objects", "empty"),
    [("train", 465, {262284}), ("test", 377, {226111, 58636})],
)
def test_the_bundle_is_read_whole(data_root, split, objects, empty):
    data = load(data_root, split, "square", size=64, workers=2)
    batches = kept(data.once(8))
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(50))
    targets = [target for batch in batches for target in batch.targets]
    assert sum(len(target["labels"]) for target in targets) == objects
    assert empty <= {number for number, target in zip(data.image_ids, targets, strict=True) if not len(target["boxes"])}
    assert data.faults == ()
    truth = data.ground_truth()
    assert sum(entry["iscrowd"] for entry in truth["annotations"]) == 5
    assert len(truth["annotations"]) == objects + 5
    _, annotations = coco_files(split, data_root)
    assert truth["annotations"] == json.loads(annotations.read_text())["annotations"]
    assert missing_split("coco", split, data_root) == []


@pytest.mark.data
def test_augmented_batches_of_the_bundle_are_the_same_whoever_decodes_them(data_root):
    for framing in ("square", "shorter-side"):
        alone = kept(load(data_root, "train", framing, size=96).epoch(3, 1, 8, range(2)))
        assert [len(batch.indices) for batch in alone] == [8, 8]
        for ours, theirs in zip(
            kept(load(data_root, "train", framing, size=96, workers=2).epoch(3, 1, 8, range(2))), alone, strict=True
        ):
            same(ours, theirs)


# --- batches


def test_each_image_once_in_order_on_a_canvas_of_zeros(mixed):
    for workers in (0, 2):
        batches = kept(load(mixed, workers=workers).once(4))
        assert [len(batch.indices) for batch in batches] == [4, 4, 3]
        assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(11))
        # Images 65 to 68 wide and 48 high stay as they are; the canvas has sides of whole 32 pixels.
        assert batches[0].images.shape == (4, 3, 64, 96)
        assert batches[0].sizes == ((48, 65), (48, 66), (48, 67), (48, 68))
        folder, _ = coco_files("train", mixed)
        assert torch.equal(batches[0].images[0, :, :48, :65], read_image(folder / "1.jpg"))
        for batch in batches:
            for pixels, (height, width) in zip(batch.images, batch.sizes, strict=True):
                assert pixels[:, height:].count_nonzero() == 0
                assert pixels[:, :, width:].count_nonzero() == 0
        assert batches[0].targets[0]["boxes"].tolist() == [[2, 3, 32, 23]]
        assert batches[0].targets[0]["labels"].tolist() == [90]


def test_boxes_are_in_pixels_of_the_canvas(mixed):
    batch = next(load(mixed, size=96).once(1))
    # 48 x 65 becomes 96 x 130.
    assert (batch.sizes, batch.originals) == (((96, 130),), ((48, 65),))
    assert batch.targets[0]["boxes"].tolist() == [[4, 6, 64, 46]]


@pytest.mark.parametrize("framing", ["square", "shorter-side"])
def test_the_middle_of_an_epoch_is_the_same_whoever_decodes_it(mixed, framing):
    whole = kept(load(mixed, framing=framing).epoch(3, 1, 2, range(5)))
    before = torch.get_rng_state()
    rest = kept(load(mixed, framing=framing, workers=2).epoch(3, 1, 2, range(2, 5)))
    assert torch.equal(torch.get_rng_state(), before)
    for ours, theirs in zip(rest, whole[2:], strict=True):
        same(ours, theirs)
    shown = torch.cat([batch.indices for batch in whole]).tolist()
    assert len(set(shown)) == 10
    other = kept(load(mixed, framing=framing).epoch(3, 2, 2, range(5)))
    assert torch.cat([batch.indices for batch in other]).tolist() != shown


def test_wide_and_high_images_do_not_meet_in_training(mixed):
    batches = list(load(mixed).epoch(0, 0, 3, range(3)))
    kinds = [{width >= height for height, width in batch.sizes} for batch in batches]
    assert kinds.count({True}) == 2  # six wide images
    assert kinds.count({False}) == 1  # three of the five high ones


def test_what_is_left_over_of_both_kinds_comes_last():
    # T and F in turn: 1 and 2 are full first; 7 (T) and 6 (F) are left over, in their order.
    order, kinds = [5, 9, 8, 4, 7, 6], [True, True, False, False, True, False]
    assert grouped(order, kinds, 2) == [[5, 9], [8, 4], [7, 6]]
    assert grouped([1, 2, 3], [True, False, True], 4) == [[1, 2, 3]]


def test_unreadable_images_are_named_with_their_ids(mixed):
    folder, _ = coco_files("train", mixed)
    (folder / "2.jpg").write_bytes(b"no image")
    repaint(folder / "3.jpg", 30, 20)
    for workers in (0, 2):
        batch = next(load(mixed, workers=workers).once(4))
        assert batch.indices.tolist() == [0, 3]
        assert batch.sizes == ((48, 65), (48, 68))
        assert [tuple(lost) for lost in batch.unreadable] == [
            (1, "2.jpg", "image id 2: no image that Pillow knows"),
            (2, "3.jpg", "image id 3: 30 x 20 pixels; instances_train2017.json says 67 x 48"),
        ]


def test_a_batch_of_which_nothing_can_be_read(mixed):
    folder, _ = coco_files("train", mixed)
    (folder / "1.jpg").write_bytes(b"no image")
    batch = next(load(mixed).once(1))
    assert batch.images.shape == (0, 3, 64, 96)
    with pytest.raises(AABenchError, match=r"the first being 1.jpg \(image id 1: no image that Pillow knows\)"):
        batch.require_images()


def test_a_worker_that_dies_is_one_line(mixed, monkeypatch):
    monkeypatch.setattr("aabench.data.coco.read_image", lambda path: os._exit(1))
    with (
        pytest.raises(AABenchError, match=r"a process that decodes images died .*take a smaller batch"),
        reading(load(mixed, workers=2).once(4)) as batches,
    ):
        list(batches)


def test_some_of_the_images(mixed):
    data = load(mixed)
    few = data.first(2)
    assert (few.image_ids, few.source) == ((1, 2), "COCO train2017, first 2 of 11 images")
    last = data.chosen(torch.tensor([10, 0]), "two")
    assert (last.image_ids, last.names, last.source) == ((11, 1), ("11.jpg", "1.jpg"), "two")
    batch = next(last.once(2))
    assert batch.originals == ((61, 40), (48, 65))
    assert data.first(11) is data


def test_what_the_framing_is_called(mixed):
    assert (load(mixed).augmentation, load(mixed).num_classes) == ("flip", 90)
    assert load(mixed, framing="square").augmentation == "scale-jitter"
    (mixed / "coco" / "train2017").rename(mixed / "coco" / "val2017")
    names = mixed / "coco" / "annotations"
    (names / "instances_train2017.json").rename(names / "instances_val2017.json")
    assert load(mixed, "test", size=800).source == "COCO val2017, shorter side 800, longer at most 1333"
    assert load(mixed, "test", "square", size=640).source == "COCO val2017, longer side 640"


# --- where it lies


def test_what_is_missing_of_coco(tmp_path):
    assert missing_split("coco", "test", tmp_path) == [f"the COCO test split ({tmp_path}/coco/val2017 is not there)"]
    root = write_coco(tmp_path, [], [], split="val2017")
    assert missing_split("coco", "test", root) == []
    (root / "coco" / "annotations" / "instances_val2017.json").unlink()
    assert missing_split("coco", "test", root) == [
        f"the COCO test split ({root}/coco/annotations/instances_val2017.json is not there)"
    ]


# --- normalisation


def test_beyond_an_image_lies_the_mean_colour():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, :, :3, :2] = 255
    batch = DetectionBatch(torch.arange(2), images, ((3, 2), (4, 4)), ((3, 2), (4, 4)), ({}, {}))
    small, full = CanvasTransform("imagenet")(batch)
    # (1 - mean) / std and -mean / std of red: 0.485 and 0.229.
    assert small[0, :3, :2].unique().tolist() == pytest.approx([2.248908], abs=1e-5)
    assert full[0].unique().tolist() == pytest.approx([-2.117904], abs=1e-5)
    assert small[:, 3:].count_nonzero() == small[:, :, 2:].count_nonzero() == 0
    assert images[0, 0, 0, 0] == 255, "the batch is left as it was"
