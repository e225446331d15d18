"""A small ground truth with detections, and all that can be wrong with them."""

import copy
import functools
import math
import operator

TRUTH = {
    "images": [{"id": 7, "width": 100, "height": 80}, {"id": 9, "width": 60, "height": 90}],
    "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    "annotations": [
        {"id": 31, "image_id": 7, "category_id": 1, "bbox": [10, 10, 30, 40], "area": 1200, "iscrowd": 0,
         "segmentation": [[10, 10, 40, 10, 40, 50, 10, 50]]},
        {"id": 32, "image_id": 9, "category_id": 18, "bbox": [5, 5, 50, 60], "area": 3000, "iscrowd": 0,
         "segmentation": {"size": [90, 60], "counts": [100, 300, 5000]}},
    ],
}  # fmt: skip
RESULTS = [
    {"image_id": 7, "category_id": 1, "bbox": [10, 10, 30, 40], "score": 0.9},
    {"image_id": 9, "category_id": 18, "bbox": [5, 5, 50, 60], "score": 0.8},
    {"image_id": 9, "category_id": 1, "bbox": [40, 50, 19, 20], "score": 0.1},
]
MASK = {"size": [90, 60], "counts": "T3\\9Xl4"}
"""Runs of 100, 300 and 5000 pixels (5400), compressed by pycocotools."""
MASKS = [{"image_id": 9, "category_id": 18, "segmentation": MASK, "score": 0.8}]


def altered(content, *place, to):
    """A copy with one value replaced; ``place`` leads to it."""
    result, spot = _spot(content, place)
    spot[place[-1]] = to
    return result


def without(content, *place):
    """A copy without one entry."""
    result, spot = _spot(content, place)
    del spot[place[-1]]
    return result


def _spot(content, place):
    """A copy, and what in it holds the end of ``place``."""
    result = copy.deepcopy(content)
    return result, functools.reduce(operator.getitem, place[:-1], result)


def _annotation(key, value):
    return altered(TRUTH, "annotations", 1, key, to=value)


def _doubled(part, number):
    return altered(TRUTH, part, to=[*TRUTH[part], {**TRUTH[part][0], "id": number}])


TRUTH_FAULTS = {
    "list": ([], "a list, expected annotations of COCO's form"),
    "results": (RESULTS, "a list, expected annotations of COCO's form"),
    "no categories": (without(TRUTH, "categories"), "no list of categories; expected"),
    "number for an image": (altered(TRUTH, "images", 1, to=5), r"1 entries of images are not whole .*: \[1\] is a int"),
    "no size": (without(TRUTH, "images", 0, "width"), r"\[0\] of id 7 lacks width"),
    "no area": (without(TRUTH, "annotations", 1, "area"), r"\[1\] of id 32 lacks area"),
    "size of nothing": (
        altered(TRUTH, "images", 0, "height", to=0),
        "1 images have no width and height in whole pixels above 0: 7",
    ),
    "image twice": (_doubled("images", 7), r"1 ids of images occur more than once: 7 \(2 times\)"),
    "annotation twice": (_doubled("annotations", 31), r"1 ids of annotations occur more than once: 31 \(2 times\)"),
    "category twice": (_doubled("categories", 18), r"1 ids of categories occur more than once: 18 \(2 times\)"),
    "id a string": (_doubled("images", "7"), r"1 entries of images are not whole .*: \[2\] has the id '7', no"),
    "unknown image": (_annotation("image_id", 8), r"1 annotations are of an unknown image: 32 \(image_id 8\)"),
    "unknown category": (_annotation("category_id", 2), r"are of an unknown category: 32 \(category_id 2\)"),
    "box of 3": (_annotation("bbox", [1, 2, 3]), r"have a bbox that is not 4 finite numbers: 32 \(bbox \[1, 2, 3\]\)"),
    "box with NaN": (_annotation("bbox", [1, 2, 3, math.nan]), r"not 4 finite numbers: 32 \(bbox \[1, 2, 3, nan\]\)"),
    "area infinite": (_annotation("area", math.inf), r"an area that is not 0 to 1e\+10 pixels: 32 \(area inf\)"),
    "area negative": (_annotation("area", -1), r"pixels: 32 \(area -1\)"),
    "area beyond COCO's": (_annotation("area", 2e10), r"pixels: 32 \(area 20000000000.0\)"),
    "crowd of 2": (_annotation("iscrowd", 2), r"an iscrowd that is neither 0 nor 1: 32 \(iscrowd 2\)"),
    "no object": (altered(TRUTH, "annotations", to=[]), "none of its 0 annotations is an object"),
    "only crowds": (
        altered(TRUTH, "annotations", to=[{**a, "iscrowd": 1} for a in TRUTH["annotations"]]),
        "none of its 2 annotations is an object",
    ),
    "no image": ({part: [] for part in TRUTH}, "none of its 0 annotations is an object"),
}
"""Name -> (ground truth, what the error says)."""


