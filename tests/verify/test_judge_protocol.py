"""Verdicts on a protocol's claims, from made-up rows."""

import pytest
from scipy import stats

from aabench.catalog import Claim, Protocol
from aabench.catalog.protocol import Scaled
from aabench.record import DIVERGED, Value
from aabench.verify import judge, judge_all

TOP1 = {"plain-net": [70.0, 71.0, 70.5], "aa-net": [70.2, 71.1, 70.9], "known-net": [71.5, 72.6, 72.0]}
LOSS = {"plain-net": [1.0, 1.1, 1.3], "aa-net": [1.2, 1.4, 1.5], "known-net": [1.3, 1.2, 1.8]}
SCALED = {"protocol": "scaled-down: ours, tiny", "width": 8}


def on_protocol(metric: str, baseline: str = "plain-net") -> Claim:
    return Claim(
        id=f"paper/abstract/both-vs-{baseline}/{metric}",
        paper="paper",
        table="Abstract",
        row="C",
        tag="abstract",
        task="both",
        metric=metric,
        kind="ordinal",
        baseline=baseline,
    )


@pytest.fixture
def with_protocol(catalog):
    protocol = Protocol(
        name="both",
        paper="paper",
        baselines=("plain-net",),
        candidates=("aa-net", "known-net"),
        scaled=Scaled(name="tiny", changes={"width": 8}),
        source="ours",
    )
    return catalog.model_copy(update={"protocols": {"both": protocol}})


@pytest.fixture
def trained(make):
    """Rows of three networks and these seeds; ``diverged`` names (task, seed) pairs that did not end well."""

    def rows(seeds=(0, 1, 2), altered=None, diverged=(), top1=TOP1, loss=LOSS):
        found = []
        for task in top1:
            for seed in seeds:
                fields = {"seed": seed, "altered": altered or {}}
                if (task, seed) in diverged:
                    found.append(make.row(task, "train", status="failed", detail={DIVERGED: 7}, **fields))
                    continue
                values = (
                    Value(metric="top1", value=top1[task][seed], unit="%", convention="last"),
                    Value(metric="train_loss", value=loss[task][seed], unit="nats", convention="last"),
                )
                found.append(make.row(task, "train", *values, **fields))
        return found

    return rows


def test_the_best_candidate_is_judged_with_the_interval_of_all(with_protocol, trained):
    verdict = judge(on_protocol("top1"), trained(), with_protocol)
    ends = [stats.ttest_1samp(own, 0).confidence_interval(0.975) for own in ([0.2, 0.1, 0.4], [1.5, 1.6, 1.5])]
    assert verdict.status == "verified"
    assert verdict.measured == pytest.approx(4.6 / 3)
    assert verdict.interval == pytest.approx((ends[1].low, ends[1].high))
    assert (verdict.n, verdict.n_of, verdict.unit, len(verdict.rows)) == (3, "seeds", "points", 9)
    assert "the best of 2 is known-net, +1.53 points" in verdict.reason
    assert "Bonferroni over 2" in verdict.reason
    assert "lies above 0" in verdict.reason


def test_a_single_candidate_is_no_best_of_several(with_protocol, trained):
    single = with_protocol.protocols["both"].model_copy(update={"candidates": ("aa-net",)})
    top1 = {name: TOP1[name] for name in ("plain-net", "aa-net")}
    catalog = with_protocol.model_copy(update={"protocols": {"both": single}})
    verdict = judge(on_protocol("top1"), trained(top1=top1), catalog)
    bounds = stats.ttest_1samp([0.2, 0.1, 0.4], 0).confidence_interval(0.95)
    assert verdict.interval == pytest.approx((bounds.low, bounds.high))
    assert verdict.reason.startswith(
        "aa-net: +0.23 points [-0.15, +0.61] (3 paired seeds, Student) over plain-net holds 0; "
    )


