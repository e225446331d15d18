"""Annotations that do not fit together are refused by their ids; what is no target is named."""

import json

import pytest

from aabench.data import load_coco
from aabench.data.coco_annotations import annotations_of
from aabench.errors import AABenchError
from aabench.places import coco_files
from tests.data.coco_sets import annotation, image, write_coco


def load(root, split="train"):
    return load_coco(root, split, size=64, framing="square")


BOXLESS = r"1 annotations have a bbox that is not 4 finite numbers: 5 \(bbox "
ISCROWD = r"1 annotations have an iscrowd that is neither 0 nor 1: 5 \(iscrowd "
WITHOUT_AREA = {key: value for key, value in annotation(5, 7).items() if key != "area"}


@pytest.mark.parametrize(
    ("images", "annotations", "said"),
    [
        ([image(7), image(8), image(7)], [], r"1 ids of images occur more than once: 7 \(2 times\);"),
        ([image(7)], [annotation(5, 7)] * 2, r"1 ids of annotations occur more than once: 5 \(2 times\);"),
        ([image(7)], [annotation(5, 9)], r"1 annotations are of an unknown image: 5 \(image_id 9\);"),
        ([image(7)], [annotation(5, 7, category_id=3)], r"are of an unknown category: 5 \(category_id 3\);"),
        ([image(7)], [annotation(5, 7, category_id=91)], r"category_id that is not 1 to 90: 5 \(category_id 91\);"),
        ([image(7)], [annotation(5, 7, category_id="1")], r"are of an unknown category: 5 \(category_id '1'\);"),
        ([image(7)], [annotation(5, 7, [1, 2, 3])], BOXLESS),
        ([image(7)], [annotation(5, 7, [1, 2, 3, float("nan")])], BOXLESS),
        ([image(7)], [annotation(5, 7, [1, 2, 3, float("inf")])], BOXLESS),
        ([image(7)], [annotation(5, 7, [1, 2, 3, "4"])], BOXLESS),
        (
            [image(7)],
            [{"id": 5, "image_id": 7, "category_id": 1}],
            r"annotations are not whole .*: \[0\] of id 5 lacks bbox",
        ),
        ([image(7)], [{"bbox": [1, 2, 3, 4]}], r"\[0\] lacks id, image_id, category_id;"),
        ([{**image(7), "width": 0}], [], r"1 images have no width and height in whole pixels above 0: 7;"),
        (
            [image(7), {"id": 8, "width": 4, "height": 4}],
            [],
            r"images are not whole .*: \[1\] of id 8 lacks file_name;",
        ),
        ([image(7)], [{**annotation(5, 7), "iscrowd": "no"}], ISCROWD + r"'no'\)"),
        ([image(7)], [{**annotation(5, 7), "iscrowd": 2}], ISCROWD + r"2\)"),
        ([image(7)], [{**annotation(5, 7), "iscrowd": None}], ISCROWD + r"None\)"),
        (
            [image(7), image(9), {**image(8), "file_name": "7.jpg"}],
            [],
            r"1 files are given for more than one image: '7.jpg' \(ids 7, 8\);",
        ),
        ([image(7), 3], [], r"1 entries of images are not whole .*file_name\): \[1\] is a int;"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path, images, annotations, said):
    with pytest.raises(AABenchError, match=r"instances_train2017.json: .*" + said) as caught:
        load(write_coco(tmp_path, images, annotations))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ([WITHOUT_AREA], r"annotations are not whole .*: \[0\] of id 5 lacks area;"),
        ([{**annotation(5, 7), "area": None}], r"an area that is not 0 to 1e\+10 pixels: 5 \(area None\);"),
        ([{**annotation(5, 7), "area": -1}], r"pixels: 5 \(area -1\);"),
        ([], "none of its 0 annotations is an object to detect"),
        ([{**annotation(5, 7), "iscrowd": 1}], "none of its 1 annotations is an object to detect"),
    ],
)
def test_what_cannot_be_judged_by_is_refused_before_it_is_needed_and_trained_on(tmp_path, annotations, said):
    with pytest.raises(AABenchError, match=r"instances_val2017.json: .*" + said):
        load(write_coco(tmp_path / "judged", [image(7)], annotations, split="val2017"), "test")
    assert len(load(write_coco(tmp_path / "learnt", [image(7)], annotations))) == 1


def test_who_says_nothing_of_crowds_has_none(tmp_path):
    entry = annotation(5, 7)
    del entry["iscrowd"]
    assert len(load(write_coco(tmp_path, [image(7)], [entry])).target(0)["boxes"]) == 1


def test_all_faults_are_named_at_once(tmp_path):
    root = write_coco(tmp_path, [image(7), image(8)], [annotation(5, 9), annotation(5, 7, category_id=2)])
    (root / "coco" / "train2017" / "8.jpg").unlink()
    with pytest.raises(
        AABenchError,
        match=r"more than once: 5 \(2 times\); .*5 \(image_id 9\); .*5 \(category_id 2\); "
        r"1 of its 2 images are not in .*train2017: 8 \('8.jpg'\); mend it",
    ):
        load(root)


