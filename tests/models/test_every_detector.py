"""Every detector of the registry: what it gives, and that all of it is trained."""

import pytest
import torch

from aabench.models.backbone import ANY_SIZE, BACKBONES
from aabench.models.registry import DETECTORS
from tests.models.detecting import small

# Of two images of 64x64 pixels. RetinaNet: 6 anchors of each of 64 + 16 + 4 + 1 + 1 cells. Faster R-CNN: 3 of each of
# 256 + 64 + 16 + 4 + 1 cells, and in training 64 regions an image, of 3 categories and background.
SHAPES = {
    "retinanet": [(2, 516, 3), (2, 516, 4)],
    "faster_rcnn": [(2046, 1), (2046, 4), (128, 4), (128, 16)],
}


@pytest.mark.parametrize("name", DETECTORS)
def test_it_gives_boxes_and_every_parameter_gets_a_gradient(name):
    kind = next(kind for kind in SHAPES if kind in name)
    heads = {"num_heads": 1} if "aa_" in name else {}
    model = small(name, 64, **heads).train()
    outputs = model(torch.randn(2, 3, 64, 64))
    loss = model.stand_in_loss(outputs)
    assert [tuple(output.shape) for output in outputs] == SHAPES[kind]
    assert loss.shape == ()
    torch.autograd.backward(loss)
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    classifier = name.replace(f"{kind}_", "").removesuffix("_fpn")
    assert model.backbone.is_bound == (classifier not in ANY_SIZE)
    assert classifier in BACKBONES
