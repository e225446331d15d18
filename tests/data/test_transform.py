"""Normalisation and resizing."""

import math

import numpy as np
import pytest
import torch

from aabench.data import NORMALISATIONS, Transform, load_cifar


@pytest.mark.data
def test_constants_are_those_of_the_training_set(data_root):
    images = load_cifar("cifar100", data_root, "train").images
    # By counting each grey level, so that nothing is rounded on the way.
    levels = np.arange(256)
    counts = [np.bincount(images[:, channel].numpy().ravel(), minlength=256) for channel in range(3)]
    mean = [(levels * count).sum() / count.sum() / 255 for count in counts]
    square = [(levels**2 * count).sum() / count.sum() / 255**2 for count in counts]
    std = [math.sqrt(s - m * m) for s, m in zip(square, mean, strict=True)]
    assert NORMALISATIONS["cifar100"].mean == pytest.approx(mean, abs=6e-7)
    assert NORMALISATIONS["cifar100"].std == pytest.approx(std, abs=6e-7)


def test_black_and_white_under_imagenet_constants():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    black, white = Transform("imagenet", (2, 2))(images)
    # -mean / std and (1 - mean) / std for red 0.485 / 0.229, green 0.456 / 0.224, blue 0.406 / 0.225.
    assert black[:, 0, 0].tolist() == pytest.approx([-2.117904, -2.035714, -1.804444], abs=1e-5)
    assert white[:, 1, 1].tolist() == pytest.approx([2.248908, 2.428571, 2.640000], abs=1e-5)
    assert black.dtype == torch.float32


def test_black_under_dianets_constants():
    black = Transform("dianet", (1, 1))(torch.zeros(1, 3, 1, 1, dtype=torch.uint8))
    # -0.4914 / 0.2023, -0.4822 / 0.1994, -0.4465 / 0.2010: ean.md section 3
    assert black.flatten().tolist() == pytest.approx([-2.429066, -2.418255, -2.221393], abs=1e-5)


def test_caffe_has_blue_first_and_takes_a_level_off_each_channel():
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    assert Transform("caffe", (1, 1))(red).flatten().tolist() == [-104, -117, 255 - 123]


def test_the_input_is_left_as_it_was():
    images = torch.full((1, 3, 2, 2), 7, dtype=torch.uint8)
    Transform("cifar100", (2, 2))(images)
    assert images.unique().tolist() == [7]


def test_other_sizes_are_resized_bilinearly():
    row = torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 4, 2)
    x = Transform("imagenet", (4, 4))(row)
    black, white = x[0, 0, 0, 0], x[0, 0, 0, 3]
    # Pixel centres of the four columns lie at -0.25, 0.25, 0.75, 1.25 of the two given ones.
    share = (x[0, 0, 0] - black) / (white - black)
    assert share.tolist() == pytest.approx([0, 0.25, 0.75, 1], abs=1e-6)


def test_shrinking_averages_instead_of_skipping():
    stripes = (torch.arange(32) % 2 * 255).to(torch.uint8).expand(1, 3, 32, 32)
    x = Transform("imagenet", (32, 8))(stripes)
    grey = (0.5 - 0.485) / 0.229
    assert x.shape == (1, 3, 32, 8)
    torch.testing.assert_close(x[0, 0, :, 2:-2], torch.full((32, 4), grey), atol=0.05, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_normalises_bit_for_bit_like_the_cpu():
    images = torch.arange(256, dtype=torch.uint8).repeat(12).view(1, 3, 32, 32)
    transform = Transform("cifar100", (32, 32))
    assert torch.equal(transform(images.cuda()).cpu(), transform(images))