def test_no_candidate_as_good_as_the_baseline_contradicts(with_protocol, trained):
    worse = {**TOP1, "aa-net": [60.2, 61.1, 60.9], "known-net": [50.2, 51.1, 50.9]}
    verdict = judge(on_protocol("top1"), trained(top1=worse), with_protocol)
    assert verdict.status == "contradicted"
    assert "the best of 2 is aa-net" in verdict.reason


def test_underpowered_says_how_many_seeds_would_decide(with_protocol, trained):
    close = {**TOP1, "known-net": [70.9, 70.8, 71.4]}
    verdict = judge(on_protocol("top1"), trained(top1=close), with_protocol)
    assert verdict.status == "underpowered"
    assert "holds 0; " in verdict.reason
    assert "seeds would decide, if difference and deviation stay as they are" in verdict.reason


def test_one_seed_has_no_interval(with_protocol, trained):
    for metric in ("top1", "train_loss"):
        verdict = judge(on_protocol(metric), trained(seeds=(0,)), with_protocol)
        assert (verdict.status, verdict.interval, verdict.n) == ("underpowered", None, 1)
        assert "decides nothing: one seed has no interval" in verdict.reason
        assert "Student" not in verdict.reason


def test_equal_runs_are_no_certainty(with_protocol, trained):
    same = {name: [70.0, 71.0, 70.5] for name in TOP1}
    verdict = judge(on_protocol("top1"), trained(top1=same), with_protocol)
    assert (verdict.status, verdict.measured, verdict.interval) == ("underpowered", 0, None)


def test_training_loss_in_the_mean_of_the_augmented(with_protocol, trained):
    verdict = judge(on_protocol("train_loss"), trained(), with_protocol)
    bounds = stats.ttest_1samp([0.25, 0.2, 0.35], 0).confidence_interval(0.95)
    assert verdict.status == "verified"
    assert verdict.measured == pytest.approx(0.8 / 3)
    assert verdict.interval == pytest.approx((bounds.low, bounds.high))
    assert "from +0.233, aa-net, to +0.300, known-net" in verdict.reason
    assert verdict.unit == "nats"


def test_spread_is_a_ratio_judged_against_one(with_protocol, trained):
    plain = LOSS["plain-net"]
    thrice = [3 * value + 0.01 * seed for seed, value in enumerate(plain)]
    loss = {"plain-net": plain, "aa-net": thrice, "known-net": thrice}
    verdict = judge(on_protocol("seed_spread"), trained(loss=loss), with_protocol)
    assert verdict.status == "verified"
    assert verdict.measured == pytest.approx(3, rel=0.05)
    assert "lies above 1" in verdict.reason
    assert verdict.interval is not None
    assert 1 < verdict.interval[0] < verdict.measured < verdict.interval[1]


def test_spread_of_two_seeds_decides_nothing(with_protocol, trained):
    verdict = judge(on_protocol("seed_spread"), trained(seeds=(0, 1)), with_protocol)
    assert (verdict.status, verdict.measured, verdict.interval) == ("underpowered", None, None)
    assert "over 2 paired seeds decides nothing" in verdict.reason
    assert "it takes three seeds" in verdict.reason
    assert "over 1 paired seed " in judge(on_protocol("seed_spread"), trained(seeds=(0,)), with_protocol).reason


def test_share_of_diverged_runs(with_protocol, trained):
    rows = trained(diverged=[("aa-net", 0), ("aa-net", 1), ("known-net", 1)])
    verdict = judge(on_protocol("diverged"), rows, with_protocol)
    assert verdict.measured == pytest.approx(50)
    assert "3 of 6 augmented runs diverged and 0 of 3 of plain-net" in verdict.reason
    assert verdict.status == "underpowered"
    nothing = judge(on_protocol("diverged"), trained(), with_protocol)
    assert nothing.measured == 0
    assert "how many seeds would decide, these do not tell" in nothing.reason


def test_diverged_runs_are_left_out_of_the_other_quantities_and_said(with_protocol, trained):
    verdict = judge(on_protocol("train_loss"), trained(diverged=[("known-net", 1)]), with_protocol)
    # Seed 1 has aa-net alone.
    assert verdict.measured == pytest.approx((0.25 + 0.3 + 0.35) / 3)
    assert verdict.reason.endswith("(left out: 1 diverged run)")


