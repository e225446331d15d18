"""aabench evaluate-detections: the table, JSON, and what wrong input gets."""

import json

import pytest

from tests.cli.run import aabench
from tests.evaluate.coco_faults import MASK_FAULTS, MASKS, RESULT_FAULTS, RESULTS, TRUTH, TRUTH_FAULTS, altered


@pytest.fixture
def judge(tmp_path):
    """Run the command on a ground truth and results, with options: its exit code."""

    def run(truth, results, *options):
        for name, content in (("truth.json", truth), ("results.json", results)):
            (tmp_path / name).write_text(json.dumps(content))
        files = (str(tmp_path / "results.json"), "--annotations", str(tmp_path / "truth.json"))
        return aabench("evaluate-detections", *files, *options)

    return run


def test_table(judge, capsys):
    assert judge(TRUTH, RESULTS[:2]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "metric value IoU area detections",
        "AP 1.0000 0.50:0.95 all 100",
        "AP50 1.0000 0.50 all 100",
        "AP75 1.0000 0.75 all 100",
    ]
    assert lines[4:10] == [
        "AP_small - 0.50:0.95 small 100",
        "AP_medium 1.0000 0.50:0.95 medium 100",
        "AP_large - 0.50:0.95 large 100",
        "AR1 1.0000 0.50:0.95 all 1",
        "AR10 1.0000 0.50:0.95 all 10",
        "AR100 1.0000 0.50:0.95 all 100",
    ]
    assert lines[13] == "2 images, 2 detections, boxes compared"
    assert lines[-1] == "-: the ground truth has no such object"


def test_json(judge, capsys, tmp_path):
    assert judge(TRUTH, MASKS, "--iou-type", "segm", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    metrics = content.pop("metrics")
    assert content == {
        "results_file": str(tmp_path / "results.json"),
        "annotations": str(tmp_path / "truth.json"),
        "iou_type": "segm",
        "images": 2,
        "results": 1,
        "ground_truth_faults": [],
    }
    assert len(metrics) == 12
    assert (metrics["AP"], metrics["AP_small"]) == (0.5, None)


def test_boxes_of_the_ground_truth_that_are_odd_are_named(judge, capsys):
    truth = altered(altered(TRUTH, "annotations", 0, "bbox", to=[90, 10, 30, 40]), "annotations", 1, "bbox", 2, to=0)
    named = [
        "the box of annotation 31 of image 7 (x 90, y 10, 30 x 40) goes beyond the image's 100 x 80 pixels",
        "the box of annotation 32 of image 9 is 0 x 60 pixels large",
    ]
    assert judge(truth, RESULTS, "--json") == 0
    assert json.loads(capsys.readouterr().out)["ground_truth_faults"] == named
    assert judge(truth, RESULTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "faults of boxes in the ground truth, which are left as they are: 2",
        *(f"  {line}" for line in named),
    ]


@pytest.mark.data
def test_the_fixtures(data_root, capsys):
    folder = data_root / "coco" / "fixtures"
    truth, results = (folder / f"instances_val2014_{name}.json" for name in ("100", "fakebbox100_results"))
    assert aabench("evaluate-detections", str(results), "--annotations", str(truth)) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "AP 0.5046 " in out
    assert "AR_large 0.5643 " in out
    assert "100 images, 734 detections" in out


def assert_refused(capsys, code, said):
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("aabench: ")
    assert said in line


@pytest.mark.parametrize("name", RESULT_FAULTS)
def test_faults_of_detections(judge, capsys, name):
    assert_refused(capsys, judge(TRUTH, RESULT_FAULTS[name][0]), "results.json: ")


@pytest.mark.parametrize("name", MASK_FAULTS)
def test_faults_of_masks(judge, capsys, name):
    assert_refused(capsys, judge(TRUTH, MASK_FAULTS[name][0], "--iou-type", "segm"), "results.json: ")


@pytest.mark.parametrize("name", TRUTH_FAULTS)
def test_faults_of_ground_truth(judge, capsys, name):
    assert_refused(capsys, judge(TRUTH_FAULTS[name][0], RESULTS), "truth.json: ")


def test_an_unknown_kind(judge, capsys):
    assert_refused(capsys, judge(TRUTH, RESULTS, "--iou-type", "keypoints"), "'keypoints'; one of bbox, segm")


def test_missing_files(tmp_path, capsys):
    missing = str(tmp_path / "missing.json")
    assert_refused(capsys, aabench("evaluate-detections", missing, "--annotations", missing), "cannot read ")


def test_annotations_are_needed(capsys):
    assert aabench("evaluate-detections", "results.json") == 2
    assert "--annotations" in capsys.readouterr().err
