"""What is drawn for an epoch, and the crops and flips that come of it."""

import numpy as np
import pytest
import torch

from aabench.data import ImageSet, draw_epoch, synthetic_cifar
from aabench.data.augment import crop_flip


def random_images(count, channels=3, height=7, width=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8)


def test_a_centred_crop_is_the_image():
    images = random_images(3)
    assert torch.equal(crop_flip(images, torch.full((3, 2), 4), torch.zeros(3, dtype=torch.bool)), images)


def test_a_flip_mirrors_left_to_right():
    images = random_images(2)
    flipped = crop_flip(images, torch.full((2, 2), 4), torch.tensor([True, False]))
    assert torch.equal(flipped[0], images[0].flip(2))
    assert torch.equal(flipped[1], images[1])


def test_an_offset_crop_shows_black_where_the_image_ends():
    images = random_images(1)
    (cropped,) = crop_flip(images, torch.tensor([[4 + 2, 4 - 1]]), torch.tensor([False]))
    assert torch.equal(cropped[:, :-2, 1:], images[0, :, 2:, :-1])
    assert cropped[:, -2:].unique().tolist() == [0]
    assert cropped[:, :, 0].unique().tolist() == [0]


def test_whole_batches_equal_a_loop_over_padded_images():
    images = random_images(50)
    draw = draw_epoch(seed=3, epoch=2, images=50)
    together = crop_flip(images, draw.offsets, draw.flips).numpy()
    for image, (top, left), flip, got in zip(
        images.numpy(), draw.offsets.tolist(), draw.flips.tolist(), together, strict=True
    ):
        cut = np.pad(image, ((0, 0), (4, 4), (4, 4)))[:, top : top + 7, left : left + 5]
        np.testing.assert_array_equal(got, cut[:, :, ::-1] if flip else cut)


def test_an_epoch_shows_every_image_once():
    assert draw_epoch(seed=1, epoch=5, images=1000).order.sort().values.tolist() == list(range(1000))


def test_offsets_and_flips_cover_their_range_evenly():
    draw = draw_epoch(seed=1, epoch=0, images=90_000)
    for counts in (draw.offsets[:, 0].bincount(), draw.offsets[:, 1].bincount()):
        # 10,000 each; a standard deviation is 94.
        assert len(counts) == 9
        assert (counts - 10_000).abs().max() < 500
    assert draw.flips.float().mean().item() == pytest.approx(0.5, abs=0.01)


def test_the_draw_depends_on_seed_and_epoch_alone():
    first = draw_epoch(seed=1, epoch=2, images=100)
    torch.manual_seed(99)
    again = draw_epoch(seed=1, epoch=2, images=100)
    assert torch.equal(first.order, again.order)
    assert torch.equal(first.offsets, again.offsets)
    assert torch.equal(first.flips, again.flips)


def test_neighbouring_seeds_and_epochs_share_nothing():
    orders = {tuple(draw_epoch(seed, epoch, images=100).order.tolist()) for seed in range(-1, 9) for epoch in range(10)}
    assert len(orders) == 100


def test_torchs_own_generator_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    draw_epoch(seed=1, epoch=0, images=10)
    assert torch.equal(torch.rand(1), expected)


def test_batches_of_an_epoch_hold_each_image_with_its_label():
    data = ImageSet(random_images(12), torch.arange(12), 12, "numbered")
    draw = draw_epoch(seed=0, epoch=0, images=12)
    seen = []
    for start in (0, 5, 10):
        rows = slice(start, start + 5)
        images, labels = draw.batch(data.images, data.labels, rows)
        assert torch.equal(images, crop_flip(data.images[labels], draw.offsets[rows], draw.flips[rows]))
        seen += labels.tolist()
    assert sorted(seen) == list(range(12))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_augments_bit_for_bit_like_the_cpu():
    data = synthetic_cifar(num_classes=4, images_per_class=8)
    draw = draw_epoch(seed=0, epoch=0, images=32)
    images, labels = draw.to("cuda").batch(data.images.cuda(), data.labels.cuda(), slice(0, 32))
    expected, expected_labels = draw.batch(data.images, data.labels, slice(0, 32))
    assert torch.equal(images.cpu(), expected)
    assert torch.equal(labels.cpu(), expected_labels)
