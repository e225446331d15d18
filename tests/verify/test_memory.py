"""Verdicts on peak memory: side by side, predicted, and measured where it was."""

from collections.abc import Sequence
from typing import Any

import pytest

from aabench.catalog import load_catalog
from aabench.profile import Way, predict_points
from aabench.record import Measurement
from aabench.verify import Verdict, judge
from tests.verify.profiled import catalog, claim, measured, point, predicted

SIDES = (32, 64, 128, 256)
OLD = (100, 1000, 10_000, 100_000_000)
COMMAND = "`aabench profile new old --mode train --batch 8 --res 32,64,128,256 --predict`"


def curve(task: str, activations: Sequence[int], sides: Sequence[int] = SIDES) -> list[Measurement]:
    return [predicted(task, side, size) for side, size in zip(sides, activations, strict=True)]


def verdict(*rows: Measurement) -> Verdict:
    return judge(claim("memory", "ordinal"), rows, catalog())


def test_less_at_every_side() -> None:
    rows = curve("new", (99, 999, 9999, 10_485_760 - 8440)) + curve("old", (*OLD[:3], 104_857_600 - 8440))
    found = verdict(*rows)
    assert (found.status, found.measured, found.unit) == ("verified", 10_485_760, "bytes")
    assert found.convention == "predicted_live"
    assert set(found.rows) == {row.id for row in rows}
    assert found.reason == (
        "less at 32 to 256; at 256 10 against 100 MiB of old, 0.10 times as much "
        "(predicted: training step, batch 8, fp32, cpu: torch 2.15.0)"
    )


@pytest.mark.parametrize(
    ("new", "status", "where"),
    [
        ((100, 999, 9999, 99), "consistent", "less at 64 to 256, not at 32;"),  # equal is not less
        ((99, 1001, 9999, 99), "consistent", "less at 32, 128, 256, not at 64;"),
        ((101, 1001, 10_001, 99), "consistent", "less at 256, not at 32 to 128;"),
        (OLD, "contradicted", "not less at 32 to 256;"),
    ],
)
def test_the_sides_at_which_it_holds_are_named(new: Sequence[int], status: str, where: str) -> None:
    found = verdict(*curve("new", new), *curve("old", OLD))
    assert found.status == status
    assert found.reason.startswith(where)


def test_missing_sides_decide_nothing_and_name_the_command() -> None:
    found = verdict(*curve("new", (1, 1), (32, 128)), *curve("old", OLD))
    assert found.status == "underpowered"
    assert found.reason.startswith("less at 32, 128; at 128 ")
    assert found.reason.endswith(f"; no points at 64, 256 yet: {COMMAND}")


def test_nothing_profiled_names_the_command_and_the_last_failure() -> None:
    assert (verdict().status, verdict().reason) == ("not-run", f"{COMMAND} settles it")
    failed = point("new", 32, status="failed", error="a window of 7 does not divide 4")
    found = verdict(failed, *curve("old", OLD))
    assert found.status == "not-run"
    assert found.reason.endswith(" settles it (the last try failed at 32: new: a window of 7 does not divide 4)")


@pytest.mark.parametrize(
    "other",
    [
        {"altered": {"width": 2}},
        {"settings": {"memory_limit": 2**30}, "level": "profile"},
        {"settings": {"by_module": True}},
        {"settings": {"mode": "infer"}},
        {"level": "train"},
    ],
)
def test_what_is_no_point_of_the_sweep_is_no_failure_of_it(other: dict[str, Any]) -> None:
    failed = point("new", 32, status="failed", error="out of order", **other)
    assert verdict(failed).reason == f"{COMMAND} settles it"


def test_points_of_another_way_do_not_count() -> None:
    other_batch = [predicted("new", side, 1, settings={"batch": 1}) for side in SIDES]
    inference = [predicted("new", side, 1, settings={"mode": "infer"}) for side in SIDES]
    altered = [predicted("new", side, 1, altered={"width": 2}) for side in SIDES]
    compiled = [predicted("new", side, 1, settings={"compile": True}) for side in SIDES]
    other_torch = [predicted("new", side, 1, environment={"torch": "2.11.0"}) for side in SIDES]
    for rows in (other_batch, inference, altered, compiled, other_torch):
        assert verdict(*rows, *curve("old", OLD)).status == "not-run"


def test_the_newest_point_counts_whatever_its_place() -> None:
    older, newer = curve("new", (999_999_999,) * 4), curve("new", (1,) * 4)
    assert verdict(*newer, *curve("old", OLD), *older).status == "verified"


def test_what_was_measured_has_to_agree() -> None:
    rows = curve("new", (99, 999, 9999, 99)) + curve("old", OLD)
    run = [measured("new", 32, 99, 8000), measured("old", 32, 100, 9000), measured("new", 64, 999, 9000)]
    found = verdict(*rows, *run)
    assert found.status == "verified"
    way = "training step, batch 8, fp32, cpu: A CPU, threads 2, torch 2.15.0"
    assert found.reason.endswith(f"; allocated_peak is less at 32 ({way})")
    assert {run[0].id, run[1].id} < set(found.rows)
    against = verdict(*rows, *run, measured("old", 64, 1000, 9000))
    assert against.status == "consistent"
    assert against.reason.startswith("less at 32, 128, 256, not at 64; ")
    assert against.reason.endswith(f"; allocated_peak is less at 32, not at 64 ({way})")


def test_a_run_alone_is_judged_too_and_one_out_of_memory_has_its_prediction() -> None:
    rows = [measured(task, side, size, size) for task, size in (("new", 1), ("old", 2)) for side in SIDES[:3]]
    rows.append(measured("new", 256, 1, 1))
    rows.append(predicted("old", 256, 2, level="profile", status="oom", error="killed"))
    found = verdict(*rows)
    assert found.status == "verified"
    assert "(predicted for training step, batch 8, fp32, cpu: A CPU" in found.reason
    assert "; allocated_peak is less at 32 to 128 (" in found.reason


def test_claims_of_the_catalog_name_the_command_for_all_their_sides() -> None:
    shipped = load_catalog()
    for name in ("eaa-resnet18-linear", "eaa-resnet18-efficient"):
        reasons = {judge(of, [], shipped).reason for of in shipped.claims_of(name) if of.kind != "absolute"}
        assert reasons >= {
            f"`aabench profile {name} {other} --mode train --batch 8 --res 32..512 --predict` settles it"
            for other in ("aa-resnet18-explicit", "eaa-resnet18-fused")
        }


def test_real_predictions_are_what_is_judged() -> None:
    shipped = load_catalog()
    pair = {"task": "resnet20-cifar10", "baseline": "resnet56-cifar10"}
    sweeps = {"training": catalog().sweeps["training"].model_copy(update={"sides": (16, 32, 64)})}
    tasks = [shipped.task(name) for name in pair.values()]
    rows = list(predict_points([(task, side) for task in tasks for side in (16, 32, 64)], Way("train", 8)))
    known = shipped.model_copy(update={"sweeps": sweeps})
    found = judge(claim("memory", "ordinal", **pair), rows, known)
    assert (found.status, len(found.rows)) == ("verified", 6)
    for metric in ("memory", "flops"):  # both nets are convolutions alone, but for one linear layer
        growth = judge(claim(metric, "growth", **pair), rows, known)
        assert (growth.n, growth.measured) == (3, pytest.approx(0, abs=0.1))
