"""A sweep's points: measured in processes of their own, and rows also where they fail."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from aabench.catalog import Task, load_catalog
from aabench.errors import AABenchError
from aabench.models import registry
from aabench.profile import Effort, Way, measured, points, predict_points, process, sweep, sweeping
from aabench.record import Measurement, new

pytestmark = pytest.mark.alone

LAST_WORDS = (
    "import json, os, signal, sys\n"
    "point = json.load(sys.stdin)['point']\n"
    "if point['input_size'] == 48:\n"
    "    print('first line\\nlast words', file=sys.stderr, flush=True)\n"
    "    {}\n"
    "peak = dict(convention='rss_peak', bytes=7, baseline=1, how='made up', reason=None)\n"
    "latency = dict(samples_ms=[4.0, 1.0, 2.0], stopped_by='time', warmup_calls=1, settled=False, page_faults=0.0,\n"
    "               system_ms=0.0, probes_us=[], quiet_us=None)\n"
    "energy = dict(joules=None, calls=0, reason='no counter')\n"
    "print(json.dumps(dict(memory=[peak], latency=latency, energy=energy, difference=None, threads=1)))\n"
)
QUICK = Effort(seconds=0.2)


def small_task() -> Task:
    return load_catalog().task("resnet20-cifar10")


def values(finding: Measurement) -> dict[tuple[str, str | None], float | int | None]:
    return {(value.metric, value.convention): value.value for value in finding.values}


@pytest.mark.parametrize(
    "way",
    [
        Way(batch=2),
        Way("train", 2),
        Way("train", 2, "bf16", channels_last=True, allocator="warm"),
        Way(batch=2, dtype="bf16", allocator="warm"),
    ],
    ids=str,
)
def test_a_point_is_counted_predicted_and_measured(way: Way) -> None:
    [found] = sweep([(small_task(), 48)], way, QUICK)
    assert (found.status, found.error, found.level, found.altered) == ("ok", None, "profile", {"input_size": 48})
    assert found.settings.items() >= {"input_size": 48, "mode": way.mode, "batch": 2, "dtype": way.dtype}.items()
    measured = values(found)
    assert measured["params", None] == 269_722
    # (48 / 32)^2 times the convolutions' 40,550,400, for one image; the classifier's 640 do not grow.
    assert measured["macs", "model"] == 91_239_040
    latency = found.detail["latency"]
    first, third = latency["quartiles_ms"]
    low, high = latency["interval_ms"]
    assert measured["latency_ms", "median"] == latency["median_ms"]
    assert 0 < low <= first <= latency["median_ms"] <= third or low <= latency["median_ms"] <= high
    assert len(latency["samples_ms"]) >= latency["n"] >= 3
    assert len(latency["probes_us"]) == len(latency["samples_ms"]) + 1
    assert measured["images_per_s", None] == pytest.approx(2000 / latency["median_ms"])
    # At least the input of the second convolution and its result, 16 channels each.
    assert measured["memory", "rss_peak"] > 2 * 2 * 16 * 48 * 48 * (2 if way.dtype == "bf16" else 4)
    assert measured["memory", "predicted_live"] == sum(found.detail["predicted_memory"].values())
    assert measured["memory", "predicted_live"] == pytest.approx(measured["memory", "allocated_peak"], rel=0.15)
    assert ("mallopt" in found.detail["allocator"]) == (way.allocator == "warm")
    assert measured["energy", "a call, nvml"] is None
    assert {"before", "after"} == set(found.detail["machine"])


def test_a_compiled_point_is_measured_and_not_predicted() -> None:
    [found] = sweep([(small_task(), 32)], Way(compile=True), QUICK)
    assert (found.status, found.error) == ("ok", None)
    assert values(found)["latency_ms", "median"] > 0  # type: ignore[operator]
    predicted = found.get("memory", "predicted_live")
    assert predicted is not None
    assert (predicted.value, predicted.reason) == (None, "what is predicted is eager execution")


def test_predicting_runs_nothing_and_needs_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    [found] = predict_points([(small_task(), 48)], Way("infer", 64, "fp16", "cuda"))
    assert (found.level, found.status) == ("predict", "ok")
    # 269,722 parameters in two bytes each, 64 images in two, and two maps of 16 channels at the least.
    assert values(found)["memory", "predicted_live"] >= 2 * (269_722 + 64 * 48 * 48 * (3 + 32))  # type: ignore[operator]
    assert ("latency_ms", "median") not in values(found)


def test_parameters_grow_with_the_relative_tables() -> None:
    task = load_catalog().task("aa-wrn-28-10")
    small = task.model_copy(update={"arguments": {**task.arguments, **task.smoke_arguments}})
    params = [values(found)["params", None] or 0 for found in predict_points([(small, 16), (small, 32)], Way())]
    # One layer a stage, on maps of 16, 8, 4 against 32, 16, 8: tables of 4 side - 2 rows of 20 channels.
    assert params[1] - params[0] == 20 * 4 * (16 + 8 + 4)


@pytest.mark.parametrize(
    ("fate", "kills", "death", "status", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", [0, 1], {"signal": "SIGKILL"}, "oom", "count of such kills rose"),
        ("os.kill(os.getpid(), signal.SIGKILL)", [None, None], {"signal": "SIGKILL"}, "oom", "keeps no count here"),
        ("os.kill(os.getpid(), signal.SIGKILL)", [3, 3], {"signal": "SIGKILL"}, "failed", "kills did not rise"),
        (
            "os.kill(os.getpid(), signal.SIGSEGV)",
            [0, 0],
            {"signal": "SIGSEGV"},
            "failed",
            "by SIGSEGV; its last line",
        ),
        ("sys.exit(9)", [0, 0], {"exit_status": 9}, "failed", "with exit status 9; its last line: last words"),
    ],
)
def test_a_worker_that_dies_is_a_row_and_the_sweep_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    fate: str,
    kills: list[int | None],
    death: dict[str, object],
    status: str,
    says: str,
) -> None:
    monkeypatch.setattr(process, "WORKER", (sys.executable, "-c", LAST_WORDS.format(fate)))
    counts = iter([0, *kills, 0])  # asked before each process, and after one that died
    monkeypatch.setattr(process, "_kernel_kills", lambda: next(counts))
    found = list(sweep([(small_task(), side) for side in (32, 48, 64)], Way(batch=2)))
    assert [point.status for point in found] == ["ok", status, "ok"]
    dead = found[1]
    assert says in str(dead.error)
    assert {**death, "stderr": ["first line", "last words"]}.items() <= dead.detail.items()
    assert values(dead)["params", None] == 269_722  # what was counted stays
    assert values(found[2])["latency_ms", "median"] == 2.0
    assert values(found[2])["images_per_s", None] == 1000.0
    assert values(found[2])["memory", "rss_peak"] == 7


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A memory cgroup of 1.2 GB, in which the kernel kills."""
    group, limit = Path("/sys/fs/cgroup/memory/aabench-test"), "memory.limit_in_bytes"
    if not group.parent.is_dir():
        group, limit = Path("/sys/fs/cgroup/aabench-test"), "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text("1200000000")
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield group
    group.rmdir()