def test_where_every_candidate_diverged(with_protocol, trained):
    everything = [(task, seed) for task in ("aa-net", "known-net") for seed in range(3)]
    for metric in ("top1", "train_loss", "seed_spread"):
        verdict = judge(on_protocol(metric), trained(diverged=everything), with_protocol)
        assert (verdict.status, verdict.measured) == ("underpowered", None)
        assert "; (" not in verdict.reason
        assert ";  " not in verdict.reason
    verdict = judge(on_protocol("top1"), trained(diverged=everything), with_protocol)
    assert verdict.reason.endswith(": decides nothing: these seeds give no interval (left out: 6 diverged runs)")
    assert judge(on_protocol("diverged"), trained(diverged=everything), with_protocol).status == "verified"


def test_one_candidate_that_diverged_too_often_leaves_no_interval(with_protocol, trained):
    twice = [("aa-net", 0), ("aa-net", 1)]
    verdict = judge(on_protocol("top1"), trained(diverged=twice), with_protocol)
    assert (verdict.status, verdict.interval) == ("underpowered", None)
    assert verdict.measured == pytest.approx(4.6 / 3)  # known-net's, which has all three
    assert "no interval; it takes two seeds that aa-net and plain-net end well" in verdict.reason
    assert "would decide" not in verdict.reason


def test_the_two_settings_are_kept_apart(with_protocol, trained):
    claim = on_protocol("top1")
    both = (claim, with_protocol.protocols["both"].under_scaled(claim))
    catalog = with_protocol.model_copy(update={"claims": both})
    full, scaled = judge_all(catalog, trained(altered=SCALED), ["both"])
    assert (full.status, scaled.status) == ("not-run", "verified")
    assert full.claim.table == "Abstract"
    assert scaled.claim.table == "Abstract (scaled-down: ours, tiny)"
    assert scaled.reason.startswith("under the scaled-down: ours, tiny: ")
    assert full.claim.id != scaled.claim.id
    full, scaled = judge_all(catalog, trained(), ["both"])
    assert (full.status, scaled.status) == ("verified", "not-run")
    assert "under" not in full.reason
    assert "--protocol scaled --seeds 3" in scaled.reason


@pytest.mark.parametrize("altered", [{"width": 8}, {"protocol": "scaled-down: ours, tiny", "width": 9}])
def test_rows_altered_in_another_way_do_not_count(with_protocol, trained, altered):
    claim = with_protocol.protocols["both"].under_scaled(on_protocol("top1"))
    assert judge(claim, trained(altered=altered), with_protocol).status == "not-run"


def test_only_seeds_that_every_network_has_count(with_protocol, trained):
    rows = [row for row in trained() if (row.task, row.seed) != ("aa-net", 1)]
    verdict = judge(on_protocol("train_loss"), rows, with_protocol)
    assert verdict.n == 2
    assert verdict.measured == pytest.approx((0.25 + 0.35) / 2)
    lacking = judge(on_protocol("top1"), [row for row in rows if row.task != "known-net"], with_protocol)
    assert lacking.status == "not-run"
    assert "seed 0 lacks known-net" in lacking.reason


def test_what_was_begun_with_another_seed_goes_on_with_it(with_protocol, trained):
    values = {name: dict(enumerate(own, start=5)) for name, own in TOP1.items()}
    rows = [row for row in trained(seeds=(5, 6), top1=values, loss=values) if row.task != "known-net"]
    verdict = judge(on_protocol("top1"), rows, with_protocol)
    assert verdict.status == "not-run"
    assert "`aabench reproduce both --protocol full --seed 5 --seeds 3 --resume` goes on" in verdict.reason


def test_interrupted_and_failed_runs_are_not_finished(with_protocol, trained, make):
    rows = trained(seeds=(0, 1))
    rows += [make.row(task, "train", status=status, seed=2) for task in TOP1 for status in ("interrupted", "failed")]
    assert judge(on_protocol("train_loss"), rows, with_protocol).n == 2