def _detection(key, value):
    return altered(RESULTS, 1, key, to=value)


RESULT_FAULTS = {
    "dict": ({"results": RESULTS}, "a dict, expected a list of detections"),
    "ground truth": (TRUTH, "a dict, expected a list of detections"),
    "list of lists": ([[7, 1, 2, 3]], r"1 of 1 detections are not whole: \[0\] is a list"),
    "no score": (without(RESULTS, 1, "score"), r"1 of 3 detections are not whole: \[1\] of image 9 lacks score"),
    "no box": (without(RESULTS, 0, "bbox"), r"\[0\] of image 7 lacks bbox"),
    "no image": (without(RESULTS, 2, "image_id"), r"\[2\] lacks image_id"),
    "unknown image": (_detection("image_id", 8), r"1 of 3 detections are of an unknown image: \[1\] of image 8;"),
    "image a string": (_detection("image_id", "9"), r"of an unknown image: \[1\] of image '9';"),
    "unknown category": (
        _detection("category_id", 2),
        r"1 of 3 detections are of an unknown category: \[1\] of image 9: category_id 2;",
    ),
    "box of 5": (
        _detection("bbox", [1, 2, 3, 4, 5]),
        r"\[1\] of image 9: \[1, 2, 3, 4, 5\]; expected x y width height",
    ),
    "box of text": (
        _detection("bbox", "1 2 3 4"),
        r"1 of 3 detections have a bbox that is not 4 finite numbers: \[1\]",
    ),
    "box infinite": (_detection("bbox", [1, 2, 3, math.inf]), r"\[1\] of image 9: \[1, 2, 3, inf\]"),
    "box beyond all floats": (_detection("bbox", [1, 2, 3, 10**400]), "1 of 3 detections have a bbox that is not 4"),
    "width negative": (
        _detection("bbox", [40, 5, -3, 4]),
        r"1 of 3 detections have a bbox of negative width or height: \[1\] of image 9: \[40, 5, -3, 4\]",
    ),
    "height negative": (_detection("bbox", [4, 50, 3, -4]), r"negative width or height: \[1\] of image 9"),
    "score NaN": (_detection("score", math.nan), r"a score that is no finite number: \[1\] of image 9: nan"),
    "score infinite": (_detection("score", -math.inf), r"\[1\] of image 9: -inf"),
    "score text": (_detection("score", "0.9"), r"\[1\] of image 9: '0.9'"),
    "score a bool": (_detection("score", True), r"\[1\] of image 9: True"),
    "corners": (
        [{**d, "bbox": [x, y, x + w, y + h]} for d in RESULTS for x, y, w, h in [d["bbox"]]],
        r"corners, x1 y1 x2 y2: read so, 3 of 3 .* 1 go far beyond, the first being \[2\] of image 9: "
        r"\[40, 50, 59, 70\] in 60x90 pixels; write x y width height",
    ),
}
"""Name -> (detections, what the error says of them)."""


def _mask(key, value):
    return altered(MASKS, 0, "segmentation", key, to=value)


MASK_FAULTS = {
    "boxes": (RESULTS, r"3 of 3 detections are not whole: \[0\] of image 7 lacks segmentation"),
    "polygon": (
        altered(MASKS, 0, "segmentation", to=TRUTH["annotations"][0]["segmentation"]),
        r"1 of 1 detections have no mask of their image: \[0\] of image 9 \(no compressed run lengths",
    ),
    "sides swapped": (
        _mask("size", [60, 90]),
        r"\[0\] of image 9 \(size \[60, 90\], and the image has height .*90, 60",
    ),
    "not compressed": (_mask("counts", [100, 300, 5000]), "counts that are no string"),
    "cut off": (_mask("counts", MASK["counts"][:-1]), "counts that are no run lengths of its 5400 pixels"),
    "a run missing": (_mask("counts", MASK["counts"][:2]), "counts that are no run lengths of its 5400 pixels"),
    "nothing": (_mask("counts", ""), "counts that are no run lengths of its 5400 pixels"),
    "other characters": (_mask("counts", "é 1"), "counts that are no run lengths of its 5400 pixels"),
}
"""Name -> (masks, what the error says of them)."""


def _segmentation(value):
    return _annotation("segmentation", value)


TRUTH_MASK_FAULTS = {
    "none": without(TRUTH, "annotations", 1, "segmentation"),
    "empty": _segmentation([]),
    "two points": _segmentation([[1, 2, 3, 4]]),
    "odd": _segmentation([[1, 2, 3, 4, 5, 6, 7]]),
    "size of another image": _segmentation({"size": [80, 100], "counts": [8000]}),
    "too few pixels": _segmentation({"size": [90, 60], "counts": [100, 300]}),
    "negative run": _segmentation({"size": [90, 60], "counts": [100, -300, 5600]}),
    "text for runs": _segmentation({"size": [90, 60], "counts": ["100", 300, 5000]}),
}
"""Name -> ground truth whose annotation 32 has no usable mask."""
