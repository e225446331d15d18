"""RetinaNet: what its anchors learn, what it finds, and that it learns it."""

import math

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from aabench.models.anchors import PyramidAnchors
from aabench.models.pyramid import Head, Pyramid
from aabench.models.retinanet import assign
from tests.models.detecting import (
    assert_fp32_under_autocast,
    assert_in_order,
    assert_learns_with_and_without_objects,
    found,
    nothing,
    overlap,
    small,
    squares,
    train,
)

NAME = "retinanet_resnet18"


def test_it_learns_made_up_squares():
    torch.manual_seed(0)
    model = small(NAME)
    assert found(model) < 3
    curve = train(model, 40)
    assert curve[-1] < 0.2 * curve[0]
    assert found(model) >= 7


@pytest.mark.parametrize("canvas", [(128, 128), (130, 201)])
def test_the_levels_and_their_anchors(canvas):
    model = small(NAME).eval()
    logits, deltas = model(torch.zeros(2, 3, *canvas))
    levels = model.anchors.levels(canvas, torch.device("cpu"))
    grids = {
        (128, 128): [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)],
        (130, 201): [(17, 26), (9, 13), (5, 7), (3, 4), (2, 2)],
    }
    assert [len(level) for level in levels] == [6 * rows * columns for rows, columns in grids[canvas]]
    count = sum(map(len, levels))
    assert logits.shape == (2, count, 3)
    assert deltas.shape == (2, count, 4)
    # The last cell of P3: its anchors stand around its corner, 8 pixels a cell, whatever the canvas.
    rows, columns = grids[canvas][0]
    centre = (levels[0][-6:, :2] + levels[0][-6:, 2:]) / 2
    assert (centre == torch.tensor([8.0 * (columns - 1), 8.0 * (rows - 1)])).all()
    sides = levels[0][-6:, 2:] - levels[0][-6:, :2]  # width and height; anchor_scale 2: areas of 16^2 and 2 * 16^2
    assert sides.tolist() == [[22, 12], [32, 16], [16, 16], [22, 22], [12, 22], [16, 32]]


def test_anchors_keep_to_the_cells_where_the_stride_does_not_divide_the_canvas():
    (level,) = PyramidAnchors([(8.0,)], (1.0,), (8,)).levels((8, 250), torch.device("cpu"))
    assert (level[:, 0] + 4).tolist() == [8.0 * column for column in range(32)]


def test_what_anchors_learn_by_hand():
    target = {"boxes": torch.tensor([[0.0, 0, 10, 10], [30, 30, 34, 34]]), "labels": torch.tensor([7, 90])}
    anchors = torch.tensor(
        [
            [0.0, 0, 10, 10],  # is the first object
            [0, 0, 10, 5],  # half of it: just matched
            [0, 0, 10, 4.5],  # 0.45: neither
            [0, 0, 10, 3.9],  # 0.39: background
            [20, 30, 40, 40],  # 16 of 200 with the second, and its best
            [50, 50, 60, 60],  # alone
        ]
    )
    labels, boxes = assign(anchors, target)
    assert labels.tolist() == [7, 7, -1, 0, 90, 0]
    assert boxes[[0, 1, 4]].tolist() == target["boxes"][[0, 0, 1]].tolist()
    assert assign(anchors, nothing()).labels.tolist() == [0] * 6


def test_losses_against_a_loop_by_hand():
    torch.manual_seed(0)
    model = small(NAME, num_classes=3).train()
    images, sizes, targets = squares(2)
    targets = [targets[0], nothing()]
    losses = model.losses(images, sizes, targets)
    logits, deltas = (output.tolist() for output in model(images))
    anchors = torch.cat(model.anchors.levels((128, 128), torch.device("cpu")))
    focal = box = 0.0
    positives = 0
    for image, target in enumerate(targets):
        best = [max((overlap(anchor, each) for anchor in anchors), default=0.0) for each in target["boxes"]]
        for index, anchor in enumerate(anchors):
            shared = [overlap(anchor, each) for each in target["boxes"]]
            k = max(range(len(shared)), key=shared.__getitem__, default=None)
            label = 0
            if k is not None and shared[k] >= 0.4:
                label = int(target["labels"][k]) if shared[k] >= 0.5 else -1
            if any(abs(one - most) < 1e-6 for one, most in zip(shared, best, strict=True)):
                label = int(target["labels"][k])
            if label < 0:
                continue
            for category, logit in enumerate(logits[image][index], start=1):
                p = 1 / (1 + math.exp(-logit))
                focal += -0.25 * (1 - p) ** 2 * math.log(p) if category == label else -0.75 * p**2 * math.log(1 - p)
            if label > 0:
                positives += 1
                x, y, x2, y2 = target["boxes"][k].tolist()
                left, top, right, bottom = anchor.tolist()
                w, h = right - left, bottom - top
                wanted = [((x + x2) - (left + right)) / 2 / w, ((y + y2) - (top + bottom)) / 2 / h]
                wanted += [math.log((x2 - x) / w), math.log((y2 - y) / h)]
                for a, b in zip(deltas[image][index], wanted, strict=True):
                    d = abs(a - b)
                    box += 0.5 * d * d * 9 if d < 1 / 9 else d - 1 / 18
    assert positives > 2
    assert losses["class"].item() == pytest.approx(focal / positives, rel=1e-4)
    assert losses["box"].item() == pytest.approx(box / positives, rel=1e-4)


