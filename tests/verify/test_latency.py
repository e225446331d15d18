"""Verdicts on the increase of a latency: decided where the paper measured, and not elsewhere."""

import pytest

from aabench.record import Measurement
from aabench.verify import Verdict, judge
from tests.verify.profiled import V100 as A_V100
from tests.verify.profiled import catalog, claim, in_turns, on_v100, point, timed

V100 = "inference, batch 128, fp32, cuda: Tesla V100-SXM2-16GB, torch 2.15.0"
COMMAND = "`aabench profile old new --mode infer --batch 128 --res 224 --interleave`"


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
        "needs one V100 GPU, batch 128, fp32; not comparable: +31.0 % [+29.2, +32.9] over old "
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
    assert (verdict().status, verdict().reason) == ("not-run", f"on one V100 GPU, {COMMAND} measures it")
    settings = {"mode": "infer", "batch": 128}
    failed = point("new", 224, level="profile", status="failed", error="no CUDA", settings=settings)
    assert verdict(failed).reason.endswith(" measures it (the last try failed at 224: new: no CUDA)")


# --- interleaved runs, EAN's two sweeps

AS_PUBLISHED = {"mode": "forward", "batch": 50, "synchronised": False}
PROPERLY = {"mode": "infer", "batch": 50}
DRIFT = [100.0, 150.0, 90.0, 300.0, 110.0, 100.0, 95.0, 105.0, 400.0]
"""Nine rounds of a machine that is slow at times."""


def ean(*rows: Measurement, value: str | None = "+10.0 %", sweep: str = "ean-synchronised") -> Verdict:
    kind = "ordinal" if value is None else "delta"
    return judge(claim("latency_ms", kind, value, sweep=sweep), rows, catalog())


def rounds(*percent: float, run: str = "a", **settings: object) -> list[Measurement]:
    """A run of nine rounds in which ``new`` took so many percent more than ``old``."""
    ours = [old * (1 + more / 100) for old, more in zip(DRIFT, percent, strict=True)]
    return in_turns(run, settings=settings or PROPERLY, old=DRIFT, other=DRIFT, new=ours)


def test_rounds_are_paired_so_that_a_drift_is_not_in_the_interval() -> None:
    old, _, new = rows = rounds(9.0, 9.8, 10.0, 9.9, 10.4, 10.1, 10.3, 12.0, 9.7)
    found = ean(*rows)
    # In order: 9, 9.7, 9.8, 9.9, 10, 10.1, 10.3, 10.4, 12. Of nine, the second and the eighth hold the median.
    assert (found.status, found.n, found.n_of) == ("verified", 9, "rounds")
    assert (found.measured, found.interval) == (pytest.approx(10.0), pytest.approx((9.7, 10.4)))
    assert found.rows == (new.id, old.id)
    assert found.reason == (
        "+10.0 % [+9.7, +10.4] over old lies within 2 points of +10.0 % "
        "(inference, batch 50, fp32, cpu, interleaved: A CPU, threads 2, torch 2.15.0, 9 rounds)"
    )


def test_rounds_that_do_not_count_are_left_out() -> None:
    old, other, new = rounds(10, 10, 90, 10, 10, 10, 90, 10, 90)
    about = {**new.detail["interleaved"], "counted": [0, 1, 3, 4, 5, 7]}
    rows = [row.model_copy(update={"detail": {**row.detail, "interleaved": about}}) for row in (old, other, new)]
    found = ean(*rows)
    assert (found.measured, found.interval, found.n) == (pytest.approx(10), pytest.approx((10, 10)), 6)


@pytest.mark.parametrize(
    ("percent", "status", "why"),
    [
        ([-8, -9, -7, -8, -8, -9, -7, -8, -8], "verified", "-8.0 % [-9.0, -7.0] over old lies below 0"),
        ([3, 2, 4, 3, 3, 2, 4, 3, 3], "contradicted", "+3.0 % [+2.0, +4.0] over old lies above 0"),
        ([-3, 2, -4, -1, -2, 2, -2, -3, 3], "underpowered", "holds 0: which of the two takes less is open"),
    ],
)
def test_an_order_is_judged_by_the_side_of_0(percent: list[float], status: str, why: str) -> None:
    found = ean(*rounds(*percent), value=None)
    assert (found.status, found.unit, found.claimed) == (status, "%", "below old")
    assert why in found.reason


