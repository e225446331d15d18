"""Faster R-CNN with a pyramid: torchvision's, on canvases of this project."""

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList

from aabench.models import create_model
from aabench.models.faster_rcnn import FasterRCNN
from tests.models.detecting import (
    assert_fp32_under_autocast,
    assert_in_order,
    assert_learns_with_and_without_objects,
    gradless,
    nothing,
    small,
    squares,
    total,
    train,
)

NAME = "faster_rcnn_resnet18_fpn"
CANVAS = 64


@pytest.fixture(scope="module")
def pair():
    """Torchvision's network and ours, with equal weights; its transform leaves images of the canvas's size alone."""
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
    )
    transform = {"min_size": CANVAS, "max_size": CANVAS, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    theirs = torchvision.models.detection.FasterRCNN(backbone, num_classes=91, **transform)
    nn.init.normal_(theirs.roi_heads.box_predictor.cls_score.weight, std=0.3)
    own = create_model(NAME, input_size=CANVAS, num_classes=90, norm="batch")
    weights = {name.replace("backbone.fpn.", "pyramid."): value for name, value in theirs.state_dict().items()}
    own.load_state_dict(weights)
    return theirs, own


def test_it_has_torchvisions_parameters():
    def parameters(model):
        return sum(p.numel() for p in model.parameters())

    with torch.device("meta"):
        theirs = torchvision.models.detection.fasterrcnn_resnet50_fpn(weights_backbone=None, num_classes=91)
    own = {
        norm: create_model("faster_rcnn_resnet50_fpn", input_size=64, num_classes=90, device="meta", norm=norm)
        for norm in ("batch", "frozen")
    }
    assert parameters(own["batch"]) == parameters(theirs) == 41_808_406
    # A weight and a bias for each of ResNet-50's 26,560 normalised channels; what is left is torchvision's published
    # number, which is of frozen ones.
    assert parameters(own["frozen"]) == 41_808_406 - 2 * 26_560 == 41_755_286


def test_it_detects_what_torchvision_detects(pair):
    theirs, own = (model.eval() for model in pair)
    images = torch.randn(2, 3, CANVAS, CANVAS)
    with torch.no_grad():
        expected = theirs(list(images))
    detected = own.detect(images, [(CANVAS, CANVAS)] * 2)
    for mine, other in zip(detected, expected, strict=True):
        assert len(mine["boxes"]) > 20
        for name in ("boxes", "scores", "labels"):
            torch.testing.assert_close(mine[name], other[name], rtol=1e-4, atol=1e-4)


def test_its_losses_are_torchvisions(pair):
    theirs, own = (model.train() for model in pair)
    images = torch.randn(2, 3, CANVAS, CANVAS)
    targets = [{"boxes": torch.tensor([[10.0, 20, 40, 60]]), "labels": torch.tensor([90])}, nothing()]
    torch.manual_seed(1)
    expected = theirs(list(images), targets)
    torch.manual_seed(1)
    for _ in images:
        torch.empty(1).uniform_()  # torchvision's transform draws a size for each image
    losses = own.losses(images, [(CANVAS, CANVAS)] * 2, targets)
    names = {"objectness": "loss_objectness", "rpn_box": "loss_rpn_box_reg", "class": "loss_classifier"}
    names["box"] = "loss_box_reg"
    assert losses.keys() == names.keys()
    for name, other in names.items():
        torch.testing.assert_close(losses[name], expected[other], rtol=1e-4, atol=1e-6)


def test_its_loss_falls_on_made_up_squares():
    torch.manual_seed(0)
    model = small(NAME)
    curve = train(model, 15)
    assert curve[-1] < 0.5 * curve[0]


def test_images_without_objects_and_every_parameter_learns():
    torch.manual_seed(0)
    assert_learns_with_and_without_objects(small(NAME), ("box", "rpn_box"))


def test_detections_are_in_order():
    torch.manual_seed(0)
    model = small(NAME)
    nn.init.normal_(model.roi_heads.box_predictor.cls_score.weight, std=0.5)
    assert_in_order(model)


def test_regions_are_pooled_at_the_true_strides_whatever_the_images_sizes():
    """Torchvision would take the largest of the first images for the canvas, and other strides for the maps'."""
    torch.manual_seed(0)
    pool = small(NAME).roi_heads.box_roi_pool
    maps = {str(level): torch.randn(1, 4, 32 // 2**level, 32 // 2**level) for level in range(4)}
    # Anchors of 8 pixels on P2: 7 of them a side is P4's size, from 28 on it is P3's, and so on.
    boxes = [torch.tensor([[5.0, 6, 25, 30], [0, 0, 30, 30], [3, 0, 63, 60], [0, 0, 128, 112]])]
    pooled = pool(maps, boxes, [(50, 128)])
    for index, (level, stride) in enumerate(((0, 4), (1, 8), (2, 16), (3, 32))):
        regions = [boxes[0][index : index + 1]]
        expected = torchvision.ops.roi_align(maps[str(level)], regions, 7, 1 / stride, sampling_ratio=2)
        torch.testing.assert_close(pooled[index : index + 1], expected)


def test_losses_and_boxes_are_fp32_under_autocast():
    torch.manual_seed(0)
    model = small(NAME)
    nn.init.normal_(model.roi_heads.box_predictor.cls_score.weight, std=0.5)
    assert_fp32_under_autocast(model)
    images, sizes, _ = squares(2)
    with torch.autocast("cpu", torch.bfloat16):
        proposals, _ = model.rpn(ImageList(images, sizes), model._features(images))
    assert proposals[0].dtype == torch.float32


@pytest.mark.parametrize(("mode", "regions"), [(False, 1000), (True, 64)])
def test_the_fixed_part_has_as_many_regions_as_there_are_proposals(mode, regions):
    model = create_model(NAME, input_size=96, num_classes=5, width=16, channels=16, regions=64).train(mode)
    assert isinstance(model, FasterRCNN)
    objectness, deltas, logits, moves = model(torch.zeros(2, 3, 96, 128))
    # 24x32, 12x16, 6x8, 3x4 and 2x2 cells, with 3 anchors each.
    anchors = 2 * 3 * (768 + 192 + 48 + 12 + 4)
    assert objectness.shape == (anchors, 1)
    assert deltas.shape == (anchors, 4)
    assert logits.shape == (2 * regions, 6)
    assert moves.shape == (2 * regions, 24)


@pytest.mark.parametrize("name", ["aw_faster_rcnn_resnet18_fpn", "aw_se_faster_rcnn_resnet50_fpn"])
def test_attended_and_gated_backbones_train(name):
    torch.manual_seed(0)
    model = small(name).train()
    torch.autograd.backward(total(model.losses(*squares(2))))
    assert gradless(model) == []
