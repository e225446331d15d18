"""Scores on a test set, each image exactly once."""

from aabench.evaluate.classify import Precision, Scores, evaluate
from aabench.evaluate.coco import METRICS, DetectionScores, coco_scores
from aabench.evaluate.coco_ground_truth import check_ground_truth, read_ground_truth
from aabench.evaluate.coco_results import IouType, check_results, read_results
from aabench.evaluate.detect import Detections, detect_all, evaluate_detector, score_detections
from aabench.evaluate.mask import pack_mask, unpack_mask

__all__ = [
    "METRICS",
    "DetectionScores",
    "Detections",
    "IouType",
    "Precision",
    "Scores",
    "check_ground_truth",
    "check_results",
    "coco_scores",
    "detect_all",
    "evaluate",
    "evaluate_detector",
    "pack_mask",
    "read_ground_truth",
    "read_results",
    "score_detections",
    "unpack_mask",
]
