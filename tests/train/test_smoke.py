"""The smoke run: it passes where training works, and each of its checks can fail."""

import signal

import pytest
import torch

from aabench.catalog import Smoke, Task, load_catalog
from aabench.data import ImageSet
from aabench.train import Interrupted, Silent, smoke, smoke_plan, smoke_sets
from aabench.train import resuming as resuming_module
from aabench.train import smoke as smoke_function
from aabench.train.state import TrainingState
from tests.train.small import CLASSES, recipe, sets

TASK = Task(
    name="small-task",
    paper="none",
    model="wide_resnet",
    arguments={"depth": 16, "width": 1},
    smoke_arguments={"depth": 10},
    data="cifar100",
    input_size=32,
    normalisation="cifar100",
    recipe="small",
    source=dict.fromkeys(("model", "input_size", "normalisation", "depth", "width"), "ours"),
)
NAMES = ["loss_fell", "above_chance", "round_trip", "resume"]


def run(tmp_path, *, chosen=None, train_set=None, **changes):
    default_train_set, test_set = sets(train=256, test=200)
    chosen = chosen or recipe()
    return smoke(
        TASK, chosen, train_set=train_set or default_train_set, test_set=test_set, directory=tmp_path, **changes
    )


def passed(result):
    return [check.name for check in result.checks if check.passed]


def test_a_training_that_works_passes(tmp_path):
    result = run(tmp_path)
    assert [check.name for check in result.checks] == NAMES
    assert result.passed, result.checks
    assert [step for step, _ in result.losses] == list(range(1, 41))
    assert [point.step for point in result.curve] == [16, 32, 40]
    assert result.scores.images == 200
    assert result.curve[-1].top1 == result.scores.top1_percent
    assert result.test_source.startswith("synthetic 4 classes test")
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    numbers = {check.name: check.numbers for check in result.checks}
    assert numbers["loss_fell"]["first"] == pytest.approx(sum(loss for _, loss in result.losses[:4]) / 4)
    assert numbers["loss_fell"]["last"] == pytest.approx(sum(loss for _, loss in result.losses[-4:]) / 4)
    assert numbers["above_chance"]["threshold"] == pytest.approx(30.0)  # 1.2 of 25 %
    assert (numbers["resume"]["interrupted_after"], numbers["resume"]["steps"]) == (3, 6)
    assert numbers["resume"]["values"] > 50


def test_wilsons_interval_decides():
    from aabench.evaluate import Scores
    from aabench.train.smoke import _above_chance

    def check(correct):
        return _above_chance(Scores(correct / 20, 0.0, correct, 0, 2000, 1.0, torch.empty(0)), 100, 2.0)

    # 60 of 2,000, z = 1.959964: (0.03 + 0.00096036 - 0.00753761) / 1.00192073.
    assert check(60).numbers["low"] == pytest.approx(2.337785, abs=1e-5)
    assert check(60).numbers["threshold"] == 2.0
    assert [check(correct).passed for correct in (40, 52, 53, 60)] == [False, False, True, True]


def test_a_network_that_does_not_learn_fails(tmp_path):
    chosen = recipe(smoke=Smoke(input_size=8, steps=40, batch_size=16, lr=1e-12, times_chance=1.2))
    result = run(tmp_path, chosen=chosen)
    assert not result.passed
    assert "above_chance" not in passed(result)
    assert {"round_trip", "resume"} <= set(passed(result))


def test_labels_without_meaning_fail(tmp_path):
    train_set = sets(train=256)[0]
    shuffled = ImageSet(train_set.images, train_set.labels.roll(1), CLASSES, "shuffled")
    assert "above_chance" not in passed(run(tmp_path, train_set=shuffled))


def test_weights_that_do_not_come_back_fail(tmp_path, monkeypatch):
    monkeypatch.setitem(smoke_function.__globals__, "load_weights", lambda model, file: "nothing loaded")
    assert passed(run(tmp_path)) == ["loss_fell", "above_chance", "resume"]


