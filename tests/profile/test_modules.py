"""Cost by module: own times add up to the forward pass, counts to the network's, and the table shows all of it."""

import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from aabench.catalog import Task, load_catalog
from aabench.cli.modules import print_modules, tree
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.profile import Way, count, modules, process, profile_modules
from aabench.profile.modules import Stopwatch
from aabench.record import Measurement, new

pytestmark = pytest.mark.alone


class Sleeps(nn.Module):
    """Takes so many milliseconds itself, before and after what is inside."""

    def __init__(self, milliseconds: float, *inside: nn.Module) -> None:
        super().__init__()
        self.milliseconds = milliseconds
        self.inside = nn.ModuleList(inside)

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.milliseconds / 2e3)
        for module in self.inside:
            x = module(x)
        time.sleep(self.milliseconds / 2e3)
        return x


def test_a_modules_own_time_is_without_those_inside_it() -> None:
    shared = Sleeps(10)
    model = Sleeps(40, shared, Sleeps(20, shared))
    watch = Stopwatch("cpu")
    with watch.on(model):
        for _ in range(3):
            watch.begin()
            model(torch.zeros(2, 5))
    found = watch.result()
    times = {name: own["ms"] for name, own in found["modules"].items()}
    assert times == {
        "": pytest.approx(40, abs=9),
        "inside.0": pytest.approx(20, abs=9),  # called twice
        "inside.1": pytest.approx(20, abs=9),
    }
    assert found["forward_ms"] == pytest.approx(sum(times.values()), abs=5)
    # 2 x 5 numbers of 4 bytes, from each call.
    assert {name: own["activation_bytes"] for name, own in found["modules"].items()} == {
        "": 40, "inside.0": 80, "inside.1": 40,
    }  # fmt: skip
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def small() -> Task:
    task = load_catalog().task("aa-wrn-28-10")
    return task.model_copy(update={"arguments": {**task.arguments, **task.smoke_arguments, "attention": "fused"}})


@pytest.mark.parametrize("way", [Way(batch=2), Way("train", 2, "bf16", channels_last=True)], ids=str)
def test_a_row_of_modules_measured_in_a_process_of_its_own(way: Way) -> None:
    row = profile_modules(small(), 24, way)
    assert (row.level, row.status, row.error, row.values) == ("profile", "ok", None, ())
    assert row.settings.items() >= {"by_module": True, "input_size": 24, "mode": way.mode, "batch": 2}.items()
    found = row.detail["modules"]
    [network, first, *_] = found
    assert (network["name"], network["type"]) == ("", "WideResNet")
    # 16 channels of 24 x 24 for two images, in four bytes or two.
    assert (first["name"], first["type"], first["params"], first["macs"]) == ("conv1", "Conv2d", 432, 24 * 24 * 432)
    assert first["activation_bytes"] == 2 * 16 * 24 * 24 * (2 if way.dtype == "bf16" else 4)
    assert all(module["ms"] > 0 for module in found if module["type"] == "Conv2d")
    assert sum(module["share"] for module in found) == pytest.approx(1)
    assert sum(module["ms"] for module in found) == pytest.approx(row.detail["forward_ms"])
    known = count(create_model(small().model, input_size=24, num_classes=100, device="meta", **small().arguments), 24)
    assert sum(module["params"] for module in found) == known.params
    assert sum(module["macs"] for module in found) == known.macs
    assert row.detail["attention_forms"] == {"fused": 3}
    assert {line["operator"]: bool(line["why"]) for line in row.detail["executed"]} == {
        "convolution": False, "aabench.chunked_attention": False, "bmm": False, "addmm": False,
    }  # fmt: skip


def test_what_fails_is_a_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORKER", ("sh", "-c", "cat > /dev/null; echo last words >&2; exit 7"))
    row = profile_modules(small(), 24)
    assert (row.status, row.detail["exit_status"]) == ("failed", 7)
    assert "last words" in str(row.error)
    assert profile_modules(small(), 24, Way("train", 1)).status == "failed"


