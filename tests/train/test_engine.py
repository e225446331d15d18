"""Trainings: what they leave, what they refuse, and that they end the same after whatever interruption."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from aabench.data import Transform
from aabench.errors import AABenchError
from aabench.evaluate import Scores, evaluate
from aabench.models import registry
from aabench.train import BEST, LAST, Diverged, Interrupted, Silent, load_weights, train
from aabench.train import engine as engine_module
from aabench.train import objective as objective_module
from aabench.train.checkpoint import read_checkpoint
from aabench.train.interrupt import StopRequest
from aabench.train.state import TrainingState, build_model
from tests.train.small import DEMANDING, Dropping, plan, sets

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def dropping(monkeypatch):
    """The model ``dropping``, for this test only."""
    monkeypatch.setitem(registry.NETWORKS, "dropping", lambda *, input_size, num_classes: Dropping(num_classes))


def run(directory, chosen=None, **changes):
    train_set, test_set = sets()
    return train(chosen or plan(), train_set=train_set, test_set=test_set, directory=directory, **changes)


class Recorder(Silent):
    """Keeps what it is told, and asks for a stop at a step or in the first evaluation."""

    def __init__(self, stop_at=None, stop_in_evaluation=False):
        self.stop = StopRequest()
        self.stop_at, self.stop_in_evaluation = stop_at, stop_in_evaluation
        self.steps, self.epochs, self.calls = [], [], []

    def start(self, total_steps, done):
        self.calls.append(("start", total_steps, done))

    def step(self, step, loss, accuracy, images_per_second):
        self.steps.append((step, loss))
        if step == self.stop_at:
            self.stop.signum = signal.SIGTERM

    def evaluating(self, images, total):
        self.calls.append(("evaluating", images, total))
        if self.stop_in_evaluation:
            self.stop.signum = signal.SIGINT

    def epoch(self, point):
        self.epochs.append(point)

    def finish(self):
        self.calls.append(("finish",))


def assert_equal_bits(first, second, where=""):
    """The same nested structure with the same bits (minus zero is not zero), but for times."""
    assert type(first) is type(second), where
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype, where
        assert first.numpy().tobytes() == second.numpy().tobytes(), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first.keys() - {"seconds", "images_per_second"}:
            assert_equal_bits(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_equal_bits(*pair, f"{where}.{index}")
    else:
        assert first == second, where


def test_the_curve_has_a_point_an_epoch(tmp_path):
    recorder = Recorder()
    result = run(tmp_path, progress=recorder)
    assert [(point.epoch, point.step) for point in result.curve] == [(1, 4), (2, 8)]
    assert result.steps == 8
    assert tuple(recorder.epochs) == result.curve
    assert [step for step, _ in recorder.steps] == list(range(1, 9))
    assert recorder.calls[0] == ("start", 8, 0)
    assert recorder.calls[-1] == ("finish",)
    assert ("evaluating", 32, 32) in recorder.calls
    # Of the last step of each epoch, after 3 and 7 of 8: 0.1 (1 + cos 67.5 degrees) / 2 and likewise 157.5.
    assert [point.lr for point in result.curve] == pytest.approx([0.0691341716, 0.0038060234])
    for point, losses in zip(result.curve, (recorder.steps[:4], recorder.steps[4:]), strict=True):
        assert point.train_loss == pytest.approx(sum(loss for _, loss in losses) / 4)
        assert point.images_per_second == pytest.approx(64 / point.seconds)
    assert result.curve[-1].top1 == result.last.top1_percent


def test_it_learns(tmp_path):
    chosen = plan(recipe_changes={"epochs": 12})
    result = run(tmp_path, chosen)
    assert result.curve[-1].train_loss < 0.6 * result.curve[0].train_loss
    assert result.last.top1_percent > 60  # chance is 25


def test_best_and_last_are_both_kept(tmp_path):
    chosen = plan(recipe_changes={"epochs": 4, "lr": 0.5})
    result = run(tmp_path, chosen)
    tops = [point.top1 for point in result.curve]
    assert result.best.top1_percent == max(tops)
    assert result.best_epoch == 1 + tops.index(max(tops))
    assert result.last.top1_percent == tops[-1]
    test_set = sets()[1]
    for path, scores, epoch in ((BEST, result.best, result.best_epoch), (LAST, result.last, 4)):
        model = build_model(chosen)
        load_weights(model, tmp_path / path)
        again = evaluate(model, test_set, transform=Transform("cifar100", (8, 8)))
        assert torch.equal(again.correct_mask, scores.correct_mask)
        assert again.loss == scores.loss
        assert read_checkpoint(tmp_path / path)["epoch"] == epoch
    assert result.best_checkpoint == tmp_path / BEST
    assert result.last_checkpoint == tmp_path / LAST


def test_the_first_of_equal_epochs_is_the_best(tmp_path, monkeypatch):
    counts = iter([3, 5, 5, 4])

    def scripted(*_, **__):
        correct = next(counts)
        return Scores(correct, 100.0, correct, 100, 100, 1.0, torch.arange(100) < correct)

    monkeypatch.setattr(objective_module, "evaluate", scripted)
    result = run(tmp_path, plan(recipe_changes={"epochs": 4}))
    assert (result.best_epoch, result.best.correct, result.last.correct) == (2, 5, 4)
    assert read_checkpoint(result.best_checkpoint)["step"] == 8


def test_evaluation_every_other_epoch_and_at_the_end(tmp_path):
    result = run(tmp_path, plan(eval_every=2, recipe_changes={"epochs": 3}))
    assert [point.top1 is None for point in result.curve] == [True, False, False]
    assert [point.test_loss is None for point in result.curve] == [True, False, False]


def test_fewer_steps_than_an_epoch_and_some_more(tmp_path):
    assert [point.step for point in run(tmp_path / "few", plan(max_steps=3)).curve] == [3]
    points = run(tmp_path / "more", plan(max_steps=5)).curve
    assert [(point.epoch, point.step) for point in points] == [(1, 4), (2, 5)]


def test_two_trainings_of_a_plan_are_equal_and_another_seed_is_not(tmp_path):
    torch.manual_seed(1)
    run(tmp_path / "a")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    run(tmp_path / "b")
    assert torch.equal(torch.get_rng_state(), before), "torch's generator is left as it was"
    run(tmp_path / "c", plan(seed=1))
    a, b, c = (read_checkpoint(tmp_path / name / LAST) for name in "abc")
    assert_equal_bits(a, b)
    assert not torch.equal(a["model"]["fc.weight"], c["model"]["fc.weight"])


@pytest.mark.parametrize("stop_at", [1, 3, 4, 6, 8])
def test_stopped_anywhere_it_ends_bit_identical(tmp_path, dropping, stop_at):
    chosen = plan(**DEMANDING)
    whole = run(tmp_path / "whole", chosen)
    recorder = Recorder(stop_at=stop_at)
    with pytest.raises(Interrupted) as caught:
        run(tmp_path / "parts", chosen, progress=recorder, stop=recorder.stop)
    assert (caught.value.step, caught.value.exit_code) == (stop_at, 143)
    assert caught.value.checkpoint == tmp_path / "parts" / LAST
    assert recorder.calls[-1] == ("finish",)
    recorder = Recorder()
    parts = run(tmp_path / "parts", chosen, resume=True, progress=recorder)
    assert recorder.calls[0] == ("start", 8, stop_at)
    for name in (LAST, BEST):
        assert_equal_bits(read_checkpoint(tmp_path / "whole" / name), read_checkpoint(tmp_path / "parts" / name))
    assert_equal_bits(vars(whole.last), vars(parts.last))
    assert whole.best_epoch == parts.best_epoch


def test_rmsprop_and_averaged_weights_resume_bit_identical(tmp_path, dropping):
    changes = {"optimizer": "rmsprop", "mean_square_decay": 0.9, "epsilon": 1e-3, "nesterov": False, "lr": 0.01}
    decay = {"schedule": "exponential", "decay_epochs": 0.5, "gamma": 0.9}
    chosen = plan(**{**DEMANDING, "recipe_changes": {**DEMANDING["recipe_changes"], **changes, **decay}})
    run(tmp_path / "whole", chosen)
    recorder = Recorder(stop_at=5)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", chosen, progress=recorder, stop=recorder.stop)
    run(tmp_path / "parts", chosen, resume=True)
    whole, parts = (read_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert_equal_bits(whole, parts)
    assert all({"square_avg", "momentum_buffer"} <= state.keys() for state in whole["optimizer"]["state"].values())
    assert whole["ema_updates"] == 8


def test_the_demanding_plan_has_all_that_could_be_forgotten(tmp_path, dropping):
    run(tmp_path, plan(**DEMANDING))
    content = read_checkpoint(tmp_path / LAST)
    assert all("momentum_buffer" in state for state in content["optimizer"]["state"].values())
    assert len(content["optimizer"]["param_groups"]) == 2
    assert not torch.equal(content["ema"]["conv.weight"], content["model"]["conv.weight"])
    assert content["schedule"]["last_epoch"] == 8
    assert content["settings"]["recipe"]["accumulate"] == 2


@pytest.mark.parametrize("forgotten", ["model", "optimizer", "ema", "rng"])
def test_a_state_that_is_not_restored_shows(tmp_path, dropping, forgotten, monkeypatch):
    """That the comparison above can fail: each part of a checkpoint is left as it was at the start."""
    chosen = plan(**DEMANDING)
    run(tmp_path / "whole", chosen)
    recorder = Recorder(stop_at=3)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", chosen, progress=recorder, stop=recorder.stop)
    restore = TrainingState.restore

    def forgetful(self, content, origin):
        restore(self, {**content, forgotten: self.capture()[forgotten]}, origin)

    monkeypatch.setattr(TrainingState, "restore", forgetful)
    run(tmp_path / "parts", chosen, resume=True)
    with pytest.raises(AssertionError):
        assert_equal_bits(*(read_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts")))


def test_stopped_in_an_evaluation_it_evaluates_again(tmp_path):
    whole = run(tmp_path / "whole")
    recorder = Recorder(stop_in_evaluation=True)
    with pytest.raises(Interrupted) as caught:
        run(tmp_path / "parts", progress=recorder, stop=recorder.stop)
    assert (caught.value.step, caught.value.exit_code) == (4, 130)
    assert recorder.epochs == []
    parts = run(tmp_path / "parts", resume=True)
    assert_equal_bits([p.model_dump() for p in whole.curve], [p.model_dump() for p in parts.curve])


def test_resuming_a_finished_training_gives_its_result(tmp_path):
    whole = run(tmp_path)
    recorder = Recorder()
    again = run(tmp_path, resume=True, progress=recorder)
    assert recorder.steps == []
    assert again.curve == whole.curve
    assert_equal_bits([vars(whole.best), vars(whole.last)], [vars(again.best), vars(again.last)])


def test_resuming_another_plan_names_what_differs(tmp_path):
    run(tmp_path)
    with pytest.raises(
        AABenchError, match=r"made with other settings \(recipe.lr: 0.1 before, 0.3 now; seed: 0 before"
    ):
        run(tmp_path, plan(seed=5, recipe_changes={"lr": 0.3}), resume=True)
    train_set, test_set = sets(train=80)
    with pytest.raises(AABenchError, match=r"train_set: .*64 images.* before, .*80 images.* now"):
        train(plan(), train_set=train_set, test_set=test_set, directory=tmp_path, resume=True)


def test_a_note_on_a_source_is_no_other_plan(tmp_path):
    run(tmp_path)
    chosen = plan()
    reworded = chosen.recipe.model_copy(update={"source": {**chosen.recipe.source, "lr": "reworded"}})
    assert run(tmp_path, chosen.model_copy(update={"recipe": reworded}), resume=True).steps == 8


def test_nothing_to_resume(tmp_path):
    with pytest.raises(AABenchError, match="nothing to resume"):
        run(tmp_path, resume=True)


def test_a_training_is_not_overwritten(tmp_path):
    run(tmp_path)
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(AABenchError, match="holds a training already"):
        run(tmp_path)
    assert (tmp_path / LAST).read_bytes() == before


def test_a_diverging_loss_names_step_rate_and_checkpoint(tmp_path):
    chosen = plan(recipe_changes={"lr": 1e30, "warmup_epochs": 0})
    with pytest.raises(Diverged, match=r"the loss is not finite at step 2 .*last good checkpoint: none") as caught:
        run(tmp_path / "early", chosen)
    assert caught.value.checkpoint is None
    assert list(tmp_path.glob("early/*")) == []

    late = plan(checkpoint_every_steps=1, recipe_changes={"warmup_epochs": 2, "lr": 1e30})
    with pytest.raises(Diverged) as caught:
        run(tmp_path / "late", late)
    assert caught.value.checkpoint == tmp_path / "late" / LAST
    assert caught.value.lr == pytest.approx(1e30 * (caught.value.step - 1) / 8)
    saved = read_checkpoint(tmp_path / "late" / LAST)
    assert saved["step"] < caught.value.step
    assert all(value.isfinite().all() for value in saved["model"].values())


def test_broken_weights_are_never_saved(tmp_path, monkeypatch):
    train_steps = engine_module.train_steps

    def poisoned(state, *arguments):
        train_steps(state, *arguments)
        if state.step >= 6:
            next(state.model.parameters()).data[0] = float("inf")

    monkeypatch.setattr(engine_module, "train_steps", poisoned)
    with pytest.raises(Diverged, match=r"a weight is not finite at step 6 .*checkpoint-last.pt"):
        run(tmp_path, plan(checkpoint_every_steps=3))
    assert read_checkpoint(tmp_path / LAST)["step"] == 4


def test_sets_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(AABenchError, match="is built for 100 classes"):
        run(tmp_path / "new", plan(num_classes=100))
    assert not (tmp_path / "new").exists()


AUGMENTED = {"model": "aa_wide_resnet", "arguments": {"depth": 10, "width": 1, "num_heads": 1}}


@pytest.mark.parametrize(
    "changes", [AUGMENTED, {"channels_last": True}, {"recipe_changes": {"precision": "bf16"}}], ids=str
)
def test_other_networks_and_formats_resume_too(tmp_path, changes):
    chosen = plan(**changes)
    run(tmp_path / "whole", chosen)
    recorder = Recorder(stop_at=2)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", chosen, progress=recorder, stop=recorder.stop)
    run(tmp_path / "parts", chosen, resume=True)
    assert_equal_bits(*(read_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts")))


SCRIPT = """
import pathlib, sys, time
from aabench.errors import AABenchError
from aabench.train import Silent, train
from tests.train.small import DEMANDING, plan, register_dropping, sets

class Slow(Silent):
    def step(self, step, *_):
        print(step, flush=True)
        time.sleep(0.2)

register_dropping()
train_set, test_set = sets()
try:
    folder = pathlib.Path(sys.argv[1])
    train(plan(**DEMANDING), train_set=train_set, test_set=test_set, directory=folder, progress=Slow())
except AABenchError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_process_that_gets_a_signal_saves_and_another_goes_on(tmp_path, dropping, signum, code):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "parts")],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.stdout.readline().strip() != "5":  # in the second epoch, past the save at step 3
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signum)
        _, message = process.communicate(timeout=60)
    assert process.returncode == code, message
    assert message.startswith(f"stopped by {signum.name} after step ")
    assert message.endswith("go on with --resume\n")
    assert read_checkpoint(tmp_path / "parts" / LAST)["step"] in (5, 6)
    chosen = plan(**DEMANDING)
    run(tmp_path / "parts", chosen, resume=True)
    run(tmp_path / "whole", chosen)
    for name in (LAST, BEST):
        assert_equal_bits(read_checkpoint(tmp_path / "whole" / name), read_checkpoint(tmp_path / "parts" / name))
