"""The learning rate over training: values derived by hand."""

import pytest
import torch

from aabench.catalog import load_catalog
from aabench.train.schedule import learning_rate, make_schedule, peak_rate, share_of_peak
from tests.train.small import recipe

COSINE = recipe(epochs=100, lr=0.128, lr_batch=256, batch_size=512, warmup_epochs=5)
EXPONENTIAL = recipe(epochs=30, schedule="exponential", decay_epochs=2.4, gamma=0.5, warmup_epochs=5)
STEP = recipe(epochs=100, schedule="step", milestones=(30, 60, 80, 90), gamma=0.1, warmup_epochs=5)


def test_the_peak_scales_with_the_batch():
    assert peak_rate(COSINE) == pytest.approx(0.256)
    recipes = load_catalog().recipes
    assert peak_rate(recipes["aanet-cifar100"]) == pytest.approx(0.8)  # 0.2 x 1024 / 256
    assert peak_rate(recipes["aanet-cifar100-augmented"]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("epoch", "share"),
    [
        (0, 0),
        (1, 0.2),
        (2.5, 0.5),
        (5, 1),
        (28.75, 0.8535533905932737),  # a quarter of the 95 epochs left: (1 + cos 45 degrees) / 2
        (52.5, 0.5),
        (76.25, 0.1464466094067263),
        (100, 0),
    ],
)
def test_warm_up_then_cosine(epoch, share):
    assert share_of_peak(COSINE, epoch) == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize(
    ("epoch", "share"),
    [(0, 0), (2.5, 0.5), (5, 1), (29.999, 1), (30, 0.1), (59.9, 0.1), (60, 1e-2), (80, 1e-3), (90, 1e-4), (99.9, 1e-4)],
)
def test_warm_up_then_steps(epoch, share):
    assert share_of_peak(STEP, epoch) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(
    ("epoch", "share"),
    # Nothing is over before 2.4; 5 is after two decays; 7.2, 12 and 26.4 are the ends of the 3rd, 5th and 11th.
    [(0, 0), (2.5, 0.5), (5, 0.25), (7.1, 0.25), (7.2, 0.125), (11.9, 0.0625), (12, 0.03125), (26.4, 0.5**11)],
)
def test_warm_up_then_a_decay_each_2_4_epochs(epoch, share):
    assert share_of_peak(EXPONENTIAL, epoch) == pytest.approx(share, rel=1e-12)


def test_the_augmented_mnasnet_starts_at_half_the_rate_and_ends_at_the_same():
    recipes = load_catalog().recipes
    plain, augmented = recipes["aanet-mnasnet"], recipes["aanet-mnasnet-augmented"]
    assert (peak_rate(plain), peak_rate(augmented)) == (0.016, 0.008)
    last = 350 * 5004 - 1  # batches of 256 in ImageNet's 1,281,167 images
    rates = [learning_rate(recipe, last, 350 * 5004) for recipe in (plain, augmented)]
    assert rates[0] == pytest.approx(0.000193, rel=2e-3)  # ln: -4.135 - 145 x 0.030459 = -8.552
    assert rates[1] == pytest.approx(rates[0], rel=1e-4)


def test_without_warm_up_training_starts_at_the_peak():
    assert share_of_peak(recipe(epochs=10), 0) == 1


def test_warm_up_may_last_all_of_training():
    gentle = recipe(epochs=10, warmup_epochs=10)
    assert [share_of_peak(gentle, epoch) for epoch in (0, 5, 9)] == [0, 0.5, 0.9]


@pytest.mark.parametrize("steps_per_epoch", range(1, 50))
def test_a_milestone_falls_on_the_first_step_of_its_epoch(steps_per_epoch):
    rates = [learning_rate(STEP, 30 * steps_per_epoch + shift, 100 * steps_per_epoch) for shift in (-1, 0)]
    assert rates == [pytest.approx(0.1), pytest.approx(0.01)]


def test_a_schedule_is_squeezed_into_fewer_steps():
    # 200 steps for 100 epochs: 10 of warm-up, and the middle of the cosine at 105.
    assert [learning_rate(COSINE, step, 200) for step in (0, 5, 10, 105)] == [
        0,
        pytest.approx(0.128),
        pytest.approx(0.256),
        pytest.approx(0.128),
    ]


@pytest.mark.parametrize("chosen", [COSINE, STEP, EXPONENTIAL])
def test_torchs_schedule_follows_it_for_every_group(chosen):
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weight]} for weight in weights], lr=peak_rate(chosen))
    schedule = make_schedule(optimizer, chosen, total_steps=40)
    for step in range(40):
        expected = learning_rate(chosen, step, 40)
        assert [group["lr"] for group in optimizer.param_groups] == [pytest.approx(expected, rel=1e-12)] * 2
        optimizer.step()
        schedule.step()
