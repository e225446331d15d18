"""Scores on a test set, each image exactly once."""

from aabench.evaluate.classify import Precision, Scores, evaluate
from aabench.evaluate.coco import METRICS, DetectionScores, coco_scores
from aabench.evaluate.coco_ground_truth import check_ground_truth, read_ground_truth
from aabench.evaluate.coco_results import IouType, check_results, read_results
from aabench.evaluate.mask import pack_mask, unpack_mask

__all__ = [
    "METRICS",
    "DetectionScores",
    "IouType",
    "Precision",
    "Scores",
    "check_ground_truth",
    "check_results",
    "coco_scores",
    "evaluate",
    "pack_mask",
    "read_ground_truth",
    "read_results",
    "unpack_mask",
]
