"""COCO's twelve numbers: known values, cases counted by hand, and that nothing is said or changed."""

import copy
import json
import logging

import numpy as np
import pytest
import torch

from aabench.errors import AABenchError
from aabench.evaluate import METRICS, DetectionScores, coco_scores
from tests.evaluate.coco_cases import as_detections, compressed, polygon, reference
from tests.evaluate.coco_faults import MASKS, RESULTS, TRUTH, altered


def truth_of(*boxes, crowd=()):
    """An image of 200 x 160 pixels for each box, number 1 on, with that one object of category 1."""
    return {
        "images": [{"id": number, "width": 200, "height": 160} for number in range(1, len(boxes) + 1)],
        "categories": [{"id": 1}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": int(n in crowd)}
            for n, box in enumerate(boxes, start=1)
        ],
    }


def found(image, box, score):
    return {"image_id": image, "category_id": 1, "bbox": box, "score": score}


LARGE, SMALL, ELSEWHERE = [0, 0, 100, 100], [10, 10, 20, 20], [120, 100, 40, 40]


def fixture(data_root, name):
    return data_root / "coco" / "fixtures" / f"instances_val2014_{name}.json"


@pytest.mark.data
def test_boxes_of_the_fixtures(data_root):
    scores = coco_scores(fixture(data_root, "100"), fixture(data_root, "fakebbox100_results"))
    assert scores.ap == pytest.approx(0.5045807, abs=5e-8)
    assert [f"{scores.metrics[name]:.3f}" for name in METRICS] == [
        *("0.505", "0.697", "0.573", "0.586", "0.519", "0.501"),
        *("0.387", "0.594", "0.595", "0.640", "0.566", "0.564"),
    ]
    assert (scores.images, scores.results) == (100, 734)


@pytest.mark.data
def test_masks_of_the_fixtures(data_root):
    scores = coco_scores(fixture(data_root, "100"), fixture(data_root, "fakesegm100_results"), iou_type="segm")
    assert scores.ap == pytest.approx(0.3195453, abs=5e-8)


@pytest.mark.data
@pytest.mark.parametrize("crowds", [True, False])
def test_ground_truth_as_detections_is_perfect_but_for_the_number_allowed(data_root, crowds):
    path = data_root / "coco" / "annotations" / "instances_val2017.json"
    scores = coco_scores(path, as_detections(json.loads(path.read_text()), crowds=crowds))
    assert {name: value for name, value in scores.metrics.items() if value != pytest.approx(1)} == {
        "AR1": pytest.approx(0.694118, abs=5e-7),
        "AR10": pytest.approx(0.989152, abs=5e-7),
    }


def test_what_the_ground_truth_has_no_object_of_is_none():
    scores = coco_scores(truth_of(LARGE), [found(1, LARGE, 0.5)])
    none = {name: None for name in METRICS if name.endswith(("small", "medium"))}
    assert scores.metrics == pytest.approx(dict.fromkeys(METRICS, 1.0) | none)
    assert list(scores.metrics) == list(METRICS)


def test_an_image_without_detections_counts():
    scores = coco_scores(truth_of(LARGE, SMALL), [found(1, LARGE, 0.5)])
    assert scores.metrics["AR100"] == 0.5
    assert scores.ap == pytest.approx(51 / 101)  # precision 1 at the recalls 0, 0.01, ..., 0.5 of 0, ..., 1
    assert (scores.metrics["AP_large"], scores.metrics["AP_small"], scores.metrics["AR_small"]) == (
        pytest.approx(1),
        0.0,
        0.0,
    )
    assert (scores.images, scores.results) == (2, 1)


def test_no_detection_at_all_scores_0():
    scores = coco_scores(truth_of(LARGE), [])
    assert (scores.ap, scores.metrics["AR100"], scores.metrics["AP_small"], scores.results) == (0.0, 0.0, None, 0)


def test_a_false_detection_of_greater_score_halves_the_precision():
    scores = coco_scores(truth_of(LARGE), [found(1, ELSEWHERE, 0.9), found(1, LARGE, 0.5)])
    assert (scores.ap, scores.metrics["AR1"], scores.metrics["AR10"]) == (pytest.approx(0.5), 0.0, 1.0)


