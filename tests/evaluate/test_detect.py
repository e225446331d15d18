"""From a detector to COCO's results: each image once and by itself, finite, of the data set's own categories."""

import json
from itertools import islice

import pytest
import torch
from PIL import Image
from torch import nn

from aabench.data import CanvasTransform, CocoFiles, load_coco, write_synthetic_coco
from aabench.errors import AABenchError
from aabench.evaluate import coco_scores, detect_all, score_detections
from tests.models.detecting import small

TRANSFORM = CanvasTransform("imagenet")
FRAMING = {"retinanet_resnet18": "square", "faster_rcnn_resnet18_fpn": "shorter-side"}


def nothing_found(images, sizes):
    return [{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0)} for _ in sizes]


class FirstTwice(CocoFiles):
    """Shows its first batch in the place of the second, too."""

    def once(self, batch_size):
        for _ in range(2):
            yield next(super().once(batch_size))


class WithoutLast(CocoFiles):
    """Ends before its last image."""

    def once(self, batch_size):
        yield from islice(super().once(batch_size), len(self) - 1)


def test_what_is_taken_for_a_category_that_the_data_set_has_not_is_left_out(tmp_path):
    """The synthetic set has 1, 2 and 3; a detector tells 90."""
    write_synthetic_coco(tmp_path, train=1, val=2)
    data = load_coco(tmp_path, "test", size=64, framing="square")
    assert data.categories == (1, 2, 3)

    def detect(images, sizes):
        boxes = torch.tensor([[1.0, 2.0, 5.0, 10.0]]).repeat(4, 1)
        scores, labels = torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([12, 3, 90, 1])
        return [{"boxes": boxes, "scores": scores, "labels": labels} for _ in sizes]

    found = detect_all(nn.Identity(), data, transform=TRANSFORM, detect=detect)
    assert [(one["image_id"], one["category_id"]) for one in found.results] == [(2, 3), (2, 1), (3, 3), (3, 1)]
    assert found.results[0]["bbox"] == [2, 4, 8, 16]  # from 64 pixels to the file's 128
    scores = score_detections(found, data)
    (tmp_path / "found.json").write_text(json.dumps(found.results))
    assert scores.metrics == coco_scores(data.annotations, tmp_path / "found.json").metrics
    assert (scores.images, scores.results) == (2, 4)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        *((name, "backbone.body.layer1.0.conv1.weight") for name in FRAMING),
        ("retinanet_resnet18", "class_head.predict.bias"),
        ("retinanet_resnet18", "box_head.predict.bias"),
        ("faster_rcnn_resnet18_fpn", "rpn.head.bbox_pred.bias"),
        ("faster_rcnn_resnet18_fpn", "roi_heads.box_predictor.cls_score.bias"),
        ("faster_rcnn_resnet18_fpn", "roi_heads.box_predictor.bbox_pred.bias"),
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_an_error_and_not_an_ap_of_0(tmp_path, name, parameter, value):
    write_synthetic_coco(tmp_path, train=1, val=2)
    data = load_coco(tmp_path, "test", size=64, framing=FRAMING[name])
    model = small(name, 64)
    assert detect_all(model, data, transform=TRANSFORM).unreadable == ()
    model.get_parameter(parameter).data.flatten()[0] = value
    batch = {"square": "2, 3", "shorter-side": "2"}[FRAMING[name]]
    with pytest.raises(AABenchError, match=rf"not finite for the batch of image ids {batch}: its weights are broken"):
        detect_all(model, data, transform=TRANSFORM)


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (FirstTwice, r"of 2 test images, 1 never \(the first: image 1\) and 1 more than once \(the first: image 0\)"),
        (WithoutLast, r"of 2 test images, 1 never \(the first: image 1\)"),
    ],
)
def test_each_image_is_shown_exactly_once(tmp_path, shown, message):
    write_synthetic_coco(tmp_path, train=1, val=2)
    data = load_coco(tmp_path, "test", size=64, framing="shorter-side")
    with pytest.raises(AABenchError, match=message):
        detect_all(nn.Identity(), shown(**vars(data)), transform=TRANSFORM, detect=nothing_found)


def test_a_set_of_which_nothing_can_be_read_has_no_score(tmp_path):
    write_synthetic_coco(tmp_path, train=1, val=2)
    data = load_coco(tmp_path, "test", size=64, framing="square")
    for name in data.names:
        (data.folder / name).write_bytes(b"no image")
    with pytest.raises(AABenchError, match=r"not one of the 2 images of COCO val2017, .* can be read, .*image id 2: "):
        detect_all(nn.Identity(), data, transform=TRANSFORM, detect=nothing_found)


def test_what_is_found_in_an_image_does_not_depend_on_its_neighbours(tmp_path):
    """Not even by the size of their canvas."""
    torch.manual_seed(0)
    write_synthetic_coco(tmp_path, train=1, val=3)
    file = tmp_path / "coco" / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    for image, width in zip(content["images"], (128, 192, 256), strict=True):
        image["width"] = width
        path = tmp_path / "coco" / "val2017" / image["file_name"]
        Image.open(path).resize((width, 128)).save(path)
    file.write_text(json.dumps(content))
    data = load_coco(tmp_path, "test", size=64, framing="shorter-side")
    model = small("faster_rcnn_resnet18_fpn", 64)
    nn.init.normal_(model.roi_heads.box_predictor.cls_score.weight, std=0.5)

    def found(*order):
        return detect_all(model, data.chosen(torch.tensor(order), "chosen"), transform=TRANSFORM).results

    alone = [found(index) for index in range(3)]
    assert min(map(len, alone)) > 5
    for order in ((0, 1, 2), (2, 0, 1)):
        assert found(*order) == [one for index in order for one in alone[index]]
