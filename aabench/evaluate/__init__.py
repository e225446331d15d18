"""Scores on a test set, each image exactly once."""

from aabench.evaluate.classify import Precision, Scores, evaluate
from aabench.evaluate.mask import pack_mask, unpack_mask

__all__ = ["Precision", "Scores", "evaluate", "pack_mask", "unpack_mask"]
