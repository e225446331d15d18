"""Data sets in memory and in files, what is drawn for each epoch, and what images go through before a network."""

from aabench.data.batch import Batch, Images, Unreadable
from aabench.data.cifar import check_cifar, load_cifar
from aabench.data.coco import CocoFiles, load_coco
from aabench.data.coco_synthetic import write_synthetic_coco
from aabench.data.detection import DetectionBatch
from aabench.data.epoch import EpochDraw, draw_epoch
from aabench.data.held_out import hold_out
from aabench.data.image_files import ImageFiles
from aabench.data.image_set import ImageSet
from aabench.data.imagenet import load_imagenet
from aabench.data.synthetic import synthetic_cifar
from aabench.data.transform import NORMALISATIONS, CanvasTransform, Normalisation, Transform

__all__ = [
    "NORMALISATIONS",
    "Batch",
    "CanvasTransform",
    "CocoFiles",
    "DetectionBatch",
    "EpochDraw",
    "ImageFiles",
    "ImageSet",
    "Images",
    "Normalisation",
    "Transform",
    "Unreadable",
    "check_cifar",
    "draw_epoch",
    "hold_out",
    "load_cifar",
    "load_coco",
    "load_imagenet",
    "synthetic_cifar",
    "write_synthetic_coco",
]
