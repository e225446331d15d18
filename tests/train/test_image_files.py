"""Training from image files: the same loop, stopped and resumed with equal bits, unreadable images left out."""

from dataclasses import replace

import pytest

from aabench.data.imagenet import list_images
from aabench.models import registry
from aabench.train import LAST, Interrupted, train
from aabench.train.checkpoint import read_checkpoint
from tests.data.pictures import CLASSES, write_folder
from tests.train.small import DEMANDING, Dropping, plan
from tests.train.test_engine import Recorder, assert_equal_bits

CHANGES = {
    **DEMANDING,
    "input_size": 16,
    "recipe_changes": {**DEMANDING["recipe_changes"], "augmentation": "inception", "batch_size": 4, "lr_batch": 4},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.NETWORKS, "dropping", lambda *, input_size, num_classes: Dropping(num_classes))
    return write_folder(tmp_path / "images")


def run(folder, directory, **changes):
    files = replace(list_images(folder, CLASSES, "pictures", size=16, shorter_side=18), workers=2)
    return train(plan(**CHANGES), train_set=files, test_set=files.first(10), directory=directory, **changes)


def test_stopped_in_mid_epoch_it_ends_bit_identical(folder, tmp_path):
    whole = run(folder, tmp_path / "whole")
    assert (whole.steps, whole.last.images) == (8, 10)
    recorder = Recorder(stop_at=6)
    with pytest.raises(Interrupted):
        run(folder, tmp_path / "parts", progress=recorder, stop=recorder.stop)
    run(folder, tmp_path / "parts", resume=True)
    assert_equal_bits(*(read_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts")))


def test_unreadable_images_are_left_out_and_count_as_wrong(folder, tmp_path):
    (folder / "n1" / "2.JPEG").write_bytes(b"")
    result = run(folder, tmp_path / "run")
    reason = {"n1/2.JPEG": "no image that Pillow knows"}
    assert result.unreadable == result.last.unreadable == reason
    assert result.last.images == 10
    assert not result.last.correct_mask[6]
    assert read_checkpoint(tmp_path / "run" / LAST)["unreadable"] == reason
