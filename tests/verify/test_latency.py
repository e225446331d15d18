"""Verdicts on the increase of a latency: decided where the paper measured, and not elsewhere."""

import pytest

from aabench.record import Measurement
from aabench.verify import Verdict, judge
from tests.verify.profiled import catalog, claim, on_v100, point, timed

V100 = "inference, batch 128, fp32, cuda: Tesla V100-SXM2-16GB, torch 2.15.0"
COMMAND = "`aabench profile new old --mode infer --batch 128 --res 224`"


def verdict(*rows: Measurement, value: str = "+12 %") -> Verdict:
    return judge(claim("latency_ms", "delta", value), rows, catalog())


def test_a_v100_at_the_papers_batch_decides_it() -> None:
    rows = on_v100("new", 112.0, 0.3), on_v100("old", 100.0, 0.4)
    found = verdict(*rows)
    assert (found.status, found.unit, found.rows) == ("verified", "%", (rows[0].id, rows[1].id))
    assert found.measured == pytest.approx(12)
    # Half-widths of the logarithms are 0.3 / 112 and 0.4 / 100; together 0.00482, so 112 % exp(+-0.00482).
    assert found.interval == pytest.approx((11.462, 12.541), abs=1e-3)
    assert found.reason == f"+12.0 % [+11.5, +12.5] over old lies within 2 points of +12 % ({V100})"


@pytest.mark.parametrize(
    ("median", "half", "status", "why"),
    [
        (114.0, 0.1, "verified", "lies within 2 points of +12 %"),  # "+12 %" reaches from 11.5 to 12.5
        (114.6, 0.1, "contradicted", "does not hold +12 %"),
        (109.0, 0.1, "contradicted", "does not hold +12 %"),
        (112.0, 3.0, "consistent", "holds +12 %, and reaches more than 2 points beyond it"),
        (112.0, 9.0, "underpowered", "is 18.1 points wide, and the claimed increase is +12 %"),
        (140.0, 9.0, "contradicted", "does not hold +12 %"),
        (112.0, None, "underpowered", "decides nothing: too few calls for an interval"),
    ],
)
def test_where_the_interval_lies(median: float, half: float | None, status: str, why: str) -> None:
    found = verdict(on_v100("new", median, half), on_v100("old", 100.0, 0.0001))
    assert found.status == status
    assert why in found.reason


def test_elsewhere_it_is_not_comparable_and_says_what_was_seen() -> None:
    way = {"mode": "infer", "batch": 8}
    rows = timed("new", 131.0, 1.31, settings=way), timed("old", 100.0, 1.0, settings=way)
    found = verdict(*rows)
    assert (found.status, found.measured, found.rows) == ("blocked", None, (rows[0].id, rows[1].id))
    # 131 % exp(+-0.01 sqrt(2))
    assert found.reason == (
        "needs one V100, batch 128, fp32; not comparable: +31.0 % [+29.2, +32.9] over old "
        "(inference, batch 8, fp32, cpu: A CPU, threads 2, torch 2.15.0)"
    )


@pytest.mark.parametrize("other", [{"batch": 64}, {"dtype": "bf16"}, {"device": "cpu"}])
def test_each_condition_is_needed(other: dict[str, object]) -> None:
    rows = on_v100("new", 112.0, 0.1, **other), on_v100("old", 100.0, 0.1, **other)
    assert verdict(*rows).status == "blocked"


@pytest.mark.parametrize("other", [{"mode": "train"}, {"compile": True}])
def test_another_mode_or_compiled_code_says_nothing_at_all(other: dict[str, object]) -> None:
    rows = on_v100("new", 112.0, 0.1, **other), on_v100("old", 100.0, 0.1, **other)
    assert verdict(*rows).status == "not-run"


def test_a_pair_is_of_one_way() -> None:
    elsewhere = timed("old", 100.0, 0.1, settings={"mode": "infer", "batch": 128})
    assert verdict(on_v100("new", 112.0, 0.1), elsewhere).status == "not-run"


def test_the_papers_machine_counts_before_a_newer_pair_elsewhere() -> None:
    way = {"mode": "infer", "batch": 128}
    there = on_v100("new", 112.0, 0.1), on_v100("old", 100.0, 0.1)
    here = timed("new", 150.0, 0.1, settings=way), timed("old", 100.0, 0.1, settings=way)
    assert verdict(*there, *here).status == "verified"
    assert verdict(on_v100("new", 150.0, 0.1), *there).status == "contradicted"  # its row is the newest


def test_nothing_measured_names_machine_and_command() -> None:
    assert (verdict().status, verdict().reason) == ("not-run", f"on one V100, {COMMAND} measures it")
    settings = {"mode": "infer", "batch": 128}
    failed = point("new", 224, level="profile", status="failed", error="no CUDA", settings=settings)
    assert verdict(failed).reason.endswith(" measures it (the last try failed at 224: new: no CUDA)")
