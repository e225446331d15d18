"""reproduce: levels, what is logged, exit codes, and what wrong input gets."""

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision

from aabench.models import create_model
from aabench.record import read
from aabench.train import torchvision_weights
from tests.cli.run import aabench

TINY = ["--set", "depth=10", "--set", "width=1", "--set", "epochs=1", "--set", "warmup_epochs=0"]


@pytest.fixture(autouse=True)
def _no_data(monkeypatch):
    monkeypatch.delenv("AABENCH_DATA", raising=False)
    monkeypatch.delenv("AABENCH_LOG", raising=False)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "runs" / "log.jsonl"


def rows(log: Path):
    return read(log).rows


def test_structure_of_a_task_is_verified(log, capsys):
    assert aabench("reproduce", "aa-resnet50", "--level", "structure", "--log", str(log)) == 0
    out = capsys.readouterr().out
    assert "25,809,392 parameters; GFLOPs 4.207 (macs), 8.414 (flops), 8.326 (aa-paper); output 1x1000" in out
    (row,) = rows(log)
    assert (row.task, row.level, row.status, row.altered) == ("aa-resnet50", "structure", "ok", {})


def test_what_does_not_fit_is_contradicted_with_exit_code_1(log, capsys):
    assert aabench("reproduce", "aa-wrn-28-10", "--level", "structure", "--log", str(log)) == 1
    assert "contradicted" in capsys.readouterr().out


def test_verify_judges_the_same_log(log, capsys):
    aabench("reproduce", "resnet34", "--level", "structure", "--log", str(log))
    capsys.readouterr()
    assert aabench("verify", "resnet34", "--log", str(log), "--json") == 0
    verdicts = {v["claim"]["metric"]: v["status"] for v in json.loads(capsys.readouterr().out)}
    assert verdicts == {"params": "verified", "flops": "verified", "top1": "not-run", "top5": "not-run"}


def test_an_altered_run_is_never_judged(log, capsys):
    assert aabench("reproduce", "wrn-28-10", "--level", "structure", "--set", "width=2", "--log", str(log)) == 3
    (row,) = rows(log)
    assert row.altered == {"width": 2}
    assert row.number("params") < 2e6
    assert "1 altered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["aa-resnet5"], "unknown task 'aa-resnet5'; did you mean aa-resnet50"),
        ([], "give tasks, or --all"),
        (["resnet50", "--all"], "give tasks, or --all"),
        (["resnet50", "--level", "deep"], "unknown level 'deep'; one of structure, smoke, eval, train"),
        (["resnet50", "--level", "smoke", "--checkpoint", "x"], "--checkpoint goes with level eval, not smoke"),
        (["resnet50", "--set", "epochs"], "--set epochs: write KEY=VALUE"),
        (["resnet50", "--set", "epochs=-3"], "--set epochs: Input should be greater than 0"),
        (["resnet50", "--set", "colour=3", "--level", "structure"], "takes no argument 'colour'"),
        (["resnet50", "--device", "tpu"], "device is cpu or cuda, not 'tpu'"),
        (["wrn-28-10", "--download"], "--download needs a folder"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(log, capsys, arguments, message):
    assert aabench("reproduce", *arguments, "--log", str(log)) == 2
    captured = capsys.readouterr()
    text = captured.err + captured.out
    assert message in text
    assert "Traceback" not in text


def test_seeds_are_not_dropped_without_a_word(log, capsys):
    given = ["--seeds", "2", "--log", str(log)]
    assert aabench("reproduce", "resnet20-cifar10", *given) == 2
    assert "level structure, resnet20-cifar10's highest here, has no seed" in capsys.readouterr().err
    assert rows(log) == ()
    aabench("reproduce", "resnet20-cifar10", "resnet56-cifar10", *given)
    assert capsys.readouterr().out.count("  level structure has no seed: measured once\n") == 2
    assert [(row.task, row.level) for row in rows(log)] == [
        ("resnet20-cifar10", "structure"),
        ("resnet56-cifar10", "structure"),
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_where_there_is_none(log, capsys):
    assert aabench("reproduce", "resnet50", "--device", "cuda", "--log", str(log)) == 2
    assert "torch finds no CUDA device here" in capsys.readouterr().err


def test_a_level_out_of_reach_is_blocked_and_logged(log, capsys):
    assert aabench("reproduce", "wrn-28-10", "--level", "train", "--log", str(log)) == 3
    assert rows(log)[-1].status == "blocked"
    assert "the CIFAR-100 train split (--data ROOT, or AABENCH_DATA)" in capsys.readouterr().out


def test_a_blocked_task_says_why(log, capsys):
    assert aabench("reproduce", "ean-dia-resnet101", "--log", str(log)) == 3
    assert "`aabench search ean-dia-resnet101` finds one, and --scheme BITS takes it" in capsys.readouterr().out


def test_the_log_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert aabench("reproduce", "resnet34", "--level", "structure", "--log", str(tmp_path / "file" / "log.jsonl")) == 2
    err = capsys.readouterr().err
    assert "cannot write the log" in err
    assert "--log" in err
    assert err.count("\n") == 1


def test_a_broken_line_in_the_log_is_reported_and_the_rest_read(log, capsys):
    aabench("reproduce", "resnet34", "--level", "structure", "--log", str(log))
    with log.open("a") as file:
        file.write('{"task": "resn')
    assert aabench("verify", "resnet34", "--log", str(log)) == 0
    assert "line 2 is left out" in capsys.readouterr().err


def test_verify_without_a_log(log, capsys):
    assert aabench("verify", "--log", str(log)) == 3
    assert "no log at" in capsys.readouterr().err


def test_report_from_a_log(log, tmp_path, capsys):
    aabench("reproduce", "resnet34", "--level", "structure", "--log", str(log))
    assert aabench("report", "--log", str(log), "--out", str(tmp_path / "reports")) == 0
    assert {"report.md", "claims.csv", "measurements.csv"} <= {p.name for p in (tmp_path / "reports").iterdir()}
    assert "ResNet-34" in (tmp_path / "reports" / "report.md").read_text()


def test_corrupt_data_names_file_and_md5(log, tmp_path, capsys):
    folder = tmp_path / "data" / "cifar-100-python"
    folder.mkdir(parents=True)
    for name in ("train", "test", "meta"):
        (folder / name).write_bytes(b"not CIFAR")
    data = ["--data", str(tmp_path / "data")]
    assert aabench("reproduce", "wrn-28-10", "--level", "train", *data, *TINY, "--log", str(log)) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "cifar-100-python/train: found md5" in out
    assert "expected md5 16019d7e3df5f24257cddd939b257f8d" in out


def checkpoint(tmp_path: Path, num_classes: int = 10, **changes) -> Path:
    model = create_model("resnet20_cifar", input_size=32, num_classes=num_classes)
    path = tmp_path / "weights.pt"
    torch.save({f"module.{name}": value for name, value in (model.state_dict() | changes).items()}, path)
    return path


@pytest.mark.data
def test_evaluates_given_weights(log, data_root, tmp_path, capsys):
    given = ["--data", str(data_root), "--checkpoint", str(checkpoint(tmp_path))]
    assert aabench("reproduce", "resnet20-cifar10", *given, "--log", str(log)) == 1
    assert "contradicted" in capsys.readouterr().out


@pytest.mark.data
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"num_classes": 7}, "is for 7 classes and the task's data set has 10"),
        ({"conv9.weight": torch.zeros(1)}, "1 unexpected (conv9.weight)"),
        ({"conv1.weight": torch.zeros(16, 3, 5, 5)}, "(16, 3, 5, 5) instead of (16, 3, 3, 3)"),
    ],
)
def test_weights_that_do_not_fit(log, data_root, tmp_path, capsys, broken, message):
    given = ["--data", str(data_root), "--checkpoint", str(checkpoint(tmp_path, **broken))]
    assert aabench("reproduce", "resnet20-cifar10", *given, "--log", str(log)) == 2
    assert message in capsys.readouterr().out
    assert rows(log)[-1].status == "failed"


