"""Data sets in memory, what is drawn for each epoch, and what images go through before a network."""

from aabench.data.cifar import check_cifar, load_cifar
from aabench.data.epoch import EpochDraw, draw_epoch
from aabench.data.image_set import ImageSet
from aabench.data.synthetic import synthetic_cifar
from aabench.data.transform import NORMALISATIONS, Normalisation, Transform

__all__ = [
    "NORMALISATIONS",
    "EpochDraw",
    "ImageSet",
    "Normalisation",
    "Transform",
    "check_cifar",
    "draw_epoch",
    "load_cifar",
    "synthetic_cifar",
]
