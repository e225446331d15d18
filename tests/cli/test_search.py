"""`aabench search`: from a training set to a scheme in the log, and what wrong input gets."""

import json
import signal
import subprocess
import sys

import pytest
import torch

from aabench import data as data_module
from aabench.data import synthetic_cifar
from aabench.models import create_model
from aabench.record import read
from tests.cli.run import aabench

TASK = "ean-se-resnet164"
SMALL = {"depth": 11, "width": 16, "input_size": 8}
QUICK = {"held_out": 8, "epochs": 1, "batch_size": 100}


def options(**changes):
    return [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "runs" / "log.jsonl"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root whose CIFAR-100 train split is 2,000 generated images."""
    folder = tmp_path / "data" / "cifar-100-python"
    folder.mkdir(parents=True)
    for name in ("train", "meta"):
        (folder / name).touch()
    monkeypatch.setattr(
        data_module, "load_cifar", lambda name, root, split: synthetic_cifar(split=split, images_per_class=20)
    )
    return folder.parent


def run(root, log, *arguments, task=TASK, **changes):
    given = {**SMALL, **QUICK, **changes}
    return aabench("search", task, "--data", str(root), "--log", str(log), *arguments, *options(**given))


def weights(path, **changes):
    torch.manual_seed(0)
    arguments = {"depth": 11, "width": 16, "attention": "se", **changes}
    model = create_model("plugged_cifar_resnet", input_size=8, num_classes=100, **arguments)
    torch.save(model.state_dict(), path)
    return str(path)


def test_a_search_trains_its_supernet_and_logs_a_scheme(root, log, capsys):
    assert run(root, log, "--steps", "3") == 0
    supernet, search = read(log).rows
    assert (supernet.level, search.level, search.task) == ("supernet", "search", TASK)
    assert supernet.settings["arguments"]["scheme"] == "random"
    assert supernet.settings["train_set"].endswith("without the first 8 images of each class")
    assert search.settings["held_out"].endswith("the first 8 images of each class, on cpu")
    assert supernet.number("images", "held-out") == 800
    scheme = search.detail["scheme"]
    assert [len(stage) for stage in scheme["bits"].split()] == [1, 1, 1]
    assert len(search.detail["history"]) == 3
    assert (search.detail["requested"], search.number("image_forwards", "as-published")) == (9, 9 * 800)
    assert search.number("image_forwards", "executed") < 9 * 800
    assert search.altered == {**SMALL, **QUICK, "steps": 3}
    out = capsys.readouterr()
    small = "--set depth=11 --set width=16 --set input_size=8"
    assert f"aabench reproduce {TASK} --scheme {scheme['integers']} {small} --level train" in out.out
    assert "step 3/3, reward" in out.err

    assert run(root, log, "--steps", "3") == 2
    assert "holds a search already (search-last.pt): go on with --resume" in capsys.readouterr().err
    for method in ("random", "greedy"):
        assert run(root, log, "--steps", "3", "--method", method) == 0
        assert "trained before, in" in capsys.readouterr().out
    assert [row.level for row in read(log).rows] == ["supernet", "search", "search", "search", "search"]
    assert read(log).rows[2].status == "failed"
    assert read(log).rows[-1].detail["found_by"] == "best-reward"


def test_options_are_written_to_the_row(root, log, tmp_path):
    supernet = weights(tmp_path / "supernet.pt")
    flags = ["--entropy", "0.1", "--baseline-after", "--own-bonus", "--best-reward", "--expected-accuracy"]
    assert run(root, log, "--steps", "2", "--supernet", supernet, *flags) == 0
    (row,) = read(log).rows
    chosen = {"accuracy": "expected", "entropy_weight": 0.1, "baseline_update": "after", "bonus": "own"}
    assert row.altered.items() >= {**chosen, "final": "best-reward"}.items()
    assert row.settings["search"].items() >= chosen.items()
    assert row.detail["found_by"] == "best-reward"
    assert row.number("top1", "held-out") != row.detail["history"][0]["accuracies"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "genetic"], "method is reinforce, random or greedy, not 'genetic'"),
        (["--as-published", "--best-reward"], "--as-published goes with no other way to search (final)"),
        (["--steps", "0"], "--set steps: Input should be greater than 0"),
        (["--steps", "-3"], "--set steps: Input should be greater than 0"),
        (["--set", "samples=0"], "--set samples: Input should be greater than 0"),
        (["--set", "held_out=-1"], "--set held_out: Input should be greater than 0"),
        (["--set", "epochs=0"], "--set epochs: Input should be greater than 0"),
        (["--set", "held_out=8", "--supernet", "nowhere.pt"], "there is no checkpoint nowhere.pt"),
        (["--set", "held_out=8", "--resume"], "there is nothing to resume: no checkpoint-last.pt in "),
        ([], "50 images of each class cannot be held out of synthetic 100 classes train"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(root, log, capsys, arguments, message):
    code = aabench("search", TASK, "--data", str(root), "--log", str(log), *arguments)
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1), error
    assert message in error


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("resnet50", "resnet50 has no scheme to search for; these tasks have: "),
        ("ean-se-resnet164-org", "ean-se-resnet164-org has no scheme to search for"),
        ("ean-se-resnet16", "unknown task 'ean-se-resnet16'; did you mean ean-se-resnet164"),
    ],
)
def test_a_task_without_a_scheme(root, log, capsys, task, message):
    assert run(root, log, task=task) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("has_test_split", [False, True])
def test_a_data_root_without_a_train_split_is_blocked(log, tmp_path, capsys, has_test_split):
    (tmp_path / "cifar-100-python").mkdir()
    for name in ("test", "meta") if has_test_split else ():
        (tmp_path / "cifar-100-python" / name).touch()
    assert aabench("search", TASK, "--data", str(tmp_path), "--log", str(log)) == 3
    needed = f"needs the CIFAR-100 train split ({tmp_path / 'cifar-100-python/train'} is not there"
    assert needed in capsys.readouterr().err
    assert [(row.level, row.status) for row in read(log).rows] == [("supernet", "blocked")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": "sge"}, "does not fit the model: 12 missing (stages.0.attention.shared.mlp.reduce.weight"),
        ({"depth": 20}, "does not fit the model: "),
        ({"width": 32}, "does not fit the model: "),
    ],
)
def test_weights_of_another_module_or_backbone(root, log, tmp_path, capsys, changes, message):
    assert run(root, log, "--supernet", weights(tmp_path / "other.pt", **changes)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("ean-sge-resnet164", {"groups": 16}, "is not the supernet of ean-sge-resnet164 (arguments.attention: 'se' b"),
        (TASK, {"depth": 20}, "(arguments.depth: 11 before, 20 now)"),
        # Images that a supernet has trained on say nothing of a scheme.
        (TASK, {"held_out": 10}, "train_set: 'CIFAR-100"),
    ],
)
def test_a_checkpoint_says_whose_supernet_it_is(root, log, capsys, task, changes, message):
    assert run(root, log, "--steps", "1") == 0
    (checkpoint,) = log.parent.glob("*supernet*/checkpoint-last.pt")
    capsys.readouterr()
    assert run(root, log, "--supernet", str(checkpoint), task=task, **changes) == 2
    assert message.replace("CIFAR-100", "synthetic") in capsys.readouterr().err.replace("CIFAR-100", "synthetic")


@pytest.mark.data
def test_stopped_and_resumed_it_ends_as_one_that_was_not(data_root, tmp_path):
    supernet = weights(tmp_path / "supernet.pt")
    small = options(**SMALL, held_out=5)

    def command(name):
        log = tmp_path / name / "log.jsonl"
        start = [sys.executable, "-c", "from aabench.cli.app import main; main()", "search", TASK]
        return [*start, "--supernet", supernet, "--steps", "6", *small, "--data", str(data_root), "--log", str(log)]

    subprocess.run(command("whole"), check=True, capture_output=True)
    with subprocess.Popen(command("halves"), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "step 2/6" in line:
                break
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 143
    subprocess.run([*command("halves"), "--resume"], check=True, capture_output=True)
    whole, halves = (read(tmp_path / name / "log.jsonl").rows for name in ("whole", "halves"))
    assert [row.status for row in halves] == ["interrupted", "ok"]
    assert json.dumps(halves[-1].detail) == json.dumps(whole[-1].detail)
    assert halves[-1].values == whole[-1].values