@pytest.mark.data
def test_a_truncated_checkpoint(log, data_root, tmp_path, capsys):
    path = checkpoint(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    given = ["--data", str(data_root), "--checkpoint", str(path)]
    assert aabench("reproduce", "resnet20-cifar10", *given, "--log", str(log)) == 2
    assert "truncated or corrupt (5000 bytes)" in capsys.readouterr().out


class RunsCode:
    """A pickle that would make a folder when loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.data
def test_a_checkpoint_that_would_run_code_is_refused(log, data_root, tmp_path, capsys):
    torch.save({"state_dict": RunsCode(tmp_path / "pwned")}, tmp_path / "evil.pt")
    given = ["--data", str(data_root), "--checkpoint", str(tmp_path / "evil.pt")]
    assert aabench("reproduce", "resnet20-cifar10", *given, "--log", str(log)) == 2
    assert "refused to read" in capsys.readouterr().out
    assert not (tmp_path / "pwned").exists()


@pytest.mark.data
@pytest.mark.parametrize(("task", "right"), [("resnet20-cifar10", 9173), ("resnet56-cifar10", 9339)])
def test_calibration(log, data_root, task, right):
    assert aabench("reproduce", task, "--data", str(data_root), "--log", str(log)) == 0
    assert rows(log)[-1].number("correct") == right


@pytest.mark.data
def test_calibration_on_imagenet(log, data_root, capsys):
    assert aabench("reproduce", "squeezenet1-0-imagenet1000", "--data", str(data_root), "--log", str(log)) == 0
    row = rows(log)[-1]
    assert (row.number("correct"), row.number("correct5"), row.number("images")) == (616, 829, 1000)
    assert row.detail["unreadable"] == {"test": {"count": 0, "images": {}}}
    assert row.altered == {}
    assert capsys.readouterr().out.count("verified") == 2


@pytest.mark.data
def test_what_torchvision_trained_is_never_judged(log, data_root, tmp_path, capsys, monkeypatch):
    path = checkpoint(tmp_path)
    known = {hashlib.sha256(path.read_bytes()).hexdigest()[:8]: "ResNet50_Weights.IMAGENET1K_V1"}
    monkeypatch.setattr(torchvision_weights, "_published", lambda: known)
    given = ["--data", str(data_root), "--checkpoint", str(path)]
    assert aabench("reproduce", "resnet20-cifar10", *given, "--log", str(log)) == 3
    assert rows(log)[-1].altered == {"weights": "torchvision's ResNet50_Weights.IMAGENET1K_V1"}
    assert "1 altered" in " ".join(capsys.readouterr().out.split())


def test_download_fetches_a_tasks_weights(log, tmp_path, monkeypatch):
    content = b"some weights"
    source = tmp_path / f"resnet50-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    source.write_bytes(content)
    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: SimpleNamespace(url=source.as_uri()))
    data = ["--data", str(tmp_path / "root"), "--download"]
    assert aabench("reproduce", "resnet50", "--level", "structure", *data, "--log", str(log)) == 0
    fetched = tmp_path / "root" / "checkpoints" / "torchvision" / "resnet50-0676ba61.pth"
    assert fetched.read_bytes() == content