def test_a_size_that_does_not_run_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "run_in_fresh_process", lambda *_: pytest.fail("a process was started"))
    row = profile_modules(small(), 0)
    assert row.status == "failed"
    assert "0x0" in str(row.error)


def test_a_compiled_network_has_no_modules() -> None:
    with pytest.raises(AABenchError, match="no modules left to time; leave --compile out"):
        profile_modules(small(), 24, Way(compile=True))


def test_cuda_is_asked_for_and_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(AABenchError, match="cuda was asked for and torch finds none here"):
        profile_modules(small(), 24, Way(device="cuda"))


def module(name: str, ms: float, macs: int = 0, params: int = 0) -> dict[str, Any]:
    return {
        "name": name, "type": f"Type{name.count('.')}", "params": params, "macs": macs, "activation_bytes": 3 * 2**20,
        "ms": ms, "share": ms / 20,
    }  # fmt: skip


def made_up() -> Measurement:
    found = [
        module("", 1.0),
        module("stem", 2.0, 5_000_000, 27),
        module("layer1", 0.5),
        module("layer1.0", 1.5),
        module("layer1.0.conv", 10.0, 90_000_000, 1_000),
        module("layer1.0.parts.3", 5.0, 5_000_000, 200),  # `parts` is a list and is never called
    ]
    executed = [
        {"operator": "convolution", "model": 60_000_000, "executed": 60_000_000, "why": {}},
        {
            "operator": "scaled_dot_product_attention", "model": 40_000_000, "executed": 90_000_000,
            "why": {"position features": 30_000_000, "padding": 20_000_000},
        },
    ]  # fmt: skip
    return new(
        task="made-up",
        level="profile",
        settings={"input_size": 32, "batch": 4, "mode": "infer", "dtype": "fp32", "device": "cpu"},
        detail={
            "modules": found, "executed": executed, "attention_forms": {"fused": 2, "explicit": 1},
            "forward_ms": 20.5, "repeats": 7, "threads": 2,
        },
    )  # fmt: skip


def test_modules_become_a_tree_with_sums() -> None:
    root = tree(made_up().detail["modules"])
    assert (root.total("ms"), root.total("macs"), root.total("params")) == (20, 100_000_000, 1_227)
    stem, layer = root.children
    assert (stem.name, layer.name, layer.total("ms")) == ("stem", "layer1", 17)
    assert [child.name for child in layer.children[0].children] == ["layer1.0.conv", "layer1.0.parts.3"]


def lines(capsys: pytest.CaptureFixture[str], depth: int) -> list[str]:
    print_modules(made_up(), depth)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_the_table_shows_sums_to_a_depth_and_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    shown = lines(capsys, 1)
    assert "network Type0 100.00 M 1,227 3.00 MiB 20.00 100.0%" in shown
    assert "stem Type0 5.00 M 27 3.00 MiB 2.00 10.0%" in shown
    assert "layer1 Type0 95.00 M 1,200 3.00 MiB 17.00 85.0%" in shown
    assert "its own operators - - 1.00 5.0%" in shown
    assert not any(line.startswith("0 ") for line in shown)
    deep = lines(capsys, 3)
    assert "0 Type1 95.00 M 1,200 3.00 MiB 16.50 82.5%" in deep
    assert "conv Type2 90.00 M 1,000 3.00 MiB 10.00 50.0%" in deep
    assert "its own operators - - 1.50 7.5%" in deep


def test_the_footer_sets_executed_against_the_models(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    shown = lines(capsys, 2)
    assert "convolution 60,000,000 60,000,000 the same" in shown
    assert (
        "scaled_dot_product_attention 40,000,000 90,000,000 position features +30,000,000, padding +20,000,000" in shown
    )
    assert "all 100,000,000 150,000,000 1.500 times the model's" in shown
    assert "attention layers by the form that runs: 1 explicit, 2 fused" in shown
