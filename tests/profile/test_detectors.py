"""What detectors cost: the sheet's numbers, and that every way of profiling runs them."""

import pytest
import torch

from aabench.models import create_model
from aabench.profile import Way, count, explain_executed
from aabench.profile.predict import predict
from aabench.profile.workload import workload

SMALL = {
    "retinanet_resnet18": {"width": 16, "channels": 16, "head_convs": 1},
    "faster_rcnn_resnet18_fpn": {"width": 16, "channels": 16, "regions": 32, "representation": 32},
}


def counted(name, size=640, **arguments):
    return count(create_model(name, input_size=size, num_classes=90, device="meta", **arguments), size)


def small(name, device="meta", side=64):
    return create_model(name, input_size=side, num_classes=90, device=device, **SMALL[name])


@pytest.mark.parametrize(
    ("name", "millions", "gflops"), [("retinanet_resnet50", 33.420, 182.3), ("retinanet_resnet101", 52.413, 242.9)]
)
def test_retinanet_counts_of_the_sheet(name, millions, gflops):
    found = counted(name)
    assert round(found.params / 1e6, 3) == millions
    assert round(found.in_convention("aa-paper") / 1e9, 1) == gflops
    assert found.in_convention("aa-paper") == found.in_convention("flops")
    # 6 anchors on 80^2 + 40^2 + 20^2 + 10^2 + 5^2 cells.
    assert found.output_shape == ((1, 51_150, 90), (1, 51_150, 4))


# The sheet: 33.03 M / 182.7 and 51.7 M / 245.3 with 1 or 2 heads; with 8 and 20 channels each it does not fit.
@pytest.mark.parametrize(
    ("layers", "heads", "params", "gflops"),
    [
        (50, 1, 33_033_125, 182.630),
        (50, 2, 33_029_650, 182.840),
        (50, 8, 33_696_684, 187.609),  # neither 33.1 M nor 182: see the sheet
        (101, 1, 51_746_368, 245.215),
    ],
)
def test_aa_fits_with_one_or_two_heads_and_not_with_eight(layers, heads, params, gflops):
    found = counted(f"aa_retinanet_resnet{layers}", num_heads=heads)
    assert found.params == params
    assert round(found.in_convention("aa-paper") / 1e9, 3) == gflops


def test_a_heads_convolution_is_counted_on_each_level():
    found = counted("retinanet_resnet18", 128, width=16, channels=32)
    rows = {row.name: row for row in found.rows}
    # 16^2 + 8^2 + 4^2 + 2^2 + 1 cells, 9 taps of 32 channels to 32.
    assert rows["class_head.convs.3"].macs == 341 * 9 * 32 * 32
    assert rows["class_head.convs.3"].params == 9 * 32 * 32 + 32
    assert rows["class_head.predict"].macs == 341 * 9 * 32 * 6 * 90
    assert rows["class_head.norms.4.3"].params == 64


def test_faster_rcnns_box_head_is_counted_for_1000_regions():
    found = counted("faster_rcnn_resnet50_fpn", 256)
    rows = {row.name: row for row in found.rows}
    assert rows["roi_heads.box_head.fc6"].macs == 1000 * 256 * 49 * 1024
    assert rows["roi_heads.box_predictor.bbox_pred"].macs == 1000 * 1024 * 364
    # 64^2 + 32^2 + 16^2 + 8^2 + 4^2 cells.
    assert rows["rpn.head.conv.0.0"].macs == 5456 * 9 * 256 * 256
    assert found.output_shape == ((3 * 5456, 1), (3 * 5456, 4), (1000, 91), (1000, 364))
    assert found.params == 41_755_286


@pytest.mark.parametrize("name", SMALL)
def test_what_is_executed_is_what_the_definition_needs(name):
    model = small(name)
    executed = explain_executed(model, 64, Way(batch=2))
    assert executed.differences == ()
    assert executed.macs == count(model, 64).macs


@pytest.mark.parametrize(("mode", "dtype"), [("infer", "fp32"), ("forward", "bf16"), ("train", "bf16")])
@pytest.mark.parametrize("name", SMALL)
def test_every_way_is_predicted(name, mode, dtype):
    found = predict(small(name), 64, 90, Way(mode, 2, dtype))
    assert found.memory["activations"] > 0
    assert (found.memory["optimizer"] > 0) == (mode == "train")
    forward = 2 * 2 * explain_executed(small(name), 64, Way(mode, 2)).macs
    if mode == "train":
        assert 2.5 * forward < found.flops < 3 * forward
    else:
        assert found.flops == forward


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("name", SMALL)
def test_a_call_runs_and_trains(name, dtype):
    torch.manual_seed(0)
    model = small(name, None, 160)  # below, P7 is one cell, and normalisation of two images takes all away
    before = {key: value.clone() for key, value in model.named_parameters()}
    x = torch.randn(2, 3, 160, 160)
    workload(model, x, 90, "train", dtype)()
    # All but biases that normalisation takes away again, of which a gradient is what rounding leaves.
    weights = [key for key in before if key.endswith(".weight") and before[key].dim() > 1]
    assert [key for key in weights if torch.equal(model.get_parameter(key), before[key])] == []
    workload(model, x, 90, "infer", dtype)()
    assert {value.dtype for value in model.parameters()} == {torch.float32 if dtype == "fp32" else torch.bfloat16}
