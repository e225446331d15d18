"""The evaluator's twelve numbers are pycocotools' to 1e-9."""

import json
from collections import Counter

import pytest
from hypothesis import Phase, given, settings

from aabench.evaluate import METRICS, coco_scores
from tests.evaluate.coco_cases import HEIGHT, WIDTH, as_detections, cases, reference, with_masks


def assert_parity(truth, results, iou_type):
    scores = coco_scores(truth, results, iou_type=iou_type)
    ours = [-1 if scores.metrics[name] is None else scores.metrics[name] for name in METRICS]
    assert ours == pytest.approx(reference(truth, results, iou_type), abs=1e-9, rel=0)


@pytest.mark.data
@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_parity_on_the_fixtures(data_root, iou_type):
    folder = data_root / "coco" / "fixtures"
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    results = json.loads((folder / f"instances_val2014_fake{iou_type}100_results.json").read_text())
    assert_parity(truth, results, iou_type)


@pytest.mark.data
@pytest.mark.parametrize("crowds", [True, False])
@pytest.mark.parametrize("split", ["train", "val"])
def test_parity_on_ground_truth_as_detections(data_root, split, crowds):
    truth = json.loads((data_root / "coco" / "annotations" / f"instances_{split}2017.json").read_text())
    assert_parity(truth, as_detections(truth, crowds=crowds), "bbox")


@settings(max_examples=80, deadline=None)
@given(cases())
def test_parity_of_boxes(case):
    assert_parity(*case, "bbox")


@settings(max_examples=60, deadline=None)
@given(cases())
def test_parity_of_masks(case):
    truth, results = case
    assert_parity(truth, with_masks(results), "segm")


def areas(truth):
    return [annotation["area"] for annotation in truth["annotations"] if not annotation["iscrowd"]]


def most(truth, *keys):
    """How often the most frequent value of some keys occurs in dicts."""
    return max(Counter(tuple(map(str, (entry[key] for key in keys))) for entry in truth).values())


REACHED = {
    "crowd": lambda truth, results: any(a["iscrowd"] for a in truth["annotations"]),
    "image without object": lambda truth, results: (
        {i["id"] for i in truth["images"]} - {a["image_id"] for a in truth["annotations"]}
    ),
    "image without detection": lambda truth, results: (
        {a["image_id"] for a in truth["annotations"]} - {d["image_id"] for d in results}
    ),
    "three categories": lambda truth, results: len({d["category_id"] for d in results}) == 3,
    "all sizes": lambda truth, results: (
        min(areas(truth)) < 32**2 < max(areas(truth)) and any(32**2 < a < 96**2 for a in areas(truth))
        and max(areas(truth)) > 96**2
    ),
    "scores tied across images": lambda truth, results: (
        len({(d["category_id"], d["score"]) for d in results})
        < len({(d["category_id"], d["score"], d["image_id"]) for d in results})
    ),
    "over 100 for an image and category": lambda truth, results: most(results, "image_id", "category_id") > 100,
    "the same detection twice": lambda truth, results: most(results, "image_id", "category_id", "bbox", "score") > 1,
    "the same object twice": lambda truth, results: most(truth["annotations"], "image_id", "category_id", "bbox") > 1,
    "box beyond its image": lambda truth, results: any(
        d["bbox"][0] + d["bbox"][2] > WIDTH + 1 or d["bbox"][1] + d["bbox"][3] > HEIGHT + 1 for d in results
    ),
    "each a box and corners, some beyond": lambda truth, results: (
        all(x <= w <= WIDTH and y <= h <= HEIGHT for x, y, w, h in (d["bbox"] for d in results))
        and any(x + w > WIDTH + 1 or y + h > HEIGHT + 1 for x, y, w, h in (d["bbox"] for d in results))
    ),
    "box without area": lambda truth, results: any(0 in d["bbox"][2:] for d in results),
}  # fmt: skip


def test_the_cases_reach_all_of_these():
    reached = set()

    @settings(max_examples=150, derandomize=True, database=None, phases=[Phase.generate], deadline=None)
    @given(cases())
    def collect(case):
        reached.update(name for name, holds in REACHED.items() if holds(*case))

    collect()
    assert reached == REACHED.keys()
