"""Verdicts on exact numbers and on what was not measured; the codes to exit with."""

import json
from typing import Any

import pytest

from aabench.catalog import Catalog, load_catalog
from aabench.record import Value
from aabench.verify import JUDGEMENTS, Verdict, exit_code, judge, judge_all

PRINTED = {"params": "25.8 M", "flops": "8.3 GFLOPs"}


@pytest.mark.parametrize(
    ("params", "status"),
    [
        (25_750_000, "verified"),
        (25_809_448, "verified"),
        (25_849_999, "verified"),
        (25_850_000, "contradicted"),
        (25_749_999, "contradicted"),
    ],
)
def test_a_printed_number_is_a_half_open_interval(make: Any, catalog: Catalog, params: int, status: str) -> None:
    rows = [make.structure("aa-net", params)]
    verdict = judge(make.claim("params", "25.8 M"), rows, catalog)
    assert verdict.status == status
    assert (verdict.measured, verdict.unit, verdict.rows) == (params, "parameters", (rows[0].id,))
    assert "\n" not in verdict.reason


def test_flops_are_judged_in_the_claims_convention_and_the_reason_names_it(make: Any, catalog: Catalog) -> None:
    rows = [make.structure("aa-net", 1, macs=4.2e9, flops=8.40e9, aa_paper=8.33e9)]
    verdict = judge(make.claim("flops", "8.3 GFLOPs", convention="aa-paper"), rows, catalog)
    assert (verdict.status, verdict.measured, verdict.convention) == ("verified", 8.33e9, "aa-paper")
    assert verdict.reason == "8.330 GFLOPs (counted as aa-paper) prints as 8.3 GFLOPs"
    plain = judge(make.claim("flops", "8.3 GFLOPs"), rows, catalog)  # no convention: 2 a multiply-add
    assert (plain.status, plain.convention) == ("contradicted", "flops")
    assert plain.reason.endswith("; counted as aa-paper it lands")


def test_a_contradiction_names_the_nearest_count(make: Any, catalog: Catalog) -> None:
    claim = make.claim("flops", "6.3 GFLOPs", convention="aa-paper")
    verdict = judge(claim, [make.structure("aa-net", 1, macs=3.2e9, flops=6.46e9, aa_paper=6.383e9)], catalog)
    assert verdict.status == "contradicted"
    assert verdict.reason == (
        "6.383 GFLOPs (counted as aa-paper) is outside [6.25, 6.35) GFLOPs; macs and flops are further away"
    )
    verdict = judge(claim, [make.structure("aa-net", 1, flops=6.36e9, aa_paper=6.2e9)], catalog)
    assert verdict.reason.endswith("no convention lands, the nearest is 6.360 GFLOPs (counted as flops)")


def test_the_newest_row_counts_whatever_its_place(make: Any, catalog: Catalog) -> None:
    old, new = make.structure("aa-net", 20_000_000), make.structure("aa-net", 25_800_000)
    claim = make.claim("params", "25.8 M")
    assert judge(claim, [old, new], catalog).status == "verified"
    assert judge(claim, [new, old], catalog).status == "verified"  # logs merged in any order


def test_exact_image_counts(make: Any, catalog: Catalog) -> None:
    claim = make.claim("correct", "9173 images", task="known-net", tag="code")
    verdict = judge(claim, [make.run("known-net", 91.73, level="eval")], catalog)
    assert (verdict.status, verdict.measured) == ("verified", 9173)
    for other in (91.72, 91.74):
        assert judge(claim, [make.run("known-net", other, level="eval")], catalog).status == "contradicted"