def test_a_state_that_does_not_come_back_fails(tmp_path, monkeypatch):
    restore = TrainingState.restore

    def forgetful(self, content, origin):
        restore(self, {**content, "optimizer": self.optimizer.state_dict()}, origin)

    monkeypatch.setattr(TrainingState, "restore", forgetful)
    result = run(tmp_path)
    assert passed(result) == ["loss_fell", "above_chance", "round_trip"]
    (check,) = (check for check in result.checks if check.name == "resume")
    assert check.numbers["differing"] > 0
    assert check.numbers["greatest_difference"] > 1e-6


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        (torch.tensor([1.0, 4.0]), torch.tensor([1.0, 4.0]), None),
        (torch.tensor([1.0, 4.0]), torch.tensor([1.0, 3.0]), 0.25),
        (torch.zeros(2), torch.zeros(3), float("inf")),
        (torch.zeros(1), 0.0, float("inf")),
        (2.0, 1.0, 0.5),
        ("a", "b", float("inf")),
        (None, None, None),
    ],
)
def test_differences_of_two_states(first, second, difference):
    assert resuming_module._difference(first, second) == difference


def test_what_a_signal_stops_is_not_kept(tmp_path):
    class Impatient(Silent):
        def step(self, step, *_):
            if step == 5:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="after step 5 of 40; a smoke run starts anew") as caught:
        run(tmp_path, progress=Impatient())
    assert (caught.value.exit_code, caught.value.checkpoint) == (130, None)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_during_the_resume_check_stops_too(tmp_path, monkeypatch):
    compare = resuming_module.compare_resumed

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGTERM)
        return compare(*arguments)

    monkeypatch.setitem(smoke_function.__globals__, "compare_resumed", interrupted)
    with pytest.raises(Interrupted, match="a smoke run starts anew") as caught:
        run(tmp_path)
    assert caught.value.exit_code == 143


def test_the_plan_of_an_imagenet_task():
    catalog = load_catalog()
    task = catalog.task("aa-resnet50")
    chosen = catalog.recipe_of(task)
    plan = smoke_plan(task, chosen, num_classes=100, seed=3)
    assert (plan.input_size, plan.num_classes, plan.seed) == (chosen.smoke.input_size, 100, 3)
    assert plan.max_steps == chosen.smoke.steps
    assert plan.recipe.batch_size == chosen.smoke.batch_size
    assert plan.recipe.lr == chosen.smoke.lr
    assert (plan.recipe.schedule, plan.recipe.milestones, plan.recipe.gamma) == ("cosine", (), None)
    assert plan.recipe.augmentation == "crop-flip"
    assert plan.recipe.warmup_epochs / plan.recipe.epochs == 0.05
    assert (plan.recipe.momentum, plan.recipe.weight_decay) == (0.9, 1e-4)
    assert plan.arguments == {**task.arguments, **task.smoke_arguments}


def test_averaging_and_accumulation_are_cut_down():
    chosen = recipe(ema_decay=0.9999, accumulate=4, batch_size=1024)
    plan = smoke_plan(TASK, chosen, num_classes=CLASSES)
    assert plan.recipe.ema_decay == pytest.approx(0.75)  # 10 of 40 steps
    assert plan.recipe.accumulate == 4
    odd = recipe(accumulate=3, batch_size=9)
    assert smoke_plan(TASK, odd, num_classes=CLASSES).recipe.accumulate == 1
    assert smoke_plan(TASK, recipe(), num_classes=CLASSES).recipe.ema_decay is None


def test_without_data_it_trains_on_the_stand_in():
    train_set, test_set = smoke_sets(None)
    assert (len(train_set), len(test_set), train_set.num_classes) == (10_000, 2_000, 100)
    assert train_set.source.startswith("synthetic")


@pytest.mark.data
def test_with_data_it_trains_on_cifar100(data_root):
    train_set, test_set = smoke_sets(data_root)
    assert (train_set.source, test_set.source) == ("CIFAR-100 train", "CIFAR-100 test")
