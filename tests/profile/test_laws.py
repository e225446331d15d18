"""Laws from rows made by hand, whose coefficients are known."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from aabench.profile.laws import (
    ALLOCATED,
    LATENCY,
    MACS,
    PREDICTED,
    Curve,
    Metric,
    crossings,
    growth_laws,
    overtaking,
)
from aabench.record import Measurement, Value

SIDES = (32, 64, 96, 128, 192, 224, 256, 384, 512)
Numbers = dict[tuple[str, str | None], float]


def point(task: str, side: int, numbers: Numbers, **fields: Any) -> Measurement:
    values = tuple(Value(metric=m, convention=c, value=number, unit="a unit") for (m, c), number in numbers.items())
    settings = {"input_size": side, "mode": "infer", "batch": 1, "dtype": "fp32", "device": "cpu"}
    content = {"level": "profile", "status": "ok", "settings": settings, "values": values}
    return Measurement(**{"id": f"{task}-{side}", "time": "2026-01-01", "task": task, **content, **fields})


def sweep(
    task: str, numbers: Callable[[int], Numbers], sides: Sequence[int] = SIDES, **detail: Any
) -> list[Measurement]:
    return [point(task, side, numbers(side), detail=detail) for side in sides]


def attentive(side: int, forms: dict[str, int] | None = None) -> Measurement:
    """81,000 s^2 + 2,000,000 multiply-adds of convolution and linear layers, s^3 relative, s^4 / 32 attention."""
    by_kind = {"conv": 81_000 * side**2, "linear": 2_000_000, "relative": side**3, "attention": side**4 // 32}
    numbers: Numbers = {
        ("macs", "model"): sum(by_kind.values()),
        ("memory", "predicted_live"): 1e8 + 300 * side**2 + 2 * side**3,
        ("memory", "allocated_peak"): 1.03e8 + 310 * side**2 + 2 * side**3,
        ("memory", "rss_peak"): 5e7 + 200 * side**2,
        ("latency_ms", "median"): 12 + 1e-3 * side**2 + 1e-8 * side**4,
    }
    detail = {"operations_by_kind": by_kind, "attention_forms": forms or {"fused": 4}}
    return point("aa", side, numbers, detail=detail)


def curve(curves: Sequence[Curve], metric: Metric, task: str = "aa") -> Curve:
    (found,) = [of for of in curves if of.metric == metric and of.task == task]
    return found


def test_the_terms_of_a_network_with_relative_attention() -> None:
    curves = growth_laws([attentive(side) for side in SIDES])
    macs = curve(curves, MACS).law
    assert macs.holds
    assert {c.exponent: c.value for c in macs.coefficients} == pytest.approx({0: 2e6, 2: 81_000, 3: 1, 4: 1 / 32})
    assert curve(curves, PREDICTED).law.exponents == (0, 2, 3)  # n (H + W), never n^2
    assert curve(curves, LATENCY).law.exponents == (0, 2, 3, 4)
    assert all(of.law.holds for of in curves)


@pytest.mark.parametrize(
    ("forms", "memory", "latency"),
    [
        ({"explicit": 4}, (0, 2, 3, 4), (0, 2, 4)),
        ({"fused": 4, "explicit": 0}, (0, 2, 3, 4), (0, 2, 3, 4)),
        ({"fused": 4}, (0, 2, 3), (0, 2, 3, 4)),
    ],
)
def test_the_form_that_runs_says_what_grows(
    forms: dict[str, int], memory: tuple[int, ...], latency: tuple[int, ...]
) -> None:
    curves = growth_laws([attentive(side, forms) for side in SIDES])
    assert curve(curves, ALLOCATED).law.exponents == memory
    assert curve(curves, LATENCY).law.exponents == latency


def test_a_network_without_attention() -> None:
    by_kind = {"conv": 1, "linear": 1}
    rows = sweep(
        "resnet",
        lambda s: {("macs", "model"): 100 * s**2, ("memory", "predicted_live"): 1e8 + 300 * s**2},
        operations_by_kind=by_kind,
        attention_forms={},
    )
    curves = growth_laws(rows)
    assert [of.law.exponents for of in curves] == [(0, 2), (0, 2)]
    assert overtaking(rows) == ()


def test_a_form_that_changes_on_the_way_is_told() -> None:
    rows = [attentive(side, {"explicit": 4} if side < 128 else {"explicit": 1, "fused": 3}) for side in SIDES]
    curves = growth_laws(rows)
    told = "attention: 4 explicit at 32 to 96; 1 explicit, 3 fused at 128 to 512"
    assert curve(curves, LATENCY).note == told
    assert curve(curves, MACS).note is None  # what the definition needs does not depend on the form


def test_what_the_process_grew_by_stands_only_where_no_allocator_was_asked() -> None:
    of_both = growth_laws([attentive(side) for side in SIDES])
    assert [of.metric.convention for of in of_both if of.metric.name == "memory"] == [
        "predicted_live",
        "allocated_peak",
    ]
    alone = growth_laws(sweep("a", lambda s: {("memory", "rss_peak"): 1e6 + s**2}))
    assert [of.metric.convention for of in alone] == ["rss_peak"]


def test_points_that_ran_out_of_memory_count_and_predict() -> None:
    rows = [attentive(side) for side in SIDES]
    rows[-1] = rows[-1].model_copy(update={"status": "oom", "error": "SIGKILL", "values": rows[-1].values[:2]})
    curves = growth_laws(rows)
    assert curve(curves, PREDICTED).sides == SIDES
    assert curve(curves, ALLOCATED).sides == SIDES[:-1]


def test_the_later_row_of_a_point_counts_and_one_side_is_no_curve() -> None:
    rows = sweep("a", lambda s: {("macs", "model"): s**2}, (32, 64))
    again = point("a", 64, {("macs", "model"): 7})
    assert growth_laws([*rows, again])[0].values == (32**2, 7)
    assert growth_laws(rows[:1]) == ()
    assert growth_laws([]) == ()


def test_a_peak_of_0_and_values_that_are_not_there() -> None:
    rows = sweep("a", lambda s: {("memory", "rss_peak"): 0 if s == 32 else s**2})
    found = growth_laws(rows)[0]
    assert found.law.reason == "a relative error needs a value above 0, and side 32 has 0"
    assert (
        growth_laws(
            [point("a", 32, {("memory", "rss_peak"): 0}), *sweep("a", lambda s: {("memory", "rss_peak"): 1}, (64,))]
        )[0].last_octave
        is None
    )
    unknown = Value(metric="memory", convention="predicted_live", value=None, unit="bytes", reason="compiled")
    assert growth_laws([row.model_copy(update={"values": (unknown,)}) for row in rows]) == ()


def test_the_last_octave_with_the_interval_of_its_ends() -> None:
    latency = {"interval_ms": [0.99, 1.01]}
    rows = sweep("a", lambda s: {("latency_ms", "median"): 1.0}, (64, 96, 128, 256), latency=latency)
    exponent = growth_laws(rows)[0].last_octave
    assert exponent is not None
    assert exponent.sides == (128, 256)
    assert exponent.value == 0
    # log(1.01 / 0.99) / 2 = 0.0100, times sqrt(2), over log 2
    assert exponent.interval == pytest.approx((-0.0204, 0.0204), abs=1e-4)


def test_a_side_that_strides_do_not_divide_is_no_point_of_an_exact_law() -> None:
    rows = sweep("a", lambda s: {("macs", "model"): 1000 * math.ceil(s / 32) ** 2}, (32, 64, 96, 100, 128, 160))
    macs = growth_laws(rows)[0]
    assert macs.law.reason is not None
    assert "more than 1e-09" in macs.law.reason
    assert macs.note == "a map that a stride does not divide is rounded up"


def test_where_attention_overtakes_convolution() -> None:
    (found,) = overtaking([attentive(side) for side in SIDES])
    # s^4 / 32 + s^3 = 81,000 s^2 where s = -16 + sqrt(256 + 32 * 81,000) = 1594.05
    assert found.task == "aa"
    assert found.crossing.side == pytest.approx(1594.05, abs=0.01)
    assert found.crossing.extrapolated
    assert found.between == ()
    (within,) = overtaking([attentive(side) for side in (256, 512, 1024, 2048)])
    assert within.crossing.side == pytest.approx(1594.05, abs=0.01)
    assert not within.crossing.extrapolated
    assert within.between == ((1024, 2048),)


def test_attention_that_takes_more_from_the_start_or_never() -> None:
    def of(by_kind: Callable[[int], dict[str, int]]) -> str | None:
        rows = [point("a", side, {}, detail={"operations_by_kind": by_kind(side)}) for side in SIDES]
        return overtaking(rows)[0].crossing.reason

    assert of(lambda s: {"conv": s**2, "attention": s**4}) == "attention takes more at side 32 already"
    assert of(lambda s: {"conv": 10**9 * s**2, "attention": s**4}) == "they do not cross between sides 32 and 2048"


def test_crossings_of_two_tasks() -> None:
    rows = sweep("flat", lambda s: {("latency_ms", "median"): 40 + 1e-4 * s**2, ("macs", "model"): 7 * s**2})
    rows += sweep("steep", lambda s: {("latency_ms", "median"): 10 + 1e-3 * s**2, ("macs", "model"): 9 * s**2})
    macs, latency = crossings(growth_laws(rows))
    assert (macs.metric, macs.crossing.side, macs.tasks) == (MACS, None, ("flat", "steep"))
    assert latency.tasks == ("steep", "flat")  # cheaper first
    assert latency.crossing.side == pytest.approx((30 / 9e-4) ** 0.5)  # 182.6
    assert latency.between == ((128, 192),)


def test_without_laws_the_points_still_tell_where_they_cross() -> None:
    rows = sweep("a", lambda s: {("latency_ms", "median"): s}, (32, 64, 128))
    rows += sweep("b", lambda s: {("latency_ms", "median"): 50}, (32, 64, 128))
    (pair,) = crossings(growth_laws(rows))
    assert pair.crossing.reason == "the law of a does not hold: 3 sides for 3 terms: at least 4 are needed"
    assert pair.between == ((32, 64),)
    apart = crossings(growth_laws(rows[:2] + sweep("c", lambda s: {("latency_ms", "median"): 50}, (256, 512))))
    assert apart == ()
