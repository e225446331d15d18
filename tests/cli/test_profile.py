"""profile: one row a point, and what wrong input gets."""

import pytest

from aabench.record import read
from tests.cli.run import aabench


def test_a_sweep_of_two_tasks(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    fast = ["--seconds", "0.05", "--log", str(log)]
    assert aabench("profile", "resnet20-cifar10", "aa-wrn-28-10-as-counted", "--res", "8,16", *fast) == 0
    out = capsys.readouterr().out
    assert "4 of 4 points measured" in out
    points = [(row.task, row.settings["input_size"], row.status) for row in read(log).rows]
    assert points == [
        ("resnet20-cifar10", 8, "ok"),
        ("resnet20-cifar10", 16, "ok"),
        ("aa-wrn-28-10-as-counted", 8, "ok"),
        ("aa-wrn-28-10-as-counted", 16, "ok"),
    ]
    small, large = (row.number("params") for row in read(log).rows[2:])
    assert large - small == 4 * (2 * (16 + 16 - 8 - 8) + 2 * (8 + 8 - 4 - 4) + 2 * (4 + 4 - 2 - 2)) * 20  # the tables


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--res", "512..32"], "the range 512..32 is reversed; write 32..512"),
        (["--res", "big"], "'big' is no side in pixels"),
        (["--res", ""], "is no side in pixels"),
        (["--res", "32..64:0"], "cannot step by 0"),
        (["--res", "32", "--batch", "0"], "batch must be above 0"),
        (["--res", "32", "--mode", "dream"], "mode is infer or train, not 'dream'"),
        (["resnet5"], "unknown task 'resnet5'; did you mean resnet50"),
    ],
)
def test_wrong_usage(tmp_path, capsys, arguments, message):
    assert aabench("profile", *arguments, "--log", str(tmp_path / "log.jsonl")) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_nothing_measured_is_exit_code_3(tmp_path, capsys):
    assert aabench("profile", "retinanet-resnet50", "--res", "64", "--log", str(tmp_path / "log.jsonl")) == 3
    assert "unknown model 'retinanet_resnet50'" in capsys.readouterr().out
    assert read(tmp_path / "log.jsonl").rows[0].status == "failed"