def test_an_order_of_too_few_rounds_is_open() -> None:
    found = ean(*in_turns("a", settings=PROPERLY, new=[1.0] * 5, old=[9.0] * 5), value=None)
    assert (found.status, found.interval) == ("underpowered", None)
    assert "-88.9 % over old decides nothing: too few calls for an interval" in found.reason


def test_an_order_may_be_judged_by_two_points() -> None:
    found = ean(timed("new", 90.0, 0.1, settings=PROPERLY), timed("old", 100.0, 0.1, settings=PROPERLY), value=None)
    assert (found.status, found.n, found.convention) == ("verified", None, "median")


def test_rounds_count_before_newer_points_and_newer_rounds_before_older() -> None:
    first, second = rounds(*[10.0] * 9, run="a"), rounds(*[30.0] * 9, run="b")
    points = timed("new", 120.0, 0.1, settings=PROPERLY), timed("old", 100.0, 0.1, settings=PROPERLY)
    assert ean(*points).measured == pytest.approx(20)
    assert ean(*first, *points).measured == pytest.approx(10)
    assert ean(*second, *first, *points).measured == pytest.approx(30)


def test_rows_of_two_runs_are_no_pair() -> None:
    first, second = rounds(*[10.0] * 9, run="a"), rounds(*[30.0] * 9, run="b")
    assert ean(first[0], second[2]).status == "not-run"


def test_a_cpu_judges_the_authors_way_too_and_says_that_there_is_nothing_to_wait_for() -> None:
    for synchronised in (True, False):
        found = ean(*rounds(*[10.0] * 9, **{**AS_PUBLISHED, "synchronised": synchronised}), sweep="ean-as-published")
        assert found.status == "verified"
        assert "(forward in train mode, batch 50, fp32, cpu, interleaved: " in found.reason
        assert found.reason.endswith(", 9 rounds; on a CPU there is nothing to wait for)")
    assert ean(*rounds(*[10.0] * 9, **AS_PUBLISHED)).status == "not-run"  # the other sweep infers


@pytest.mark.parametrize(
    ("sweep", "way", "synchronised", "fits"),
    [
        ("ean-as-published", AS_PUBLISHED, False, True),
        ("ean-as-published", AS_PUBLISHED, True, False),
        ("ean-synchronised", PROPERLY, True, True),
        ("ean-synchronised", PROPERLY, None, True),  # a row from before there was the setting
        ("ean-synchronised", PROPERLY, False, False),
    ],
)
def test_on_cuda_it_matters_whether_the_device_was_waited_for(
    sweep: str, way: dict[str, object], synchronised: bool | None, fits: bool
) -> None:
    settings = {**way, "device": "cuda", "synchronised": synchronised}
    settings = {name: value for name, value in settings.items() if value is not None}
    found = ean(*rounds(*[10.0] * 9, **settings), sweep=sweep)
    assert found.status == ("verified" if fits else "not-run")


@pytest.mark.parametrize(
    ("sweep", "way"),
    [
        ("ean-as-published", "--mode forward --batch 50 --res 224 --unsynchronised --interleave"),
        ("ean-synchronised", "--mode infer --batch 50 --res 224 --interleave"),
    ],
)
def test_where_any_machine_will_do_the_command_is_named_whatever_else_was_timed(sweep: str, way: str) -> None:
    names = f"`aabench profile old new {way}` measures it"
    assert (ean(sweep=sweep).status, ean(sweep=sweep).reason) == ("not-run", names)
    mode = "forward" if sweep == "ean-as-published" else "infer"
    small = rounds(*[20.0] * 9, mode=mode, batch=8)
    found = ean(*small, sweep=sweep)
    assert (found.status, found.rows) == ("not-run", ())
    assert found.reason.startswith(f"{names}; not comparable: +20.0 % [+20.0, +20.0] over old (")


def test_a_failed_run_is_told() -> None:
    settings = {**PROPERLY, "interleaved": True}
    failed = point("new", 224, level="profile", status="failed", error="new: no memory", settings=settings)
    assert ean(failed).reason.endswith(" measures it (the last try failed at 224: new: new: no memory)")


def test_an_interleaved_run_on_the_papers_machine_counts_there() -> None:
    settings = {"device": "cuda", "mode": "infer", "batch": 128}
    rows = [row.model_copy(update={"environment": A_V100}) for row in rounds(*[12.0] * 9, **settings)]
    assert verdict(*rows).status == "verified"
    assert verdict(*rounds(*[12.0] * 9, **{**settings, "device": "cpu"})).status == "blocked"
