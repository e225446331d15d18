"""A sweep's points: measured in processes of their own, and rows also where they fail."""

import sys
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from aabench.catalog import Task, load_catalog
from aabench.errors import AABenchError
from aabench.models import registry
from aabench.profile import sweep, sweeping
from aabench.record import Measurement

LAST_WORDS = (
    "import json, os, signal, sys\n"
    "point = json.load(sys.stdin)\n"
    "if point['input_size'] == 48:\n"
    "    print('first line\\nlast words', file=sys.stderr, flush=True)\n"
    "    {}\n"
    "peak = dict(convention='rss_peak', bytes=7, baseline=1, how='made up', reason=None)\n"
    "latency = dict(samples_ms=[4.0, 1.0, 2.0], stopped_by='time')\n"
    "print(json.dumps(dict(memory=[peak], latency=latency, threads=1)))\n"
)


def small_task() -> Task:
    return load_catalog().task("resnet20-cifar10")


def values(finding: Measurement) -> dict[tuple[str, str | None], float | int | None]:
    return {(value.metric, value.convention): value.value for value in finding.values}


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_a_point_is_counted_and_measured(mode: str) -> None:
    [found] = sweep([small_task()], [48], mode=mode, batch=2, seconds=0.2, repeats=5)
    assert (found.status, found.error, found.level, found.altered) == ("ok", None, "profile", {"input_size": 48})
    assert (found.settings["mode"], found.settings["batch"], found.settings["input_size"]) == (mode, 2, 48)
    measured = values(found)
    assert measured["params", None] == 269_722
    # (48 / 32)^2 times the convolutions' 40,550,400, for one image; the classifier's 640 do not grow.
    assert measured["macs", "model"] == 91_239_040
    assert measured["latency_ms", "median"] == found.detail["latency"]["median_ms"]
    first, third = found.detail["latency"]["quartiles_ms"]
    assert 0 < first <= found.detail["latency"]["median_ms"] <= third
    assert found.detail["latency"]["n"] == len(found.detail["latency"]["samples_ms"]) >= 3
    assert measured["images_per_s", None] == pytest.approx(2000 / found.detail["latency"]["median_ms"])
    # At least the input of the second convolution and its result, 16 channels each in fp32.
    assert measured["memory", "rss_peak"] > 2 * 2 * 16 * 48 * 48 * 4
    assert "VmHWM" in found.detail["memory"][0]["how"]


def test_parameters_grow_with_the_relative_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "WORKER", (sys.executable, "-c", LAST_WORDS.format("")))
    task = load_catalog().task("aa-wrn-28-10")
    small = task.model_copy(update={"arguments": {**task.arguments, **task.smoke_arguments}})
    params = [values(found)["params", None] or 0 for found in sweep([small], [16, 32])]
    # One layer a stage, on maps of 16, 8, 4 against 32, 16, 8: tables of 4 side - 2 rows of 20 channels.
    assert params[1] - params[0] == 20 * 4 * (16 + 8 + 4)


@pytest.mark.parametrize(
    ("fate", "death", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", {"signal": "SIGKILL"}, "SIGKILL (the kernel does that when memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", {"signal": "SIGSEGV"}, "ended by SIGSEGV; its last line: last words"),
        ("sys.exit(9)", {"exit_status": 9}, "with exit status 9; its last line: last words"),
    ],
)
def test_a_worker_that_dies_is_a_row_and_the_sweep_goes_on(
    monkeypatch: pytest.MonkeyPatch, fate: str, death: dict[str, object], says: str
) -> None:
    monkeypatch.setattr(sweeping, "WORKER", (sys.executable, "-c", LAST_WORDS.format(fate)))
    found = list(sweep([small_task()], [32, 48, 64], batch=2))
    assert [point.status for point in found] == ["ok", "failed", "ok"]
    dead = found[1]
    assert says in str(dead.error)
    assert {**death, "stderr": ["first line", "last words"]}.items() <= dead.detail.items()
    assert values(dead)["params", None] == 269_722  # what was counted stays
    assert values(found[2])["latency_ms", "median"] == 2.0
    assert values(found[2])["images_per_s", None] == 1000.0
    assert values(found[2])["memory", "rss_peak"] == 7


def test_a_failure_in_the_worker_is_its_one_line() -> None:
    task = small_task().model_copy(update={"arguments": {"pixels": 3}})
    answer = sweeping._run_worker({**sweeping.settings_of(task, 32)[0], "device": "cpu", "mode": "infer"})
    assert answer == {"error": "AABenchError: model resnet20_cifar takes no argument 'pixels'; it takes none"}


@pytest.fixture
def shrinking() -> Iterator[Task]:
    """A task whose network halves the map four times and then wants 3x3 pixels."""

    def build(input_size: tuple[int, int], num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 16, stride=16), nn.Conv2d(4, num_classes, 3))

    registry.register("shrinking", build)
    yield small_task().model_copy(update={"name": "shrinking", "model": "shrinking"})
    del registry._BUILDERS["shrinking"]


def test_a_size_too_small_is_a_failed_row_that_says_where(shrinking: Task) -> None:
    [found] = sweep([shrinking], [32])
    assert (found.status, found.values) == ("failed", ())
    assert "1 (Conv2d) on an input of 1x4x2x2 fails" in str(found.error)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tasks": []}, "nothing to profile"),
        ({"resolutions": []}, "nothing to profile"),
        ({"mode": "guess"}, "mode is infer or train"),
        ({"batch": 0}, "batch must be above 0, got 0"),
        ({"seconds": -1.0}, "seconds must be above 0"),
        ({"repeats": 0}, "repeats must be above 0"),
        ({"device": "tpu"}, "device is cpu or cuda, not 'tpu'"),
    ],
)
def test_wrong_options_are_an_error_before_any_point(options: dict[str, object], says: str) -> None:
    arguments = {"tasks": [small_task()], "resolutions": [32]} | options
    with pytest.raises(AABenchError, match=says):
        sweep(**arguments)  # type: ignore[arg-type]


def test_cuda_that_is_not_here_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(AABenchError, match="torch finds none here"):
        sweep([small_task()], [32], device="cuda")
