"""Scores on a test set, each image exactly once."""

from aabench.evaluate.classify import Precision, Scores, evaluate
from aabench.evaluate.coco import METRICS, DetectionScores, coco_scores
from aabench.evaluate.detect import Detections, detect_all, evaluate_detector, score_detections
from aabench.evaluate.mask import pack_mask, unpack_mask

__all__ = [
    "METRICS",
    "DetectionScores",
    "Detections",
    "Precision",
    "Scores",
    "coco_scores",
    "detect_all",
    "evaluate",
    "evaluate_detector",
    "pack_mask",
    "score_detections",
    "unpack_mask",
]