def test_a_point_that_the_kernel_kills_is_out_of_memory(small_cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = f'echo $$ > {small_cgroup}/cgroup.procs && exec "$@"'
    monkeypatch.setattr(process, "WORKER", ("sh", "-c", inside, "sh", *process.WORKER))
    found = list(sweep([(small_task(), 512), (small_task(), 32)], Way("train", 64), QUICK))
    assert [point.status for point in found] == ["oom", "ok"]
    assert "SIGKILL (out of memory: the kernel's count of such kills rose)" in str(found[0].error)


def test_a_failure_in_the_worker_is_its_one_line() -> None:
    point = {"model": "resnet20_cifar", "arguments": {"pixels": 3}, "num_classes": 10, "input_size": 32}
    settings = Way().settings() | Effort().settings()
    answer = process.run_in_fresh_process("measure", point | settings)
    says = "AABenchError: model resnet20_cifar takes no argument 'pixels'; it takes none"
    assert answer == {"error": says, "oom": False}


def test_a_measured_point_is_left_out_when_a_sweep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dies_at_48 = LAST_WORDS.format("os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(process, "WORKER", (sys.executable, "-c", dies_at_48))
    todo, way = points([small_task()], [32, 48, 64]), Way(batch=2)
    rows = list(sweep(todo, way))
    done = measured(rows, way, Effort())
    assert done == {("resnet20-cifar10", 32): rows[0], ("resnet20-cifar10", 64): rows[2]}  # 48 failed
    assert measured(rows, replace(way, dtype="bf16"), Effort()) == {}
    assert measured(rows, way, Effort(seconds=1)) == {}
    elsewhere = [row.model_copy(update={"environment": row.environment | {"cpu": "another"}}) for row in rows]
    assert measured(elsewhere, way, Effort()) == {}
    limited = [row.model_copy(update={"settings": row.settings | {"memory_limit": 1}}) for row in rows]
    assert measured(limited, way, Effort()) == {}
    oom = [row.model_copy(update={"status": "oom"}) for row in rows]
    assert len(measured(oom, way, Effort())) == 3


def test_points_without_a_quiet_moment_are_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = iter([(8.0, 1.0), (1.0, 1.0), (1.5, 1.0), *[(1.0, 1.0)] * 6])  # probe, and quiet level
    known = []

    def measure_point(task: Task, side: int, way: Way, effort: Effort, quiet_us: float | None) -> Measurement:
        known.append((side, quiet_us))
        probe, quiet = next(levels)
        timing = {"samples_ms": (5.0,) * 3, "stopped_by": "time", "warmup_calls": 1, "settled": True}
        timing |= {"page_faults": 0.0, "system_ms": 0.0, "probes_us": (probe,) * 4}
        timing |= {"quiet_us": probe if quiet_us is None else quiet}
        return new(task=task.name, level="profile", detail={"latency": timing})

    monkeypatch.setattr(sweeping, "measure_point", measure_point)
    assert len(list(sweep([(small_task(), side) for side in range(32, 40)], Way()))) == 9
    # The first found its own 8 to be quiet; the third is left, since only an eighth is measured again.
    assert known == [(32, None), (33, 8.0), *((side, 1.0) for side in range(34, 40)), (32, 1.0)]


def test_shards_are_the_whole_sweep_each_point_once() -> None:
    task, sides = small_task(), list(range(32, 32 * 12, 32))
    parts = [points([task], sides, f"{i}/3") for i in (1, 2, 3)]
    assert [side for _, side in parts[0]] == [32, 128, 224, 320]
    assert sorted(side for part in parts for _, side in part) == sides
    assert points([task], sides, "1/1") == points([task], sides)


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "-1/2", "1/0", "1/2/3", ""])
def test_what_is_no_shard(shard: str) -> None:
    with pytest.raises(AABenchError, match="a shard is i/n with i from 1 to n"):
        points([small_task()], [32], shard)


