"""reproduce PROTOCOL: paired seeds, the two settings, stop and resume, shards, and what wrong input gets."""

import re
import signal

import pytest
import torch

from aabench.catalog import load_catalog
from aabench.catalog.protocol import Scaled
from aabench.data import synthetic_cifar
from aabench.levels import SPLIT_FILES
from aabench.record import DIVERGED, read
from aabench.train import loop
from tests.cli.run import aabench

TINY = {"input_size": 8, "width": 8, "batch_size": 16, "epochs": 1, "warmup_epochs": 0}
NETWORKS = ["resnet18-cifar100", "aa-resnet18-cifar100", "eaa-resnet18-linear-cifar100"]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "runs" / "log.jsonl"


def make_tiny(monkeypatch, **changes):
    """Three of EAANet's networks on 100 small images; ``changes`` go to the scaled-down setting."""
    protocol = load_catalog().protocols["eaanet"]
    scaled = Scaled(name="tiny", changes={**TINY, **changes}, changes_where_set={"num_heads": 1})
    update = {"baselines": tuple(NETWORKS[:2]), "candidates": (NETWORKS[2],), "scaled": scaled}
    small = protocol.model_copy(update=update)
    full = [claim for claim in load_catalog().claims if claim.setting == "full"]
    claims = (*full, *(small.under_scaled(claim) for claim in full if claim.task == "eaanet"))
    catalog = load_catalog().model_copy(update={"protocols": {"eaanet": small}, "claims": claims})
    monkeypatch.setattr("aabench.catalog.load_catalog", lambda: catalog)


@pytest.fixture
def data(monkeypatch, tmp_path):
    """A data root that looks like one; what is loaded from it is synthetic, with 100 classes."""
    for names in SPLIT_FILES["cifar100"].values():
        for name in names:
            (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / name).touch()
    train, test = (synthetic_cifar(100, split, images_per_class=1) for split in ("train", "test"))
    monkeypatch.setattr("aabench.data.load_cifar", lambda name, root, split: {"train": train, "test": test}[split])
    monkeypatch.setattr("aabench.train.cost.MOST_STEPS", 1)
    # Predicting the memory takes longer than these trainings; it has tests of its own.
    monkeypatch.setattr("aabench.reproduce.training.tune_allocator", lambda plan: "as the environment has it")
    monkeypatch.setenv("COLUMNS", "1000")
    return tmp_path / "data"


@pytest.fixture
def reproduce(monkeypatch, data, log):
    """``aabench reproduce eaanet --seeds 2 ...`` of the tiny protocol."""
    make_tiny(monkeypatch)

    def run(*arguments: str, seeds: int = 2) -> int:
        given = ["--seeds", str(seeds), "--data", str(data), "--log", str(log), "--device", "cpu"]
        return aabench("reproduce", "eaanet", *given, *arguments)

    return run


def trained(log):
    return [(row.task, row.seed) for row in read(log).rows if row.status == "ok"]


def test_every_network_with_every_seed_a_row_each_and_the_verdicts(reproduce, log, capsys):
    assert reproduce() in (0, 1)
    out = " ".join(capsys.readouterr().out.split())
    assert trained(log) == [(name, seed) for seed in (0, 1) for name in NETWORKS]
    assert "protocol scaled-down: ours, tiny: 3 networks with input_size 8, width 8" in out
    assert "(chosen for cpu; --protocol full or scaled chooses); seeds 0 to 1, the same for every network" in out
    assert "6 trainings to go, 0 in" in out
    assert "minutes, and evaluation on top" in out
    assert out.index("trainings to go") < out.index("1/6 resnet18-cifar100, seed 0")
    assert re.search(r"under the scaled-down: ours, tiny: \S+: [+-]\d+\.\d\d points", out)
    assert "`aabench reproduce eaanet --protocol full --seeds 3` measures it" in out
    for row in read(log).rows:
        expected = {"protocol": "scaled-down: ours, tiny", **TINY}
        assert row.altered == (expected if row.task == NETWORKS[0] else {**expected, "num_heads": 1})
        assert row.settings["recipe"]["epochs"] == 1
        assert row.number("train_loss", "last") == row.detail["curve"][-1]["train_loss"]


