"""What a training will need: measured steps, multiplied."""

import itertools

import pytest
import torch

from aabench.train import cost as cost_module
from aabench.train import estimate
from tests.train.small import plan, sets

pytestmark = pytest.mark.alone


@pytest.fixture
def clock(monkeypatch):
    """Every reading comes half a second after the one before."""
    readings = itertools.count(0, 0.5)
    monkeypatch.setattr(cost_module.time, "perf_counter", lambda: next(readings))


def test_hours_by_hand(clock):
    # A step on 16 images takes half a second: 32 images/s. 2 epochs of 2 steps of 32 images: 128 images, 4 seconds.
    found = estimate(plan(recipe_changes={"batch_size": 32}), sets()[0])
    assert (found.steps, found.measured_batch, found.images_per_second) == (4, 16, 32)
    assert found.hours == pytest.approx(4 / 3600)


def test_measuring_ends_when_time_is_up(clock, monkeypatch):
    # A reading a step: 0 s for the warm-up, and then half a second each.
    monkeypatch.setattr(cost_module, "SECONDS", 1.0)
    assert estimate(plan(), sets()[0]).measured_steps == 2
    monkeypatch.setattr(cost_module, "SECONDS", 1.5)
    assert estimate(plan(), sets()[0]).measured_steps == 3
    monkeypatch.setattr(cost_module, "SECONDS", 1000.0)
    assert estimate(plan(), sets()[0]).measured_steps == cost_module.MOST_STEPS


def test_a_micro_batch_is_what_is_measured():
    assert estimate(plan(recipe_changes={"accumulate": 4}), sets()[0]).measured_batch == 4


def test_the_steps_are_those_of_the_plan():
    train_set = sets()[0]
    assert estimate(plan(max_steps=5), train_set).steps == 5
    assert estimate(plan(recipe_changes={"epochs": 7}), train_set).steps == 28


def test_generators_are_left_as_they_were():
    before = torch.get_rng_state()
    assert estimate(plan(), sets()[0]).images_per_second > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_quick_step_is_tried_with_more_images(monkeypatch):
    # Each step takes 0.1 s whatever it holds: the whole batch is measured, for 16 images would tell too much.
    readings = itertools.count(0, 0.1)
    monkeypatch.setattr(cost_module.time, "perf_counter", lambda: next(readings))
    found = estimate(plan(recipe_changes={"batch_size": 64}), sets()[0])
    assert (found.measured_batch, found.measured_steps) == (64, cost_module.MOST_STEPS)
    assert found.images_per_second == pytest.approx(640)