@pytest.fixture
def shrinking(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task whose network halves the map four times and then wants 3x3 pixels."""

    def build(input_size: tuple[int, int], num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 16, stride=16), nn.Conv2d(4, num_classes, 3))

    monkeypatch.setitem(registry.NETWORKS, "shrinking", build)
    return small_task().model_copy(update={"name": "shrinking", "model": "shrinking"})


@pytest.mark.parametrize("run", [sweep, predict_points])
def test_a_size_too_small_is_a_failed_row_that_says_where(shrinking: Task, run: object) -> None:
    [found] = run([(shrinking, 32)], Way())  # type: ignore[operator]
    assert (found.status, found.values) == ("failed", ())
    assert "1 (Conv2d) on an input of 1x4x2x2 fails" in str(found.error)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: points([], [32]), "nothing to profile"),
        (lambda: points([small_task()], []), "nothing to profile"),
        (lambda: Way(mode="guess"), "mode is infer or forward or train, not 'guess'"),
        (lambda: Way(batch=0), "batch must be above 0, got 0"),
        (lambda: Way(dtype="fp8"), "dtype is fp32 or bf16 or fp16, not 'fp8'"),
        (lambda: Way(device="tpu"), "device is cpu or cuda, not 'tpu'"),
        (lambda: Way(allocator="fast"), "allocator is default or warm, not 'fast'"),
        (lambda: Effort(seconds=-1.0), "seconds must be above 0"),
        (lambda: Effort(precision=0.0), "precision must be above 0"),
        (lambda: Effort(precision=float("nan")), "precision must be above 0"),
    ],
)
def test_wrong_options_are_an_error_before_any_point(wrong: object, says: str) -> None:
    with pytest.raises(AABenchError, match=says):
        wrong()  # type: ignore[operator]


def test_cuda_that_is_not_here_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(AABenchError, match="torch finds none here"):
        sweep([(small_task(), 32)], Way(device="cuda"))