def test_an_ordinal_claim_on_a_count_says_less(make: Any, catalog: Catalog) -> None:
    claim = make.claim("params", None, kind="ordinal", baseline="plain-net")
    rows = [make.structure("aa-net", 99), make.structure("plain-net", 100)]
    verdict = judge(claim, rows, catalog)
    assert (verdict.status, verdict.claimed) == ("verified", "below plain-net")
    assert verdict.reason == "99 against 100 parameters of plain-net"
    assert verdict.rows == (rows[0].id, rows[1].id)
    assert judge(claim, [make.structure("aa-net", 100), rows[1]], catalog).status == "contradicted"
    assert judge(claim, rows[:1], catalog).reason == "`aabench reproduce plain-net --level structure` measures it"


# --- rows that do not count


@pytest.mark.parametrize("metric", ["params", "top1"])
def test_altered_rows_are_never_judged(make: Any, catalog: Catalog, metric: str) -> None:
    value = {"params": "25.8 M", "top1": "81.6 %"}[metric]
    row = make.structure("aa-net", 25_800_000) if metric == "params" else make.run("aa-net", 81.6)
    verdict = judge(make.claim(metric, value), [row.model_copy(update={"altered": {"width": 2}})], catalog)
    assert verdict.status == "not-run"
    assert verdict.measured is None
    assert verdict.reason.endswith("(not judged: 1 altered)")


def test_smoke_runs_say_nothing_of_accuracy(make: Any, catalog: Catalog) -> None:
    row = make.run("aa-net", 81.6).model_copy(update={"level": "smoke"})
    assert judge(make.claim("top1", "81.6 %"), [row], catalog).status == "not-run"


def test_nothing_run_names_the_command(make: Any, catalog: Catalog) -> None:
    def reason(*arguments: Any, **fields: Any) -> str:
        return judge(make.claim(*arguments, **fields), [], catalog).reason

    assert reason("params", "25.8 M") == "`aabench reproduce aa-net --level structure` measures it"
    assert reason("top1", "81.6 %") == "`aabench reproduce aa-net --level train` measures it"
    assert reason("top1", "91.7 %", task="known-net") == "`aabench reproduce known-net --level eval` measures it"
    delta = {"kind": "delta", "baseline": "plain-net"}
    assert reason("top1", "+1.3 points", **delta) == "`aabench reproduce aa-net --level train` measures it"


def test_failures_and_interruptions_are_mentioned(make: Any, catalog: Catalog) -> None:
    claim = make.claim("top1", "81.6 %")
    failed = make.row("aa-net", "train", status="failed", error="loss is nan at step 7")
    verdict = judge(claim, [failed], catalog)
    assert verdict.status == "not-run"
    assert "the last try failed (loss is nan at step 7)" in verdict.reason
    stopped = make.row("aa-net", "train", status="interrupted")
    verdict = judge(claim, [failed, stopped], catalog)
    assert "the last run was interrupted" in verdict.reason
    assert verdict.reason.endswith("(not judged: 1 failed, 1 interrupted)")
    after = judge(claim, [make.run("aa-net", 81.6), failed], catalog)
    assert after.status == "underpowered"
    assert after.reason.endswith("(not judged: 1 failed)")


def test_blocked_says_what_is_missing(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("AP", "38.2 %", task="detector"), [], catalog)
    assert (verdict.status, verdict.reason) == ("blocked", "no detector in this version")
    verdict = judge(make.claim("top1", "+1.0 points", kind="delta", baseline="detector"), [], catalog)
    assert (verdict.status, verdict.reason) == ("blocked", "the baseline detector: no detector in this version")
    net = catalog.tasks["aa-net"]
    changes = {"arguments": {**net.arguments, "scheme": "unspecified"}, "search": "a-search"}
    tasks = {**catalog.tasks, "aa-net": net.model_copy(update=changes)}
    verdict = judge(make.claim("top1", "81.6 %"), [], catalog.model_copy(update={"tasks": tasks}))
    assert (verdict.status, verdict.reason) == (
        "blocked",
        "its scheme is unspecified; `aabench search aa-net` finds one, and --scheme BITS takes it",
    )
    row = make.row("aa-net", "train", status="blocked", error="no data root; point --data at one")
    verdict = judge(make.claim("top1", "81.6 %"), [row], catalog)
    assert (verdict.status, verdict.reason) == ("blocked", "no data root; point --data at one")


