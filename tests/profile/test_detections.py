"""What detections take: the box head runs on as many regions as were proposed, and all else on the canvas."""

import pytest
import torch

from aabench.profile import count
from aabench.profile.detections import CountedDetector
from tests.models.detecting import small, squares

SIDE = 128


def values(counted: CountedDetector) -> dict[str | None, float | None]:
    found = counted.values()
    assert {(value.metric, value.unit) for value in found} == {("image_flops", "FLOPs")}
    return {value.convention: value.value for value in found}


def test_faster_rcnn_takes_what_its_proposals_need():
    torch.manual_seed(0)
    model = small("faster_rcnn_resnet18_fpn").eval()
    regions: list[int] = []
    model.roi_heads.box_head.register_forward_hook(lambda *call: regions.append(len(call[1][0])))
    counted, images = CountedDetector(model), squares(1)[0]
    for size in ((100, 128), (12, 20), (4, 4)):  # on one canvas: the smaller an image, the more proposals overlap
        counted(images, [size])
    proposed = regions.copy()
    fixed = sum(2 * row.macs for row in count(model, SIDE).rows if not row.name.startswith("roi_heads"))
    # 7 x 7 cells of 32 channels to 64, 64 to 64, and 64 to 4 categories with background and their boxes.
    region = 2 * (49 * 32 * 64 + 64 * 64 + 64 * 4 + 64 * 16)
    assert counted.flops == [fixed + number * region for number in proposed]
    assert max(proposed) > min(proposed) > 0
    assert values(counted)["least"] == fixed + min(proposed) * region
    assert values(counted)["most"] == fixed + max(proposed) * region


def test_retinanet_takes_the_same_whatever_is_in_an_image():
    model = small("retinanet_resnet18").eval()
    counted, (images, sizes, _) = CountedDetector(model), squares(3)
    counted(images[:2], sizes[:2])
    counted(torch.zeros_like(images[:1]), sizes[:1])
    expected = count(model, SIDE).in_convention("flops")
    assert counted.flops == [expected] * 3
    assert values(counted) == {"mean": expected, "deviation": 0, "least": expected, "most": expected}


def test_summary():
    counted = CountedDetector(small("retinanet_resnet18"))
    counted.flops = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    assert values(counted) == {"mean": 5, "deviation": 2, "least": 2, "most": 9}


def test_what_is_found_is_not_changed():
    torch.manual_seed(0)
    model = small("faster_rcnn_resnet18_fpn").eval()
    images, sizes, _ = squares(1)
    (plain,), (counted,) = model.detect(images, sizes), CountedDetector(model)(images, sizes)
    assert len(plain["boxes"]) > 0
    for name in plain:
        assert torch.equal(plain[name], counted[name])


def test_train_mode_is_refused_as_ever():
    with pytest.raises(ValueError, match="evaluation mode"):
        CountedDetector(small("retinanet_resnet18").train())(*squares(1)[:2])
