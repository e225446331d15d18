"""COCO's average precision and recall, each image exactly once.

The numbers are faster-coco-eval's, and pycocotools' to 1e-9 (tests/evaluate/test_coco_parity.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aabench.data.coco_boxes import box_faults
from aabench.evaluate.coco_ground_truth import check_ground_truth, check_masks, check_objects, read_ground_truth
from aabench.evaluate.coco_results import PLACES, IouType, check_results, read_results

METRICS = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)
"""COCO's twelve numbers, in its own order."""
CURVE = ("AP", "AP50")
"""Those of them that a learning curve shows."""


@dataclass(frozen=True)
class DetectionScores:
    """What detections score. All values are plain.

    Attributes:
        metrics: by :data:`METRICS`, a share 0..1; None where the ground truth has no object of that kind.
        images: of the ground truth, those without detections too: their objects count as missed.
        results: detections judged. COCO takes the best 100 for an image and category.
        unreadable: why an image could not be read, by its name.
        digest: of the detections, to tell equal ones; None where nobody asked for it.
        box_faults: the ground truth's boxes without area or beyond their image, in words. They are judged as they are,
            as COCO does.
    """

    metrics: dict[str, float | None]
    images: int
    results: int
    unreadable: dict[str, str] = field(default_factory=dict)
    digest: str | None = None
    box_faults: tuple[str, ...] = ()

    @property
    def ap(self) -> float:
        """AP: mean over IoU 0.50, 0.55, ..., 0.95 and categories, 0..1."""
        value = self.metrics["AP"]
        assert value is not None  # coco_scores refuses ground truth without an object
        return value

    @property
    def rank(self) -> float:
        """What the best epoch has most of: the AP."""
        return self.ap

    @property
    def curve_values(self) -> dict[str, float | None]:
        """What a learning curve shows of them, in percent."""
        return {name: None if share is None else 100 * share for name, share in self.metrics.items() if name in CURVE}


def coco_scores(
    ground_truth: dict[str, Any] | Path, results: list[dict[str, Any]] | Path, *, iou_type: IouType = "bbox"
) -> DetectionScores:
    """COCO's twelve numbers of detections. What is given is not changed.

    Detections of equal score rank by their image's id, then by their place in the list, as in pycocotools.

    Three habits of pycocotools are not kept, as they would give other numbers for the same detections: masks are
    judged by their own area even where a result also has a box; annotations are numbered from 1 on, since it takes a
    match with id 0 for none; and no detection at all scores 0, where it fails.

    Args:
        ground_truth: as COCO's ``instances_*.json``, or such a file. Each of its images counts exactly once.
        results: COCO's results format, or such a file: dicts of ``image_id``, ``category_id``, ``score`` and, in
            pixels, ``bbox`` (x y width height) or, for ``segm``, ``segmentation`` (compressed run lengths). None
            at all is legal.
        iou_type: whether boxes or masks are compared.

    Raises:
        AABenchError: the ground truth holds no object, or something in either is wrong (:func:`check_ground_truth`,
            :func:`check_results`).
    """
    truth = _checked_truth(ground_truth, iou_type)
    if isinstance(results, Path):
        detections, results_name = read_results(results), str(results)
    else:
        detections, results_name = results, "the results"
    check_results(detections, truth, iou_type=iou_type, name=results_name)
    stats = _evaluate(_truth_of(truth, iou_type), _detections_of(detections, truth, iou_type), iou_type)
    metrics = {name: None if value < 0 else value for name, value in zip(METRICS, stats, strict=True)}
    return DetectionScores(metrics, images=len(truth["images"]), results=len(detections), box_faults=box_faults(truth))


def _checked_truth(given: dict[str, Any] | Path, iou_type: IouType) -> dict[str, Any]:
    if isinstance(given, Path):
        truth, name = read_ground_truth(given), str(given)
    else:
        truth, name = given, "the ground truth"
        check_ground_truth(truth)
    if iou_type == "segm":
        check_masks(truth, name=name)
    check_objects(truth, name=name)
    return truth


def _evaluate(truth: dict[str, Any], detections: dict[str, Any], iou_type: IouType) -> list[float]:
    """The twelve numbers, -1 where there is no object of that kind."""
    from faster_coco_eval import COCO, COCOeval_faster

    back_end = COCOeval_faster(
        COCO(truth, print_function=_silent),
        COCO(detections, print_function=_silent),
        iouType=iou_type,
        print_function=_silent,
    )
    back_end.run()
    return [float(value) for value in back_end.stats]


def _silent(message: str) -> None:
    """What the back end has to tell."""


def _truth_of(truth: dict[str, Any], iou_type: IouType) -> dict[str, Any]:
    """What the back end needs of ground truth, in dicts of its own, as it writes into them."""
    annotations = []
    for number, annotation in enumerate(truth["annotations"], start=1):
        kept = _plain(number, annotation, iscrowd=int(annotation.get("iscrowd", 0)), area=annotation["area"])
        kept[PLACES[iou_type]] = annotation[PLACES[iou_type]]
        annotations.append(kept)
    return _with(annotations, truth)


def _detections_of(results: list[dict[str, Any]], truth: dict[str, Any], iou_type: IouType) -> dict[str, Any]:
    """Detections as the back end keeps them: with an area, which is that of what is compared."""
    from faster_coco_eval import mask

    annotations = []
    for number, detection in enumerate(results, start=1):
        where = detection[PLACES[iou_type]]
        if iou_type == "bbox":
            where = [float(value) for value in where]
        area = where[2] * where[3] if iou_type == "bbox" else mask.area(where)
        kept = _plain(number, detection, iscrowd=0, area=area)
        kept |= {PLACES[iou_type]: where, "score": float(detection["score"])}
        annotations.append(kept)
    return _with(annotations, truth)


def _plain(number: int, entry: dict[str, Any], *, iscrowd: int, area: float) -> dict[str, Any]:
    """What annotations and detections have in common, in Python's own numbers."""
    ids = {key: int(entry[key]) for key in ("image_id", "category_id")}
    return {"id": number, **ids, "iscrowd": iscrowd, "area": float(area)}


def _with(annotations: list[dict[str, Any]], truth: dict[str, Any]) -> dict[str, Any]:
    return {
        "images": [{key: int(image[key]) for key in ("id", "width", "height")} for image in truth["images"]],
        "categories": [{"id": int(category["id"])} for category in truth["categories"]],
        "annotations": annotations,
    }