def test_a_null_blocks_with_its_reason(make: Any, catalog: Catalog) -> None:
    lost = Value(metric="params", value=None, unit="parameters", reason="lazy layers")
    verdict = judge(make.claim("params", "25.8 M"), [make.row("aa-net", "structure", lost)], catalog)
    assert (verdict.status, verdict.reason) == ("blocked", "lazy layers")


def test_a_row_without_the_number_is_no_measurement_of_it(make: Any, catalog: Catalog) -> None:
    claim = make.claim("flops", "8.3 GFLOPs", convention="aa-paper")
    verdict = judge(claim, [make.structure("aa-net", 1, flops=8.3e9)], catalog)
    assert verdict.status == "not-run"
    assert "has no flops counted as aa-paper" in verdict.reason


def test_a_value_that_no_sheet_gives_is_unspecified(make: Any, catalog: Catalog) -> None:
    delta = {"kind": "delta", "baseline": "detector"}  # which is blocked: that does not matter
    for fields in ({}, delta):
        verdict = judge(make.claim("top1", None, unspecified=True, **fields), [make.run("aa-net", 81.6)], catalog)
        assert (verdict.status, verdict.reason) == ("unspecified", "the paper's value is not known")
        assert verdict.claimed.startswith("unspecified")


# --- all of a catalog


def test_judge_all_goes_through_the_catalog_in_order(make: Any, catalog: Catalog) -> None:
    assert [verdict.claim for verdict in judge_all(catalog, [])] == list(catalog.claims)
    assert [verdict.claim.task for verdict in judge_all(catalog, [], ["aa-net"])] == ["aa-net"]


def test_our_own_counts_are_no_claims(make: Any, catalog: Catalog) -> None:
    derived = make.claim("params", "36.1 M", tag="derived")
    assert judge_all(catalog.model_copy(update={"claims": (derived,)}), []) == ()


def test_every_claim_of_the_catalog_gets_a_verdict_without_a_log() -> None:
    verdicts = judge_all(load_catalog(), [])
    assert len(verdicts) == len([claim for claim in load_catalog().claims if claim.tag != "derived"])
    assert {verdict.status for verdict in verdicts} == {"not-run", "unspecified"}
    assert exit_code(verdicts) == 3


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["verified", "contradicted", "blocked"], 1),
        (["verified", "blocked", "not-run"], 0),
        (["underpowered"], 0),
        (["consistent"], 0),
        (["blocked", "not-run", "unspecified"], 3),
        ([], 3),
    ],
)
def test_exit_codes(make: Any, statuses: list[str], code: int) -> None:
    claim = make.claim("params", "25.8 M")
    assert exit_code([Verdict(claim=claim, status=status, reason="") for status in statuses]) == code


def test_the_words_are_those_of_the_design() -> None:
    words = "verified consistent contradicted underpowered blocked not-run unspecified"
    assert list(JUDGEMENTS) == words.split()


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("printed", "25.8 M"),
        ("abstract", "25.8 M"),
        ("code", "25.8 M"),
        ("second-hand", "25.8 M (second-hand)"),
        ("recalled", "25.8 M (unconfirmed)"),
    ],
)
def test_a_claimed_value_carries_its_sources_label(make: Any, catalog: Catalog, tag: str, shown: str) -> None:
    assert judge(make.claim("params", "25.8 M", tag=tag), [], catalog).claimed == shown


def test_verdicts_are_json(make: Any, catalog: Catalog) -> None:
    row = make.structure("aa-net", 25_800_000)
    written = json.loads(judge(make.claim("params", "25.8 M"), [row], catalog).model_dump_json())
    assert written["claim"]["value"] == "25.8 M"
    assert (written["status"], written["measured"], written["rows"]) == ("verified", 25_800_000, [row.id])
