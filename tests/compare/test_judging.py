"""The exact gate: every judgement, with its reason."""

import json

import pytest

from aabench.compare import Comparison, compare_files
from aabench.compare.source import load
from tests.compare.logs import COUNTS, row, write


@pytest.fixture
def compare(tmp_path):
    """Rows of BASE, rows of HEAD -> the comparison."""

    def run(base, head, **filters) -> Comparison:
        files = write(tmp_path / "base.jsonl", *base), write(tmp_path / "head.jsonl", *head)
        return compare_files(*map(load, files), **filters)

    return run


def judged(comparison: Comparison) -> dict[str, str]:
    return {finding.metric: finding.judgement for finding in comparison.findings}


def test_the_same_is_the_same(compare):
    comparison = compare([row(), row(COUNTS, 64)], [row(), row(COUNTS, 64)])
    assert comparison.counts == {"same": 2 * len(COUNTS) + 2}  # and two exponents
    assert comparison.exit_code == 0


def test_one_more_is_a_regression_and_one_less_an_improvement(compare):
    comparison = compare([row()], [row({**COUNTS, "params": 1001, "macs/model": 3_999_999})])
    assert judged(comparison) == {
        "params": "regression",
        "macs/model": "improvement",
        "macs/executed": "same",
        "memory/predicted_live": "same",
    }
    worse = comparison.findings[0]
    assert (worse.base, worse.head, worse.change) == (1000, 1001, pytest.approx(0.001))
    assert worse.numbers == "1,000 -> 1,001 (+0.1 %)"
    assert comparison.exit_code == 1


def test_times_in_turns_or_of_calls_that_nobody_waits_for_are_points_of_their_own(compare):
    """On the CPU there is nothing to wait for, and a row that does not say what was done did wait."""
    base = [row(level="profile"), row(level="profile", settings={"device": "cuda"})]
    same = [row(level="profile", settings={"synchronised": False})]
    same += [row(level="profile", settings={"device": "cuda", "synchronised": True})]
    assert {finding.judgement for finding in compare(base, same).findings} == {"same"}
    others = [row(level="profile", settings={"interleaved": True})]
    others += [row(level="profile", settings={"device": "cuda", "synchronised": False})]
    found = compare(base, others).findings
    assert sorted(finding.judgement for finding in found) == ["missing", "missing", "new", "new"]


def test_improvements_alone_pass(compare):
    assert compare([row()], [row({**COUNTS, "params": 999})]).exit_code == 0


def test_exponents_are_those_of_the_numbers(compare):
    """s^2 between 16 and 32, s^4 between 32 and 64; HEAD grows as s^3 there."""
    base = [row({"macs/model": macs}, side) for side, macs in ((16, 100), (32, 400), (64, 6400))]
    head = [row({"macs/model": macs}, side) for side, macs in ((16, 100), (32, 400), (64, 3200))]
    exponents = [f for f in compare(base, head).findings if f.metric == "exponent/macs/model"]
    assert [(f.judgement, f.size, f.base, f.head) for f in exponents] == [
        ("improvement", "32..64", 4.0, 3.0),
        ("same", "16..32", 2.0, 2.0),
    ]


def test_exponents_are_taken_between_sides_that_both_have(compare):
    base = [row({"macs/model": side**2}, side) for side in (16, 32, 64)]
    head = [row({"macs/model": side**2}, side) for side in (16, 64)]
    comparison = compare(base, head)
    assert [f.size for f in comparison.findings if f.metric.startswith("exponent")] == ["16..64"]
    assert comparison.counts == {"missing": 1, "same": 3}


def test_how_long_was_measured_is_no_part_of_a_point(compare):
    head = row(settings={"seconds": 2.0, "precision": 0.02, "flush_l2": False, "allocator": "warm"})
    assert compare([row()], [head]).counts == {"same": 4}


@pytest.mark.parametrize("way", [{"batch": 16}, {"mode": "infer"}, {"dtype": "bf16"}, {"compile": True}])
def test_another_way_of_running_is_another_point(compare, way):
    comparison = compare([row()], [row(settings=way)])
    assert comparison.counts == {"missing": 1, "new": 1}
    assert comparison.exit_code == 4


def test_the_newest_good_row_counts(compare):
    old, good = row({"params": 7}, time="2026-01-01"), row({"params": 8}, time="2026-01-02")
    bad = row({}, time="2026-01-03", status="failed", error="a bus")
    assert [f.head for f in compare([row({"params": 8})], [bad, good, old]).findings] == [8]


@pytest.mark.parametrize("status", ["failed", "oom"])
def test_a_point_that_fails_now_is_a_regression(compare, status):
    comparison = compare([row()], [row({}, status=status, error="no memory left")])
    assert judged(comparison) == {"point": "regression"}
    assert comparison.findings[0].reason == f"ok in BASE, in HEAD {status}: no memory left"


def test_a_point_that_failed_before(compare):
    failed = row({}, status="failed", error="a bus")
    assert judged(compare([failed], [row()])) == {"point": "improvement"}
    assert compare([failed], [failed]).exit_code == 3
    assert compare([failed, row(COUNTS, 64)], [row(COUNTS, 64)]).exit_code == 0


def test_running_out_of_memory_on_another_machine_says_nothing(compare):
    head = row({}, level="profile", status="oom", error="no memory", environment={"cpu": "Another"})
    comparison = compare([row(level="profile")], [head])
    assert judged(comparison) == {"point": "not comparable"}
    assert "another machine: Some CPU, 2, 2.15.0 in BASE, Another, 2, 2.15.0 in HEAD" in comparison.findings[0].reason