def test_one_seed_gives_no_interval(reproduce, log, capsys):
    assert reproduce(seeds=1) == 0
    assert "decides nothing: one seed has no interval" in " ".join(capsys.readouterr().out.split())
    assert aabench("verify", "eaanet", "--log", str(log)) == 0
    assert "decides nothing: one seed has no interval" in " ".join(capsys.readouterr().out.split())


def test_a_protocol_is_no_task(capsys):
    assert aabench("profile", "eaanet") == 2
    assert "eaanet is a protocol, no task; its tasks: resnet18-cifar100, aa-" in capsys.readouterr().err


def test_networks_of_one_seed_see_the_same_images(reproduce, monkeypatch):
    seen: dict[tuple[str, int], list[torch.Tensor]] = {}
    step = loop.optimizer_step

    def spy(model, optimizer, parts, recipe):
        (part,) = parts
        seen.setdefault(model, []).append((part.images.clone(), part.labels.clone()))
        return step(model, optimizer, parts, recipe)

    monkeypatch.setattr(loop, "optimizer_step", spy)
    reproduce()
    first, *others = ([torch.stack(part) for part in zip(*batches, strict=True)] for batches in seen.values())
    same = [torch.equal(first[0], images) and torch.equal(first[1], labels) for images, labels in others]
    assert same == [True, True, False, False, False]  # seed 0, then seed 1
    assert len(first[0]) == 100 // 16


def test_resume_skips_what_is_finished(reproduce, log, capsys):
    assert reproduce("--shard", "1/2") == 3  # no seed is complete
    half = trained(log)
    assert half == [(NETWORKS[0], 0), (NETWORKS[2], 0), (NETWORKS[1], 1)]
    assert reproduce() == 2
    assert "holds 3 of these 6 trainings already: go on with --resume" in capsys.readouterr().err
    assert trained(log) == half
    assert reproduce("--resume") in (0, 1)
    assert sorted(trained(log)) == sorted((name, seed) for seed in (0, 1) for name in NETWORKS)
    assert "3 trainings to go, 3 in" in capsys.readouterr().out
    assert reproduce("--resume") in (0, 1)
    assert len(read(log).rows) == 6
    assert "all 6 trainings are in" in capsys.readouterr().out


def stop_at(monkeypatch, number: int) -> None:
    """Send SIGTERM in the middle of the given step, counted over all trainings."""
    step, count = loop.optimizer_step, iter(range(1, 10_000))

    def stopping(*arguments, **options):
        if next(count) == number:
            signal.raise_signal(signal.SIGTERM)
        return step(*arguments, **options)

    monkeypatch.setattr(loop, "optimizer_step", stopping)


def test_a_stopped_training_goes_on_and_ends_with_the_same_numbers(reproduce, log, monkeypatch, tmp_path, capsys):
    with monkeypatch.context() as patch:
        stop_at(patch, 6 + 4)  # the second network's fourth step
        assert reproduce() == 128 + signal.SIGTERM
    assert "stopped after 1 of 6 trainings: --resume goes on" in capsys.readouterr().out
    assert [row.status for row in read(log).rows] == ["ok", "interrupted"]
    started = []
    step = loop.optimizer_step
    monkeypatch.setattr(loop, "optimizer_step", lambda *a, **k: (started.append(1), step(*a, **k))[1])
    assert reproduce("--resume") in (0, 1)
    assert len(started) == 5 * 6 - 4
    other = tmp_path / "whole" / "log.jsonl"
    assert reproduce("--log", str(other)) in (0, 1)
    numbers = [
        {(row.task, row.seed): row.number("loss", "last") for row in read(path).rows if row.status == "ok"}
        for path in (log, other)
    ]
    assert len(numbers[0]) == 6
    assert numbers[0] == numbers[1]


