"""What is wrong in ground truth or detections is refused, by its id; mask strings are read as COCO writes them."""

import json

import numpy as np
import pytest
from faster_coco_eval import mask as back_end
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask

from aabench.errors import AABenchError
from aabench.evaluate import check_ground_truth, coco_scores, read_ground_truth, read_results
from aabench.evaluate.coco_mask import decode_runs, mask_fault
from tests.evaluate.coco_faults import (
    MASK_FAULTS,
    MASKS,
    RESULT_FAULTS,
    RESULTS,
    TRUTH,
    TRUTH_FAULTS,
    TRUTH_MASK_FAULTS,
)


def test_what_is_right_passes():
    assert coco_scores(TRUTH, RESULTS).results == 3
    assert coco_scores(TRUTH, MASKS, iou_type="segm").results == 1


@pytest.mark.parametrize("name", TRUTH_FAULTS)
def test_faults_of_ground_truth(name):
    truth, said = TRUTH_FAULTS[name]
    with pytest.raises(AABenchError, match=f"the ground truth: .*{said}"):
        coco_scores(truth, [])


@pytest.mark.parametrize("name", RESULT_FAULTS)
def test_faults_of_detections(name):
    results, said = RESULT_FAULTS[name]
    with pytest.raises(AABenchError, match=f"the results: .*{said}"):
        coco_scores(TRUTH, results)


@pytest.mark.parametrize("name", MASK_FAULTS)
def test_faults_of_masks(name):
    results, said = MASK_FAULTS[name]
    with pytest.raises(AABenchError, match=f"the results: .*{said}"):
        coco_scores(TRUTH, results, iou_type="segm")


@pytest.mark.parametrize("name", TRUTH_MASK_FAULTS)
def test_faults_of_the_ground_truths_masks(name):
    check_ground_truth(TRUTH_MASK_FAULTS[name])
    with pytest.raises(AABenchError, match=r"the ground truth: 1 annotations have no usable segmentation: 32 \("):
        coco_scores(TRUTH_MASK_FAULTS[name], MASKS, iou_type="segm")


def test_many_faults_are_counted_and_the_first_ten_named():
    with pytest.raises(AABenchError) as refused:
        coco_scores(TRUTH, [{**RESULTS[0], "image_id": number} for number in range(100, 115)])
    assert "15 of 15 detections are of an unknown image: [0] of image 100, " in str(refused.value)
    assert "[9] of image 109, and 5 more; " in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("read", [read_ground_truth, read_results])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"cannot read \S*file.json \(No such file or directory\); give "),
        (b"", r"file.json is no JSON \(Expecting value: line 1 column 1 \(char 0\)\); give "),
        (b'[{"image_id": 7,', r"file.json is no JSON \(Expecting property name"),
        (b"\xff\xd8\xff\xe0", r"file.json is no JSON \('utf-8' codec"),
        (b"[" * 100_000, "file.json is no JSON"),
        (b"7", "file.json: a int, expected "),
    ],
)
def test_files_that_hold_neither(tmp_path, read, content, said):
    path = tmp_path / "file.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AABenchError, match=said):
        read(path)


def test_faults_in_a_file_are_said_of_it(tmp_path):
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    truth.write_text(json.dumps(TRUTH_FAULTS["image twice"][0]))
    results.write_text(json.dumps(RESULT_FAULTS["unknown image"][0]))
    with pytest.raises(AABenchError, match=r"truth.json: 1 ids of images occur more than once: 7 \(2 times\)"):
        read_ground_truth(truth)
    with pytest.raises(AABenchError, match=r"results.json: 1 of 3 detections are of an unknown image"):
        coco_scores(TRUTH, read_results(results) and results)


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1)))
def test_runs_of_a_mask(pixels):
    runs = decode_runs(mask.encode(np.asfortranarray(pixels))["counts"])
    values = np.arange(len(runs)) % 2  # runs of 0 and 1 in turn, 0 first
    assert np.array_equal(np.repeat(values, runs), pixels.flatten(order="F"))


def test_long_runs_of_a_mask():
    pixels = np.zeros((3000, 2000), np.uint8, order="F")
    pixels[5:2000, 1000] = 1
    assert decode_runs(mask.encode(pixels)["counts"]) == [3000005, 1995, 2998000]


def covers(counts, height, width):
    """Whether the back end can make a mask of some counts."""
    try:
        back_end.decode({"size": [height, width], "counts": counts})
    except (ValueError, RuntimeError):
        return False
    return True


@settings(max_examples=300)
@given(st.text(max_size=6) | st.text(alphabet=[chr(code) for code in range(46, 114)], max_size=6))
@example("\\0")  # 12 pixels of 0
@example("0\\0")
@example("444")
@example("4 4")
@example("p<")  # read as "0<", 12 pixels of 1
@example("|")
def test_counts_are_refused_where_the_back_end_cannot_read_them(counts):
    fault = mask_fault({"size": [3, 4], "counts": counts}, 4, 3, compressed=True)
    # COCO writes six bits a character, 0 to o. The back end overlooks what p and those beyond it have more.
    assert (fault is None) == (covers(counts, 3, 4) and max(counts, default="0") < "p")


@given(st.integers(0, 5), st.integers(46, 111), st.integers(0, 11))
def test_a_character_changed_is_found_where_the_back_end_finds_it(place, code, start):
    pixels = np.zeros((3, 4), np.uint8, order="F")
    pixels.T.reshape(-1)[start:] = 1
    counts = mask.encode(pixels)["counts"]
    assert mask_fault({"size": [3, 4], "counts": counts}, 4, 3, compressed=True) is None
    changed = counts[:place] + bytes([code]) + counts[place + 1 :]
    fault = mask_fault({"size": [3, 4], "counts": changed}, 4, 3, compressed=True)
    assert (fault is None) == covers(changed, 3, 4)
