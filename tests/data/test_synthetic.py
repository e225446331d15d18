"""The stand-in for CIFAR-100: the same format, repeatable, learnable, but not by looking at one pixel."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from aabench.data import Transform, draw_epoch, synthetic_cifar


def test_it_has_cifars_format():
    data = synthetic_cifar(images_per_class=2)
    assert data.images.shape == (200, 3, 32, 32)
    assert (data.images.dtype, data.labels.dtype, data.num_classes) == (torch.uint8, torch.int64, 100)
    assert data.labels.bincount().tolist() == [2] * 100
    assert data.images.float().std() > 30  # uses the range of grey levels
    assert (data.images == 255).float().mean() < 0.05


def test_equal_arguments_give_equal_images_whatever_torchs_seed():
    first = synthetic_cifar(num_classes=5, images_per_class=3, seed=7)
    torch.manual_seed(1)
    again = synthetic_cifar(num_classes=5, images_per_class=3, seed=7)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)


@pytest.mark.parametrize("other", [{"seed": 8}, {"split": "test"}])
def test_other_seeds_and_splits_give_other_images(other):
    first = synthetic_cifar(num_classes=5, images_per_class=20, seed=7)
    second = synthetic_cifar(**{"num_classes": 5, "images_per_class": 20, "seed": 7, **other})
    assert not set(map(bytes, first.images.flatten(1).numpy())) & set(map(bytes, second.images.flatten(1).numpy()))


def test_its_first_images_are_of_all_classes():
    few = synthetic_cifar(num_classes=10, images_per_class=50).first(100)
    assert len(few) == 100
    assert few.labels.unique().tolist() == list(range(10))
    assert few.source.endswith("first 100 of 500 images")


def test_no_pixel_tells_the_class():
    train = synthetic_cifar(num_classes=20, images_per_class=50)
    test = synthetic_cifar(num_classes=20, split="test", images_per_class=50)
    x, y = train.images.double(), test.images.double()
    means = torch.stack([x[train.labels == label].mean(0) for label in range(20)])
    # The nearest class mean by the colours of one pixel, for every pixel: chance is 5 %.
    distance = ((y[:, None] - means[None]) ** 2).sum(2)
    accuracy = (distance.argmin(1) == test.labels[:, None, None]).double().mean(0)
    assert accuracy.max() < 0.3


def test_a_small_convnet_learns_it_in_100_steps():
    train = synthetic_cifar(num_classes=20, images_per_class=100)
    test = synthetic_cifar(num_classes=20, split="test", images_per_class=20)
    transform = Transform("cifar100", (32, 32))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            *(nn.Conv2d(3, 16, 5, 2), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 5, 2), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 20)),
        )
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9)
    for step in range(100):
        draw = draw_epoch(0, step // 31, len(train))
        images, labels = draw.batch(train.images, train.labels, slice(step % 31 * 64, step % 31 * 64 + 64))
        loss = F.cross_entropy(model(transform(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(transform(test.images)).argmax(1) == test.labels).float().mean()
    assert accuracy > 0.5
