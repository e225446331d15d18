"""Detectors go through the same engine: plans, curves, checkpoints, interruption."""

import shutil

import pytest
import torch

from aabench.data import CocoFiles, load_coco, write_synthetic_coco
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.train import BEST, LAST, Interrupted, train
from aabench.train.checkpoint import read_checkpoint
from aabench.train.objective import Detection
from aabench.train.state import TrainingState
from tests.train.small import plan
from tests.train.test_engine import Recorder, assert_equal_bits

SIZE = 64
DETECTORS = {
    "retinanet_resnet18": {"width": 8, "channels": 16, "head_convs": 1, "anchor_scale": 2.0},
    "faster_rcnn_resnet18_fpn": {"width": 8, "channels": 16, "regions": 16, "representation": 32, "norm": "batch"},
}
AUGMENTATION = {"retinanet_resnet18": "scale-jitter", "faster_rcnn_resnet18_fpn": "flip"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """12 images to train on and 6 to be scored on."""
    root = tmp_path_factory.mktemp("coco")
    write_synthetic_coco(root, train=12, val=6)
    return root


def chosen(model, **changes):
    recipe = {"batch_size": 4, "lr": 0.01, "augmentation": AUGMENTATION[model], "clip_norm": 10.0}
    recipe |= changes.pop("recipe_changes", {})
    return plan(
        model=model, arguments=DETECTORS[model], input_size=SIZE, num_classes=90, recipe_changes=recipe, **changes
    )


def sets(root, model) -> tuple[CocoFiles, CocoFiles]:
    framing = "square" if model.startswith("retinanet") else "shorter-side"
    return load_coco(root, "train", size=SIZE, framing=framing), load_coco(root, "test", size=SIZE, framing=framing)


def run(root, directory, plan, **how):
    train_set, test_set = sets(root, plan.model)
    return train(plan, train_set=train_set, test_set=test_set, directory=directory, **how)


@pytest.mark.parametrize("model", DETECTORS)
def test_an_epoch_is_a_point_with_ap_and_without_hits(root, tmp_path, model):
    result = run(root, tmp_path, chosen(model))
    assert [(point.epoch, point.step) for point in result.curve] == [(1, 3), (2, 6)]
    for point in result.curve:
        assert (point.train_top1, point.top1, point.top5, point.test_loss) == (None, None, None, None)
        assert 0 <= point.AP <= point.AP50 <= 100
        assert point.train_loss > 0
    assert result.last.images == 6
    assert 100 * result.last.ap == result.curve[-1].AP
    assert result.best.ap == max(point.AP for point in result.curve) / 100


@pytest.mark.parametrize("model", DETECTORS)
@pytest.mark.parametrize("stop_at", [2, 3, 5])
def test_stopped_anywhere_it_finds_the_same_objects_in_the_end(root, tmp_path, model, stop_at):
    one = chosen(model, recipe_changes={"accumulate": 2})
    whole = run(root, tmp_path / "whole", one)
    recorder = Recorder(stop_at=stop_at)
    with pytest.raises(Interrupted):
        run(root, tmp_path / "parts", one, progress=recorder, stop=recorder.stop)
    parts = run(root, tmp_path / "parts", one, resume=True)
    assert parts.last == whole.last
    assert whole.last.digest is not None
    for name in (LAST, BEST):
        assert_equal_bits(read_checkpoint(tmp_path / "whole" / name), read_checkpoint(tmp_path / "parts" / name))


@pytest.mark.parametrize("model", DETECTORS)
def test_micro_batches_share_out_images_sizes_and_objects(root, model):
    train_set, _ = sets(root, model)
    batch = next(train_set.epoch(0, 0, 4, range(1)))
    parts = Detection(chosen(model, recipe_changes={"accumulate": 2})).micro_batches(batch)
    assert [len(part) for part in parts] == [2, 2]
    assert torch.equal(torch.cat([part.images for part in parts]), Detection(chosen(model)).transform(batch))
    assert sum((part.sizes for part in parts), ()) == batch.sizes
    assert all(a is b for a, b in zip(sum((part.targets for part in parts), ()), batch.targets, strict=True))


def test_a_micro_batchs_loss_is_the_sum_of_the_detectors_losses(root):
    one = chosen("retinanet_resnet18")
    train_set, test_set = sets(root, one.model)
    with torch.random.fork_rng():
        state = TrainingState(one, train_set, test_set)
    (part,) = state.objective.micro_batches(next(train_set.epoch(0, 0, 4, range(1))))
    loss, hits = part.loss(state.model.train())
    by_name = state.model.losses(part.images, part.sizes, part.targets)
    assert len(by_name) == 2
    assert loss.item() == pytest.approx(sum(value.item() for value in by_name.values()), rel=1e-6)
    assert hits.item() == 0


def test_an_image_that_cannot_be_read_is_left_out_of_training_and_has_no_detections(root, tmp_path):
    shutil.copytree(root, tmp_path / "root")
    one = chosen("retinanet_resnet18", recipe_changes={"epochs": 1})
    for split in ("train2017", "val2017"):
        first = min((tmp_path / "root" / "coco" / split).iterdir())
        first.write_bytes(b"no image")
    result = run(tmp_path / "root", tmp_path / "run", one)
    assert list(result.unreadable.values()) == ["image id 1: no image that Pillow knows"]
    assert list(result.last.unreadable.values()) == ["image id 13: no image that Pillow knows"]
    assert result.last.images == 6


def test_a_single_image_cannot_normalise_a_level_of_one_cell(root, tmp_path):
    """64 pixels are half a cell of P7."""
    one = chosen("retinanet_resnet18", recipe_changes={"accumulate": 4})
    with pytest.raises(
        AABenchError,
        match=r"a micro-batch of 1 image has a map of one cell, .* a larger input_size, or more images a micro-batch "
        r"\(batch_size 4, accumulate 4\)$",
    ):
        run(root, tmp_path, one)


def test_a_classifiers_recipe_does_not_fit(root, tmp_path):
    with pytest.raises(AABenchError, match="smooths labels: a detector has none to smooth"):
        run(root, tmp_path / "a", chosen("retinanet_resnet18", recipe_changes={"label_smoothing": 0.1}))
    with pytest.raises(AABenchError, match=r"asks for the augmentation 'flip', and COCO .* 'scale-jitter' only"):
        run(root, tmp_path / "b", chosen("retinanet_resnet18", recipe_changes={"augmentation": "flip"}))


def test_a_classifier_cannot_learn_from_boxes(root, tmp_path):
    one = chosen("retinanet_resnet18").model_copy(update={"model": "resnet18", "arguments": {"width": 8}})
    train_set, test_set = sets(root, "retinanet_resnet18")
    with pytest.raises(AABenchError, match=r"resnet18 is a classifier, which cannot learn from COCO train2017; take"):
        train(one, train_set=train_set, test_set=test_set, directory=tmp_path)


def test_the_backbone_starts_from_a_classifiers_checkpoint(root, tmp_path):
    classifier = create_model("resnet18", input_size=32, num_classes=7, width=8)
    file = tmp_path / "classifier.pt"
    torch.save({"model": classifier.state_dict()}, file)
    one = chosen("faster_rcnn_resnet18_fpn", backbone={"file": str(file), "sha256": "0" * 64})
    with torch.random.fork_rng():
        state = TrainingState(one, *sets(root, one.model))
    for name, weight in state.model.backbone.body.state_dict().items():
        assert torch.equal(weight, classifier.state_dict()[name]), name
