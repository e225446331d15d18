"""A detector's backbone: the stages of a classifier, its weights, and normalisation that is frozen."""

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from aabench.errors import AABenchError
from aabench.models import create_model, list_models
from aabench.models.registry import DETECTORS
from aabench.train import load_backbone

SMALL = {"width": 16, "channels": 16}
FAMILIES = {
    "resnet18": {},
    "se_resnet50": {},
    "cbam_resnet50": {},
    "bam_resnet50": {},
    "aa_resnet50": {"num_heads": 1},
    "plugged_resnet50": {"attention": "se", "scheme": "4,11,19,3"},
    "aw_resnet18": {"aw_norm": True},
    "aw_se_resnet50": {},
    "aw_plugged_resnet50": {"attention": "dia"},
}
"""Classifier -> arguments of its small form."""


def retinanet(classifier, side=64, **arguments):
    name = classifier.replace("resnet", "retinanet_resnet")
    return create_model(name, input_size=side, num_classes=90, **SMALL, **arguments)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("norm", ["batch", "frozen"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_weights_of_a_classifier_make_its_maps(name, norm, file):
    torch.manual_seed(0)
    classifier = create_model(name, input_size=64, num_classes=7, width=16, **FAMILIES[name]).double()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    classifier(x)  # moves the running means
    torch.save({"model": {f"module.{key}": value for key, value in classifier.state_dict().items()}}, file)
    detector = retinanet(name, norm=norm, **FAMILIES[name]).double().eval()
    assert load_backbone(detector, file) == "model"
    with torch.no_grad():
        found, expected = detector.backbone(x), list(classifier.eval().features(x))
    assert [map.shape[2] for map in found] == [16, 8, 4, 2]
    assert [map.shape[1] for map in found] == list(detector.backbone.channels)
    for map, same in zip(found, expected, strict=True):
        torch.testing.assert_close(map, same)


def test_a_backbone_has_no_classifier():
    plain = create_model("resnet50", input_size=64, num_classes=1000, device="meta")
    body = create_model("retinanet_resnet50", input_size=64, num_classes=90, device="meta").backbone.body
    gone = plain.state_dict().keys() - body.state_dict().keys()
    assert gone == {"fc.weight", "fc.bias"}
    # torchvision's ResNet-50 without the 2048 x 1000 weights and 1000 biases of its classifier.
    assert sum(p.numel() for p in body.parameters()) == 25_557_032 - 2_049_000


def test_frozen_norms_train_nothing():
    batch, frozen = (retinanet("resnet18", norm=norm) for norm in ("batch", "frozen"))
    norms = [m for m in frozen.backbone.modules() if isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d)]
    assert {type(norm) for norm in norms} == {FrozenBatchNorm2d}
    assert [p for norm in norms for p in norm.parameters()] == []
    # A weight and a bias for each of 20 norms: the stem, four stages of four, and three shortcuts.
    channels = 16 + 4 * (16 + 32 + 64 + 128) + 32 + 64 + 128
    assert len(norms) == 20
    count = [sum(p.numel() for p in model.backbone.parameters()) for model in (batch, frozen)]
    assert count[0] - count[1] == 2 * channels
    before = [buffer.clone() for buffer in frozen.backbone.buffers()]
    frozen.train().backbone(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(old, new) for old, new in zip(before, frozen.backbone.buffers(), strict=True))


def test_the_scheme_says_where_the_parameters_are():
    def parameters(**arguments):
        model = create_model(
            "plugged_faster_rcnn_resnet50_fpn", input_size=64, num_classes=90, device="meta", **arguments
        )
        return sum(p.numel() for p in model.parameters())

    plain = parameters()
    # One SE of a stage's width C: 2 C C / 16 weights, and C / 16 + C biases; shared by the blocks of a stage.
    first, third = 8_192 + 16 + 256, 131_072 + 64 + 1024
    assert parameters(attention="se", scheme="100 0000 010011 000") - plain == first + third
    # One each.
    org = parameters(attention="se", sharing="org", scheme="100 0000 010011 000")
    assert org - plain == first + 3 * third


def test_weights_of_relative_positions_belong_to_one_map_size(file):
    torch.save(create_model("aa_resnet50", input_size=64, num_classes=7, width=16, num_heads=1).state_dict(), file)
    detector = retinanet("aa_resnet50", 128, num_heads=1)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    with pytest.raises(
        AABenchError, match=r"26 mis-shaped .*tables of relative positions belong to maps of another size"
    ):
        load_backbone(detector, file)
    assert all(torch.equal(before[name], value) for name, value in detector.state_dict().items())
    free = retinanet("aa_resnet50", 128, num_heads=1, position="none")
    with pytest.raises(AABenchError, match=r"26 unexpected \(layer2\.0\.conv2\.position\.row_table"):
        load_backbone(free, file)


def test_tables_of_one_cell_are_no_matter_of_classes(file):
    torch.save(create_model("aa_resnet50", input_size=64, num_classes=7, width=16, num_heads=1).state_dict(), file)
    with pytest.raises(AABenchError, match="tables of relative positions"):
        load_backbone(retinanet("aa_resnet50", 32, num_heads=1), file)


@pytest.mark.parametrize(
    ("theirs", "own", "message"),
    [
        ("resnet34", "resnet18", r"\d+ unexpected \(layer1\.2"),
        ("resnet18", "resnet34", r"\d+ missing \(layer1\.2"),
        ("resnet18", "aw_resnet18", "the model has 16 AW-convolutions where these weights have plain ones"),
    ],
)
def test_other_weights_do_not_load(theirs, own, message, file):
    torch.save(create_model(theirs, input_size=64, num_classes=7, width=16).state_dict(), file)
    with pytest.raises(AABenchError, match=message):
        load_backbone(retinanet(own), file)


def test_a_frozen_backbone_still_wants_its_constants(file):
    weights = create_model("resnet18", input_size=64, num_classes=7, width=16).state_dict()
    del weights["bn1.running_mean"]
    torch.save(weights, file)
    with pytest.raises(AABenchError, match=r"1 missing \(bn1\.running_mean\)"):
        load_backbone(retinanet("resnet18", norm="frozen"), file)


def test_aa_takes_its_own_size_only():
    model = retinanet("aa_resnet50", num_heads=1).eval()
    with pytest.raises(ValueError, match="built for images of 64x64 pixels and got 64x96"):
        model(torch.zeros(1, 3, 64, 96))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("retinanet_resnet18", {"norm": "group"}, "norm is one of batch, frozen, not 'group'"),
        ("retinanet_resnet18", {"stem": "cifar"}, "takes no argument 'stem'"),
        ("plugged_retinanet_resnet50", {"attention": "se", "scheme": "random"}, "has one scheme"),
        ("plugged_faster_rcnn_resnet50_fpn", {"attention": "se", "scheme": "1"}, "scheme"),
        ("aa_faster_rcnn_resnet50_fpn", {}, "unknown model"),
        ("retinanet_resnet18", {"anchor_scale": 0.0}, "anchor_scale=0.0"),
        ("faster_rcnn_resnet18_fpn", {"regions": 0}, "regions=0"),
        ("faster_rcnn_resnet18_fpn", {"anchor_size": 7.5}, "anchor_size=7.5: Input should be a valid integer"),
    ],
)
def test_wrong_requests_for_detectors(name, arguments, message):
    with pytest.raises(AABenchError, match=message):
        create_model(name, input_size=64, num_classes=90, device="meta", **arguments)


def test_names():
    assert list_models("*_resnet50_fpn") == [
        *("aw_bam_faster_rcnn_resnet50_fpn", "aw_cbam_faster_rcnn_resnet50_fpn", "aw_faster_rcnn_resnet50_fpn"),
        *("aw_gala_faster_rcnn_resnet50_fpn", "aw_plugged_faster_rcnn_resnet50_fpn"),
        *("aw_se_faster_rcnn_resnet50_fpn", "aw_sge_faster_rcnn_resnet50_fpn", "bam_faster_rcnn_resnet50_fpn"),
        *("cbam_faster_rcnn_resnet50_fpn", "faster_rcnn_resnet50_fpn", "gala_faster_rcnn_resnet50_fpn"),
        *("plugged_faster_rcnn_resnet50_fpn", "se_faster_rcnn_resnet50_fpn", "sge_faster_rcnn_resnet50_fpn"),
    ]
    assert {"aa_retinanet_resnet50", "aa_retinanet_resnet101", "plugged_retinanet_resnet101"} <= DETECTORS.keys()
    assert not [name for name in DETECTORS if "aa_" in name and "faster" in name]
