"""From a detector to COCO's results: only of categories that the data set has."""

import json

import torch
from torch import nn

from aabench.data import CanvasTransform, load_coco, write_synthetic_coco
from aabench.evaluate import coco_scores, detect_all, score_detections


def test_what_is_taken_for_a_category_that_the_data_set_has_not_is_left_out(tmp_path):
    """The synthetic set has 1, 2 and 3; a detector tells 90."""
    write_synthetic_coco(tmp_path, train=1, val=2)
    data = load_coco(tmp_path, "test", size=64, framing="square")
    assert data.categories == (1, 2, 3)

    def detect(images, sizes):
        boxes = torch.tensor([[1.0, 2.0, 5.0, 10.0]]).repeat(4, 1)
        scores, labels = torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([12, 3, 90, 1])
        return [{"boxes": boxes, "scores": scores, "labels": labels} for _ in sizes]

    found = detect_all(nn.Identity(), data, transform=CanvasTransform("imagenet"), detect=detect)
    assert [(one["image_id"], one["category_id"]) for one in found.results] == [(2, 3), (2, 1), (3, 3), (3, 1)]
    assert found.results[0]["bbox"] == [2, 4, 8, 16]  # from 64 pixels to the file's 128
    scores = score_detections(found, data)
    (tmp_path / "found.json").write_text(json.dumps(found.results))
    assert scores.metrics == coco_scores(data.annotations, tmp_path / "found.json").metrics
    assert (scores.images, scores.results) == (2, 4)