def test_an_interrupted_point_is_missing(compare):
    comparison = compare([row(), row(COUNTS, 64)], [row(), row({}, 64, status="interrupted")])
    assert comparison.counts == {"missing": 1, "same": 4}


def test_a_convention_on_one_side_only(compare):
    base, head = row({"flops/flops": 2, "params": 1}), row({"flops/other": 2, "params": 1})
    comparison = compare([base], [head])
    assert judged(comparison) == {
        "flops/flops": "not comparable",
        "flops/other": "not comparable",
        "params": "same",
    }
    assert comparison.findings[0].reason == "only BASE has this convention of flops"
    assert comparison.exit_code == 4


def test_a_metric_on_one_side_only(compare):
    comparison = compare([row({"params": 1, "macs/model": 1})], [row({"params": 1, "activations": 5})])
    assert judged(comparison) == {"macs/model": "missing", "activations": "new", "params": "same"}


def test_another_torch_leaves_what_the_definition_says(compare):
    comparison = compare([row()], [row({**COUNTS, "memory/predicted_live": 1}, environment={"torch": "2.16.1"})])
    assert judged(comparison) == {
        "macs/executed": "not comparable",
        "memory/predicted_live": "not comparable",
        "params": "same",
        "macs/model": "same",
    }
    assert "torch 2.15 in BASE, 2.16 in HEAD" in comparison.findings[0].reason


def test_a_patch_of_torch_does_not_matter(compare):
    assert compare([row()], [row(environment={"torch": "2.15.1+cpu"})]).exit_code == 0


def test_an_unknown_torch_is_another_one(compare):
    comparison = compare([row(environment={"torch": None})], [row(environment={"torch": None})])
    assert judged(comparison)["macs/executed"] == "not comparable"


MEASURED = {"latency_ms/median": 10.0, "images_per_s": 100.0, "memory/rss_peak": 5_000_000}


def test_measurements_are_never_judged(compare):
    slow = {"latency_ms/median": 99.0, "images_per_s": 1.0, "memory/rss_peak": 9_000_000}
    comparison = compare([row(MEASURED, level="profile")], [row(slow, level="profile")])
    assert comparison.counts == {"not judged": 3}
    assert comparison.exit_code == 3
    assert all("--rerun" in finding.reason for finding in comparison.findings)


@pytest.mark.parametrize("change", [{"cpu": "Another"}, {"gpu": "H200"}, {"threads": 1}, {"torch": "2.15.1"}])
def test_measurements_of_another_machine_are_not_comparable(compare, change):
    comparison = compare([row(MEASURED, level="profile")], [row(MEASURED, level="profile", environment=change)])
    assert comparison.counts == {"not comparable": 3}
    assert comparison.exit_code == 4


def test_more_of_a_description_is_no_regression(compare):
    base, head = ({"params": 1, "attention_share": share} for share in (0.1, 0.2))
    assert judged(compare([row(base)], [row(head)])) == {"attention_share": "not judged", "params": "same"}


def test_no_number_is_no_zero(compare):
    comparison = compare([row({"params": 1, "activations": 5})], [row({"params": 1, "activations": None})])
    assert judged(comparison) == {"activations": "not comparable", "params": "same"}
    assert comparison.findings[0].reason == "no number in HEAD: there is none here"


def test_a_redefined_task_is_still_the_same_task(compare):
    head = row({**COUNTS, "params": 2000}, settings={"arguments": {"width": 2}})
    worse = compare([row()], [head]).findings[0]
    assert (worse.judgement, worse.reason) == ("regression", "the task was redefined: width None -> 2")


def test_a_task_altered_by_hand_is_another_point(compare):
    altered = row(settings={"arguments": {"width": 2}}, altered={"width": 2, "epochs": 1})
    assert compare([row()], [altered]).counts == {"missing": 1, "new": 1}
    assert compare([altered], [altered]).counts == {"same": 4}


def test_filters(compare):
    base = [row(), row(task="resnet50"), row({"params": 5}, 64)]
    head = [row({**COUNTS, "params": 1}), row({**COUNTS, "params": 1}, task="resnet50")]
    only_task = compare(base, head, tasks=["resnet50"])
    assert {finding.task for finding in only_task.findings} == {"resnet50"}
    assert only_task.counts == {"improvement": 1, "same": 3}
    assert compare(base, head, metrics=["macs/model"]).counts == {"same": 2}  # the point at 64 has none
    assert judged(compare(base, head, metrics=["macs"])) == {"macs/model": "same", "macs/executed": "same"}
    assert compare(base, head, tasks=["wrn-28-10"], known_tasks=["wrn-28-10"]).exit_code == 3


def test_exponents_alone(compare):
    rows = [row({"macs/model": side**2}, side) for side in (16, 32)]
    assert judged(compare(rows, rows, metrics=["exponent"])) == {"exponent/macs/model": "same"}


def test_what_trained_is_not_compared(compare):
    assert compare([row(), row(level="smoke")], [row()]).counts == {"same": 4}


def test_the_document_holds_everything(compare):
    document = json.loads(json.dumps(compare([row()], [row({**COUNTS, "params": 1100})]).to_dict()))
    assert (document["exit_code"], document["counts"]) == (1, {"regression": 1, "same": 3})
    first = document["findings"][0]
    assert (first["task"], first["metric"], first["base"], first["head"]) == ("resnet20-cifar10", "params", 1000, 1100)
    assert first["change"] == pytest.approx(0.1)
    assert first["at"] == {"input_size": 32, "mode": "train", "batch": 8, "dtype": "fp32", "device": "cpu"} | {
        "compile": False,
        "channels_last": False,
    }