def test_a_diverged_training_is_a_result_and_the_others_go_on(reproduce, log, monkeypatch, capsys):
    make_tiny(monkeypatch, lr=1e30)
    reproduce(seeds=1)
    rows = read(log).rows
    assert [row.task for row in rows] == NETWORKS
    assert all(row.status == "failed" and row.detail[DIVERGED] >= 1 for row in rows)
    assert "2 of 2 augmented runs diverged and 1 of 1 of resnet18-cifar100" in " ".join(capsys.readouterr().out.split())
    reproduce("--resume", seeds=1)
    assert len(read(log).rows) == 3


def test_a_training_that_cannot_be_carried_out_ends_it(reproduce, log, monkeypatch, capsys):
    make_tiny(monkeypatch, batch_size=1000)
    assert reproduce() == 2
    assert "a batch of 1000 images cannot be drawn" in capsys.readouterr().err
    assert trained(log) == []


def test_without_data_nothing_is_measured(monkeypatch, log, tmp_path, capsys):
    make_tiny(monkeypatch)
    assert aabench("reproduce", "eaanet", "--data", str(tmp_path), "--log", str(log)) == 3
    assert "the CIFAR-100 train split" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eaanett"], "unknown task 'eaanett'; did you mean eaanet"),
        (["eaanet", "--seeds", "0"], "Invalid value for '--seeds': Input should be greater than or equal to 1"),
        (["eaanet", "--protocol", "half"], "--protocol is full or scaled, not 'half'"),
        (["eaanet", "--shard", "3/2"], "a shard is i/n with i from 1 to n, such as 1/4, not '3/2'"),
        (["eaanet", "resnet18"], "eaanet is a protocol: give it alone"),
        (["resnet18", "eaanet"], "eaanet is a protocol: give it alone"),
        (["eaanet", "--level", "train"], "--level does not go with eaanet, a protocol"),
        (["eaanet", "--set", "epochs=1"], "--set does not go with eaanet, a protocol"),
        (["eaanet", "--checkpoint", "x"], "--checkpoint does not go with eaanet, a protocol"),
        (["resnet18", "--protocol", "full"], "--protocol does not go with resnet18, a task"),
        (["resnet18", "--shard", "1/2"], "--shard does not go with resnet18, a task"),
        (["resnet18", "--level", "structure", "--seeds", "2"], "level structure has no seed"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(log, capsys, arguments, message):
    assert aabench("reproduce", *arguments, "--log", str(log)) == 2
    captured = capsys.readouterr()
    text = " ".join((captured.err + captured.out).replace("│", " ").split())
    assert message in text
    assert "Traceback" not in text


def test_a_single_task_with_several_seeds(data, log, capsys):
    changes = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    given = ["--data", str(data), "--log", str(log), "--level", "train", "--seed", "4", "--seeds", "2"]
    assert aabench("reproduce", NETWORKS[0], *changes, *given) == 3  # altered: nothing is judged
    levels = [(row.level, row.seed) for row in read(log).rows]
    assert levels == [("structure", None), ("train", 4), ("train", 5)]
    assert "seed 5" in capsys.readouterr().out
    assert aabench("reproduce", NETWORKS[0], *changes, *given, "--seeds", "3", "--resume") == 3
    assert [row.seed for row in read(log).rows if row.level == "train"] == [4, 5, 4, 5, 6]


def test_the_catalogs_commands_know_protocols(capsys):
    assert aabench("list", "--paper", "eaanet") == 0
    assert "protocol eaanet: " in capsys.readouterr().out
    assert aabench("list", "--paper", "aanet") == 0
    assert "protocol" not in capsys.readouterr().out
    assert aabench("show", "eaanet") == 0
    shown = capsys.readouterr().out
    assert "baselines   resnet18-cifar100, aa-resnet18-cifar100" in shown
    assert "seed_spread above resnet18-cifar100  [Abstract, C4: " in shown
    assert aabench("explain", "eaanet") == 0
    assert "  num_heads      2    ours" in capsys.readouterr().out
