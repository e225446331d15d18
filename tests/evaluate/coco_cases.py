"""Ground truths and detections made by hypothesis, and what pycocotools says of them."""

import contextlib
import copy
import io

import numpy as np
from hypothesis import strategies as st
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

WIDTH, HEIGHT = 200, 160


def reference(truth, results, iou_type):
    """pycocotools' twelve numbers, used as its own demo does."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = copy.deepcopy(truth)
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(copy.deepcopy(results)), iou_type)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.array(evaluation.stats)


def as_detections(truth, *, crowds=True):
    """Each annotation as a detection of score 1."""
    return [
        {"score": 1.0, **{key: annotation[key] for key in ("image_id", "category_id", "bbox")}}
        for annotation in truth["annotations"]
        if crowds or not annotation["iscrowd"]
    ]


def polygon(box):
    """The outline of x y width height."""
    x, y, w, h = box
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def compressed(box):
    """A box as a mask of COCO's results format."""
    (runs,) = mask.frPyObjects(polygon(box), HEIGHT, WIDTH)
    return {"size": [HEIGHT, WIDTH], "counts": runs["counts"].decode()}


# Around the limits of COCO's areas, 32 and 96 pixels squared, on a grid on which overlaps are often equal.
sides = st.sampled_from([0, 1, 8, 31, 32, 33, 64, 95, 96, 97, 150]) | st.floats(0.5, 150)
places = st.integers(0, 12).map(lambda step: 8 * step) | st.floats(0, 100)
boxes = st.tuples(places, places, sides, sides).map(list)
scores = st.sampled_from([0, 0.25, 0.5, 1, -1]) | st.floats(0, 1)


def some(entries, most, **options):
    """Lists of 1 to ``most``, each length as likely."""
    return st.integers(1, most).flatmap(lambda n: st.lists(entries, min_size=n, max_size=n, **options))


@st.composite
def objects(draw, images, categories):
    box = draw(boxes)
    return {
        "image_id": draw(st.sampled_from(images)),
        "category_id": draw(st.sampled_from(categories)),
        "bbox": box,
        "area": box[2] * box[3] * draw(st.sampled_from([1, 1, 0.5])),
        "iscrowd": int(draw(st.integers(0, 4)) == 0),
        "segmentation": polygon(box),
    }


@st.composite
def detections(draw, images, categories, known):
    """Some detections: near an object or anywhere, alone or many of the same box."""
    if draw(st.booleans()):
        near = draw(st.sampled_from(known))
        image, category, (x, y, w, h) = near["image_id"], near["category_id"], near["bbox"]
        box = [x + draw(st.sampled_from([0, 0, 0.5, 4])), y, w * draw(st.sampled_from([1, 1, 0.75, 1.5])), h]
    else:
        image, category, box = draw(st.sampled_from(images)), draw(st.sampled_from(categories)), draw(boxes)
    score, step = draw(scores), draw(st.sampled_from([0, 0.001]))
    times = draw(st.sampled_from([1, 1, 1, 1, 2, 120]))
    found = {"image_id": image, "category_id": category, "bbox": box}
    return [{**found, "score": score - step * place} for place in range(times)]


@st.composite
def cases(draw):
    """(ground truth, results), both with boxes and masks."""
    images = draw(some(st.integers(0, 10**6), 4, unique=True))
    categories = draw(some(st.integers(1, 90), 3, unique=True))
    known = draw(some(objects(images, categories), 10))
    known[0]["iscrowd"] = 0  # one object at least, without which there is no score
    known += draw(st.lists(st.sampled_from(known), max_size=2))
    found = draw(some(detections(images, categories, known), 8))
    found = [detection for some in found for detection in some]
    change = draw(st.sampled_from([barely_beyond, either, None]))
    if change is not None:
        found = [{**detection, "bbox": change(detection["bbox"])} for detection in found]
    else:
        # Read as corners it is none. More than 5 % of such settle that the others are boxes, however far beyond.
        first = {"image_id": images[0], "category_id": categories[0], "bbox": [150, 10, 20, 20], "score": draw(scores)}
        found = [first] * (1 + len(found) // 15) + found
    truth = {
        "images": [{"id": image, "width": WIDTH, "height": HEIGHT} for image in images],
        "categories": [{"id": category} for category in categories],
        "annotations": [{**annotation, "id": number} for number, annotation in enumerate(known, start=1)],
    }
    return truth, found


def barely_beyond(box):
    """A box cut so that it goes beyond its image by less than 5 % of a side."""
    x, y, w, h = box
    return [x, y, min(w, 1.04 * WIDTH - x), min(h, 1.04 * HEIGHT - y)]


def either(box):
    """A box at this place, but within the first half, that goes barely beyond its image and fits as corners too."""
    x, y = min(box[0], WIDTH / 2), min(box[1], HEIGHT / 2)
    return [x, y, min(1.04 * WIDTH - x, WIDTH), min(1.04 * HEIGHT - y, HEIGHT)]


def with_masks(results):
    """The same detections as masks."""
    return [
        {key: value for key, value in detection.items() if key != "bbox"}
        | {"segmentation": compressed(detection["bbox"])}
        for detection in results
    ]