def test_a_file_name_that_leaves_the_folder_is_not_in_it(tmp_path):
    root = write_coco(tmp_path, [image(7)], [])
    _, file = coco_files("train", root)
    file.write_text(file.read_text().replace("7.jpg", "../train2017/7.jpg"))
    with pytest.raises(AABenchError, match=r"1 of its 1 images are not in .*: 7 \('\.\./train2017/7\.jpg'\)"):
        load(root)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"cannot read .*instances_train2017.json \(No such file or directory\); give a file of annotations"),
        (b'{"images": [], "annotations": {}, "categories": []}', r"instances_train2017.json: no list of annotations;"),
    ],
)
def test_a_file_that_is_no_annotation_file(tmp_path, content, said):
    root = write_coco(tmp_path, [], [])
    _, file = coco_files("train", root)
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(AABenchError, match=said):
        load(root)


def test_a_folder_that_is_not_there(tmp_path):
    root = write_coco(tmp_path, [image(7)], [])
    (root / "coco" / "train2017").rename(tmp_path / "elsewhere")
    with pytest.raises(AABenchError, match=r"cannot read .*train2017 \(No such file or directory\)"):
        load(root)


def test_boxes_without_area_are_no_targets_and_boxes_out_of_bounds_are_clipped(tmp_path):
    boxes = {
        11: [4, 4, 0, 20],  # no width
        12: [4, 4, 20, -3],
        13: [-10, 4, 30, 20],  # 10 pixels beyond the left border
        14: [50, 30, 14.4, 18.9],  # less than a pixel beyond the right and the lower border
        15: [64, 10, 12, 12],  # nothing of it within
        16: [1, 2, 3, 4],
    }
    annotations = [annotation(number, 7, box) for number, box in boxes.items()]
    crowds = {17: [60, 0, 20, 0], 18: [60, 0, 20, 5], 19: [1, 2, 3, 4]}
    annotations += [{**annotation(number, 7, box), "iscrowd": 1} for number, box in crowds.items()]
    data = load(write_coco(tmp_path, [image(3), image(7)], annotations))
    assert data.target(0)["boxes"].shape == (0, 4)
    # x1 y1 x2 y2 of 13, 14 and 16.
    assert data.target(1)["boxes"].tolist() == [[0, 4, 20, 24], [50, 30, 64, 48], [1, 2, 4, 6]]
    assert data.faults == (
        "the box of annotation 11 of image 7 is 0 x 20 pixels large; it is no target",
        "the box of annotation 12 of image 7 is 20 x -3 pixels large; it is no target",
        "the box of annotation 13 of image 7 (x -10, y 4, 30 x 20) goes beyond the image's 64 x 48 pixels; "
        "it was clipped",
        "the box of annotation 15 of image 7 (x 64, y 10, 12 x 12) leaves nothing within the image's 64 x 48 pixels; "
        "it is no target",
        "the crowd box of annotation 17 of image 7 is 20 x 0 pixels large; it is no target",
        "the crowd box of annotation 18 of image 7 (x 60, y 0, 20 x 5) goes beyond the image's 64 x 48 pixels; "
        "it is no target",
    )
    assert data.first(1).faults == ()
    assert [entry["id"] for entry in data.ground_truth()["annotations"]] == [*boxes, *crowds]


def test_objects_go_to_their_images_whatever_the_order_of_the_file(tmp_path):
    images = [image(30), image(10), image(20)]
    annotations = [
        annotation(1, 20, [1, 1, 5, 5], 90),
        annotation(2, 30, [2, 2, 5, 5]),
        annotation(3, 20, [3, 3, 5, 5]),
    ]
    data = load(write_coco(tmp_path, images, annotations))
    assert data.image_ids == (30, 10, 20)
    assert [data.target(index)["boxes"][:, 0].tolist() for index in range(3)] == [[2], [], [1, 3]]
    assert data.target(2)["labels"].tolist() == [90, 1]


def test_ground_truth_is_the_files_own_entries_of_the_chosen_images(tmp_path):
    kept = {**annotation(1, 20), "segmentation": [[1, 2, 3, 4, 5, 6]], "area": 6.5}
    root = write_coco(tmp_path, [image(10), image(20), image(30)], [annotation(2, 10), kept])
    data = load(root)
    truth = data.chosen(data.rows[[2, 1]], "two").ground_truth()
    assert [entry["id"] for entry in truth["images"]] == [30, 20]
    assert truth["annotations"] == [kept]
    assert [entry["id"] for entry in truth["categories"]] == [1, 90, 91]
    with pytest.raises(AABenchError, match=r"has changed: no image 40 in it any more"):
        annotations_of(data.annotations, [10, 40])


def test_the_annotation_file_is_named_like_its_split(tmp_path):
    root = write_coco(tmp_path, [image(1)], [annotation(5, 1)], split="val2017")
    assert load(root, "test").source == "COCO val2017, longer side 64"
    (root / "coco").rename(tmp_path / "given")
    assert len(load(tmp_path / "given", "test")) == 1  # the root itself
    content = json.loads((tmp_path / "given" / "annotations" / "instances_val2017.json").read_text())
    assert load(tmp_path / "given", "test").ground_truth() == content