def test_images_without_objects_and_every_parameter_learns():
    torch.manual_seed(0)
    assert_learns_with_and_without_objects(small(NAME), ("box",))


def test_a_deep_prior_makes_no_great_loss():
    """Classes begin with a probability of 0.01."""
    torch.manual_seed(0)
    logits, _ = small(NAME, num_classes=90).train()(squares(2)[0])
    assert logits.sigmoid().mean().item() == pytest.approx(0.01, rel=0.1)


def test_losses_are_fp32_under_autocast():
    torch.manual_seed(0)
    assert_fp32_under_autocast(small(NAME))


def test_detections_are_in_order():
    torch.manual_seed(0)
    model = small(NAME)
    nn.init.normal_(model.class_head.predict.weight, std=0.1)
    nn.init.zeros_(model.class_head.predict.bias)
    assert_in_order(model)


def test_one_object_is_found_where_the_logits_put_it(monkeypatch):
    model = small(NAME).eval()
    anchors = torch.cat(model.anchors.levels((128, 128), torch.device("cpu")))
    logits, deltas = torch.full((1, len(anchors), 3), -9.0), torch.zeros(1, len(anchors), 4)
    middle = 6 * (16 * 8 + 8) + 2  # cell (8, 8) of P3, the small square: 56..72
    logits[0, middle, 1] = 2
    logits[0, middle + 1, 1] = 1  # the larger square around it: IoU 256 / 484, a duplicate
    logits[0, middle + 1, 2] = 0  # another category is none
    deltas[0, middle] = torch.tensor([0.25, 0, 0, math.log(2)])
    monkeypatch.setattr(model.class_head, "forward", lambda levels: [logits])
    monkeypatch.setattr(model.box_head, "forward", lambda levels: [deltas])
    (detections,) = model.detect(torch.zeros(1, 3, 128, 128), [(70, 128)])
    assert detections["labels"].tolist() == [2, 3]
    assert detections["scores"].tolist() == pytest.approx([1 / (1 + math.exp(-2)), 0.5])
    # 4 pixels to the right and twice as high: 48..80, cut at 70.
    assert detections["boxes"].tolist()[0] == pytest.approx([60, 48, 76, 70])


def test_the_best_thousand_of_a_level_are_looked_at():
    """On 128x128 pixels P3 and P4 have 6 * 3 * 256 = 4608 and 1152 scores, all of them above the least."""
    model = small(NAME).eval()
    anchors = model.anchors.levels((128, 128), torch.device("cpu"))
    count = sum(map(len, anchors))
    logits = torch.linspace(0, 2, 3 * count).reshape(count, 3)
    levels = list(model._candidates(logits, torch.zeros(count, 4), anchors))
    assert [len(level["scores"]) for level in levels] == [1000, 1000, 288, 72, 18]
    # They rise along the level, so the best are its last: 166 anchors and two thirds.
    assert set(levels[0]["scores"].tolist()) == set(logits[: len(anchors[0])].flatten()[-1000:].sigmoid().tolist())


def test_normalisation_is_each_levels_own():
    torch.manual_seed(0)
    head = Head(8, 2, 6, 4).train()
    levels = [torch.randn(2, 8, 4, 4) for _ in range(5)]
    torch.autograd.backward(head(levels)[3].sum())
    touched = {name.split(".")[1] for name, p in head.named_parameters() if "norms" in name and p.grad is not None}
    assert touched == {"3"}
    assert sum(isinstance(m, nn.BatchNorm2d) for m in head.modules()) == 10
    assert sum(isinstance(m, nn.Conv2d) for m in head.modules()) == 3
    means = [norms[0].running_mean for norms in head.norms]
    assert all(not torch.equal(a, b) for i, a in enumerate(means) for b in means[:i])


def test_p6_and_p7_come_from_the_level_before():
    torch.manual_seed(0)
    pyramid = Pyramid((4, 8, 16), 8).eval()
    maps = [torch.randn(1, c, n, n) for c, n in ((4, 16), (8, 8), (16, 4))]
    with torch.no_grad():
        levels = pyramid(maps)
        scale = (1 + 1e-5) ** -0.5  # of an untrained normalisation
        p6 = pyramid.p6(levels[2] / scale)
        p7 = pyramid.p7(p6.relu())
        below = pyramid.lateral[1](maps[1]) + pyramid.lateral[2](maps[2]).repeat_interleave(2, 2).repeat_interleave(
            2, 3
        )
        p4 = pyramid.output[1](below)
    for level, expected in ((1, p4), (3, p6), (4, p7)):
        torch.testing.assert_close(levels[level], scale * expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_go_together_is_refused():
    model = small(NAME)
    images, sizes, targets = squares(2)
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        model.train().detect(images, sizes)
    with pytest.raises(ValueError, match="2 images have 1 targets"):
        model.losses(images, sizes, targets[:1])
    with pytest.raises(ValueError, match="2 images have 1 sizes"):
        model.losses(images, sizes[:1], targets)
    with pytest.raises(ValueError, match="image 1 is 129x128 pixels on a canvas of 128x128"):
        model.losses(images, [(128, 128), (129, 128)], targets)
    with pytest.raises(ValueError, match=r"call train\(\) first"):
        model.eval().losses(images, sizes, targets)


def test_only_the_backbone_is_frozen():
    model = small(NAME, norm="frozen")
    assert any(isinstance(m, FrozenBatchNorm2d) for m in model.backbone.modules())
    assert not any(isinstance(m, FrozenBatchNorm2d) for m in (*model.pyramid.modules(), *model.class_head.modules()))
