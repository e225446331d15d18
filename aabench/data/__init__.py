"""Data sets in memory and in files, what is drawn for each epoch, and what images go through before a network."""

from aabench.data.batch import Batch, Images, Unreadable
from aabench.data.cifar import check_cifar, load_cifar
from aabench.data.epoch import EpochDraw, draw_epoch
from aabench.data.held_out import hold_out
from aabench.data.image_files import ImageFiles
from aabench.data.image_set import ImageSet
from aabench.data.imagenet import load_imagenet
from aabench.data.synthetic import synthetic_cifar
from aabench.data.transform import NORMALISATIONS, Normalisation, Transform

__all__ = [
    "NORMALISATIONS",
    "Batch",
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
    "load_imagenet",
    "synthetic_cifar",
]
