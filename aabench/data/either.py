"""Data sets of either kind: labelled images, or images with boxes."""

from __future__ import annotations

from aabench.data.batch import Batch, Images
from aabench.data.coco import CocoFiles
from aabench.data.detection import DetectionBatch

AnyImages = Images | CocoFiles
AnyBatch = Batch | DetectionBatch