def test_an_overlap_of_072_holds_for_five_of_ten_thresholds():
    scores = coco_scores(truth_of(LARGE), [found(1, [0, 0, 72, 100], 0.5)])
    assert (scores.metrics["AP50"], scores.metrics["AP75"], scores.metrics["AR100"]) == (pytest.approx(1), 0.0, 0.5)
    assert scores.ap == pytest.approx(0.5)


def test_detections_within_a_crowd_are_neither_right_nor_wrong():
    crowded = truth_of(LARGE, LARGE, crowd={2})
    within = [found(2, [10, 10, 20, 20], 0.9), found(2, [50, 50, 20, 20], 0.9)]
    assert coco_scores(crowded, [found(1, LARGE, 0.5), *within]).ap == pytest.approx(1)
    assert coco_scores(crowded, [found(1, LARGE, 0.5), found(2, ELSEWHERE, 0.9)]).ap == pytest.approx(0.5)


@pytest.mark.parametrize(("wrong", "recalled"), [(9, (1.0, 1.0)), (10, (0.0, 1.0)), (99, (0.0, 1.0)), (100, (0, 0))])
def test_the_best_10_and_100_count(wrong, recalled):
    results = [found(1, LARGE, 0.1), *(found(1, ELSEWHERE, 0.2) for _ in range(wrong))]
    scores = coco_scores(truth_of(LARGE), results)
    assert (scores.metrics["AR10"], scores.metrics["AR100"]) == recalled
    assert scores.results == wrong + 1


def test_of_equal_scores_the_first_in_the_list_ranks_first():
    right, wrong = found(1, LARGE, 0.5), found(1, ELSEWHERE, 0.5)
    assert coco_scores(truth_of(LARGE), [right, wrong]).ap == pytest.approx(1)
    assert coco_scores(truth_of(LARGE), [wrong, right]).ap == pytest.approx(0.5)


def test_an_annotation_without_iscrowd_is_no_crowd():
    truth = truth_of(LARGE, SMALL)
    del truth["annotations"][1]["iscrowd"]
    assert coco_scores(truth, [found(1, LARGE, 0.5)]).metrics["AR100"] == 0.5


def test_boxes_may_reach_beyond_their_image():
    scores = coco_scores(truth_of(LARGE, SMALL), [found(1, [-50, 0, 100, 100], 0.4), found(2, [150, 0, 90, 200], 0.5)])
    assert scores.ap == 0.0


# x1 y1 x2 y2 of objects here and there, in images of 200 x 160 pixels.
CORNERS = [[10, 10, 60, 90], [120, 20, 190, 100], [30, 90, 150, 155], [5, 5, 40, 30]]


def judged(boxes):
    """How many boxes of one image are judged."""
    return coco_scores(truth_of(LARGE), [found(1, box, 0.5) for box in boxes]).results


@pytest.mark.parametrize("box", [[1, 1, 200, 160], [10, 10, 193, 153], [0, 0, 400, 300], [150, 10, 90, 20]])
def test_a_box_barely_beyond_its_image_or_that_is_none_read_as_corners_is_a_box(box):
    assert judged([box]) == 1


@pytest.mark.parametrize(
    "corners",
    [
        CORNERS[1:2],
        CORNERS,
        [*CORNERS, [-3, 50, 100, 163]],  # of a detector that does not clip
        [*CORNERS * 5, [-60, 20, 90, 100]],  # 1 of 21 far out
    ],
)
def test_corners_are_refused_though_some_are_beyond_their_image(corners):
    with pytest.raises(AABenchError, match=r"the boxes are corners, x1 y1 x2 y2: .*write x y width height"):
        judged(corners)


def test_some_boxes_beyond_their_image_are_no_corners():
    within, beyond = [[20, 20, 100, 80]] * 9, [100, 80, 150, 120]  # all of them fit as corners too
    assert judged([*within, beyond]) == 10
    with pytest.raises(AABenchError, match=r"read so, 11 of 11 .* 2 go far beyond, the first being \[9\] of image 1"):
        judged([*within, beyond, beyond])
    # x y width height is settled by boxes that are smaller than their x: 2 of 11.
    assert judged([*[beyond] * 9, [150, 10, 20, 20], [10, 140, 20, 20]]) == 11


def test_boxes_of_the_ground_truth_without_area_or_beyond_the_image_are_judged_and_named():
    truth = truth_of(LARGE, [10, 10, 0, 20], [150, 10, 90, 20], [-30, 0, 20, 20], [199.5, 0, 1, 1], crowd={4})
    scores = coco_scores(truth, [found(1, LARGE, 0.5), found(3, [150, 10, 90, 20], 0.5)])
    assert scores.metrics["AR100"] == 0.5  # two of the four objects
    assert scores.box_faults == (
        "the box of annotation 2 of image 2 is 0 x 20 pixels large",
        "the box of annotation 3 of image 3 (x 150, y 10, 90 x 20) goes beyond the image's 200 x 160 pixels",
        "the crowd box of annotation 4 of image 4 (x -30, y 0, 20 x 20) leaves nothing within the image's "
        "200 x 160 pixels",
    )
    assert coco_scores(truth_of(LARGE), []).box_faults == ()


def test_ids_of_annotations_may_begin_at_0():
    truth, results = altered(truth_of(LARGE), "annotations", 0, "id", to=0), [found(1, LARGE, 0.5)]
    assert reference(truth, results, "bbox")[0] == 0.0  # what matched annotation 0 is unmatched to pycocotools
    assert coco_scores(truth, results).ap == pytest.approx(1)


def test_masks_are_judged_by_their_own_area():
    right, wrong = [10, 10, 20, 15], [60, 60, 20, 15]
    truth = altered(truth_of(right), "annotations", 0, "segmentation", to=polygon(right))
    results = [
        {**found(1, [0, 0, 90, 90], score), "segmentation": compressed(box)}
        for box, score in ((right, 0.5), (wrong, 0.9))
    ]
    # pycocotools takes the area of the box where there is one, 90 x 90, and a wrong one of that size is not small.
    assert reference(truth, results, "segm")[METRICS.index("AP_small")] == pytest.approx(1)
    assert coco_scores(truth, results, iou_type="segm").metrics["AP_small"] == pytest.approx(0.5)


@pytest.mark.parametrize("counts", [str, str.encode])
def test_masks_of_a_list_may_be_text_or_bytes(counts):
    mask = {**MASKS[0]["segmentation"], "counts": counts(MASKS[0]["segmentation"]["counts"])}
    scores = coco_scores(TRUTH, [{**MASKS[0], "segmentation": mask}], iou_type="segm")
    assert scores.metrics["AP_medium"] == scores.ap == pytest.approx(0.5)


def test_numbers_may_be_numpys():
    plain = [{**d, "image_id": np.int64(d["image_id"]), "score": np.float32(0.5)} for d in RESULTS]
    boxed = [{**d, "bbox": tuple(np.array(d["bbox"], np.float32))} for d in plain]
    assert coco_scores(TRUTH, boxed).ap == coco_scores(TRUTH, RESULTS).ap == pytest.approx(1)


@pytest.mark.parametrize(("iou_type", "results"), [("bbox", RESULTS), ("segm", MASKS)])
def test_nothing_is_printed_logged_or_changed(capsys, caplog, iou_type, results):
    truth, given = copy.deepcopy(TRUTH), copy.deepcopy(results)
    with caplog.at_level(logging.DEBUG):
        coco_scores(truth, given, iou_type=iou_type)
        coco_scores(truth, [], iou_type=iou_type)
    assert (truth, given) == (TRUTH, results)
    assert capsys.readouterr() == ("", "")
    assert caplog.records == []


def test_scores_go_through_a_checkpoint(tmp_path):
    scores = DetectionScores(
        {**coco_scores(TRUTH, RESULTS).metrics}, images=2, results=3, unreadable={"7.jpg": "empty"}
    )
    torch.save(vars(scores), tmp_path / "scores.pt")
    assert DetectionScores(**torch.load(tmp_path / "scores.pt", weights_only=True)) == scores
    assert scores.rank == scores.ap == pytest.approx(1)
