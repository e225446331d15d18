"""Verdicts on accuracy. The paper: 81.6 % for aa-net, 80.3 % for plain-net, so an effect of 1.3 points."""

from typing import Any

import numpy as np
import pytest

from aabench.catalog import Catalog, load_catalog
from aabench.errors import AABenchError
from aabench.verify import claimed_effect, judge, plan_seeds
from aabench.verify.effect import plain_task


def seeds(make: Any, task: str, *values: float) -> list[Any]:
    return [make.run(task, value, seed=seed) for seed, value in enumerate(values)]


# --- absolute values


def test_one_run_of_ten_thousand_images_cannot_tell_1_3_points(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "81.6 %"), [make.run("aa-net", 81.6)], catalog)
    assert verdict.status == "underpowered"
    assert (verdict.n, verdict.n_of, verdict.convention) == (10_000, "images", "last")
    assert verdict.interval == pytest.approx((80.83, 82.35), abs=0.01)
    assert "one run, 10000 images, Wilson" in verdict.reason
    assert "is 1.52 points wide, and the claimed effect over plain-net is 1.3" in verdict.reason
    assert "seeds of each task decide 1.3 points over plain-net" in verdict.reason


def test_one_run_of_fifty_thousand_images_is_consistent(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "81.6 %"), [make.run("aa-net", 81.5, images=50_000)], catalog)
    assert verdict.status == "consistent"
    assert "81.50 % [81.16, 81.84]" in verdict.reason


def test_close_seeds_verify(make: Any, catalog: Catalog) -> None:
    rows = seeds(make, "aa-net", 81.55, 81.62, 81.60, 81.58, 81.65)
    verdict = judge(make.claim("top1", "81.6 %"), rows, catalog)
    assert verdict.status == "verified"
    assert verdict.measured == pytest.approx(81.60)
    assert (verdict.n, verdict.n_of) == (5, "seeds")
    assert verdict.rows == tuple(row.id for row in rows)
    assert "(5 seeds, Student) lies within 0.3 points of 81.6 %" in verdict.reason


def test_wider_seeds_are_consistent(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "81.6 %"), seeds(make, "aa-net", 81.1, 81.5, 81.9, 81.4), catalog)
    assert verdict.status == "consistent"


def test_seeds_that_exclude_the_claim_contradict_it(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "81.6 %"), seeds(make, "aa-net", 80.1, 80.3, 80.2), catalog)
    assert verdict.status == "contradicted"
    assert verdict.reason.endswith("does not hold 81.6 %")


def test_one_run_far_off_contradicts_however_wide_its_interval(make: Any, catalog: Catalog) -> None:
    assert judge(make.claim("top1", "81.6 %"), [make.run("aa-net", 70.0)], catalog).status == "contradicted"


def test_a_claim_without_a_plain_network_has_no_effect_to_miss(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "80.3 %", task="plain-net"), [make.run("plain-net", 80.2)], catalog)
    assert verdict.status == "consistent"


def test_a_rerun_of_a_seed_replaces_it(make: Any, catalog: Catalog) -> None:
    rows = [*seeds(make, "aa-net", 70.0, 81.5, 81.7), make.run("aa-net", 81.6, seed=0)]
    verdict = judge(make.claim("top1", "81.6 %"), rows, catalog)
    assert verdict.n == 3
    assert verdict.measured == pytest.approx(81.6)


def test_a_row_merged_twice_is_one_run(make: Any, catalog: Catalog) -> None:
    row = make.run("aa-net", 81.6)
    assert judge(make.claim("top1", "81.6 %"), [row, row], catalog).n_of == "images"


def test_equal_seeds_are_no_certainty(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "81.6 %"), seeds(make, "aa-net", 81.6, 81.6), catalog)
    assert (verdict.status, verdict.interval) == ("underpowered", None)
    assert "the very same value" in verdict.reason


def test_last_epoch_unless_the_claim_is_on_the_best(make: Any, catalog: Catalog) -> None:
    rows = seeds(make, "aa-net", 81.5, 81.6, 81.7)
    assert judge(make.claim("top1", "81.6 %"), rows, catalog).measured == pytest.approx(81.6)
    best = judge(make.claim("top1", "81.6 %", convention="best"), rows, catalog)
    assert best.measured == pytest.approx(82.1)
    assert best.convention == "best"


def test_evaluations_count_only_where_nothing_was_trained(make: Any, catalog: Catalog) -> None:
    claim = make.claim("top1", "81.6 %")
    evaluation = make.run("aa-net", 70.0, level="eval")
    assert judge(claim, [evaluation], catalog).measured == 70.0
    assert judge(claim, [*seeds(make, "aa-net", 81.5, 81.7), evaluation], catalog).measured == pytest.approx(81.6)


# --- differences

DELTA = {"kind": "delta", "baseline": "plain-net"}
ORDINAL = {"kind": "ordinal", "baseline": "plain-net"}
PLAIN = (80.2, 80.3, 80.4, 80.3)


@pytest.mark.parametrize(
    ("ours", "status"),
    [
        ((81.55, 81.6, 81.65, 81.6), "verified"),
        ((81.3, 81.6, 81.9, 81.3), "consistent"),
        ((80.8, 81.6, 82.4, 81.9), "underpowered"),
        ((80.2, 80.3, 80.4, 80.2), "contradicted"),
    ],
)
def test_a_delta_over_seeds(make: Any, catalog: Catalog, ours: tuple[float, ...], status: str) -> None:
    rows = [*seeds(make, "aa-net", *ours), *seeds(make, "plain-net", *PLAIN)]
    verdict = judge(make.claim("top1", "+1.3 points", **DELTA), rows, catalog)
    assert verdict.status == status
    assert (verdict.unit, verdict.n, verdict.n_of) == ("points", 8, "seeds")
    assert "4 and 4 seeds, Welch" in verdict.reason
    assert verdict.measured == pytest.approx(sum(ours) / 4 - 80.3)


@pytest.mark.parametrize(
    ("ours", "status"),
    [((81.0, 81.1, 81.2), "verified"), ((79.0, 79.1, 79.2), "contradicted"), ((79.9, 80.4, 80.9), "underpowered")],
)
def test_a_sign_over_seeds(make: Any, catalog: Catalog, ours: tuple[float, ...], status: str) -> None:
    rows = [*seeds(make, "aa-net", *ours), *seeds(make, "plain-net", *PLAIN)]
    assert judge(make.claim("top1", None, **ORDINAL), rows, catalog).status == status


@pytest.mark.parametrize(
    ("ours", "status", "why"),
    [
        ((81.55, 81.6, 81.65, 81.6), "verified", "lies within 0.3 points of +1.3 points"),
        ((81.3, 81.6, 81.9, 81.3), "consistent", "holds +1.3 points"),
        ((80.8, 81.6, 82.4, 81.9), "underpowered", "seeds of each task decide 1.3 points over plain-net"),
        ((82.4, 82.5, 82.6, 82.5), "underpowered", "does not hold +1.3 points; the claim is of the best of pairs that"),
        ((80.2, 80.3, 80.4, 80.2), "underpowered", "does not hold +1.3 points; the claim is of the best of pairs that"),
    ],
)
def test_the_largest_of_several_gains(
    make: Any, catalog: Catalog, ours: tuple[float, ...], status: str, why: str
) -> None:
    """As any delta, but that a pair which gains more or less is no counter-example."""
    rows = [*seeds(make, "aa-net", *ours), *seeds(make, "plain-net", *PLAIN)]
    verdict = judge(make.claim("top1", "+1.3 points", up_to=True, **DELTA), rows, catalog)
    assert verdict.status == status
    assert why in verdict.reason


def test_no_seed_decides_a_pair_that_the_claim_may_not_be_of(make: Any, catalog: Catalog) -> None:
    rows = [*seeds(make, "aa-net", 80.2, 80.3, 80.4), *seeds(make, "plain-net", *PLAIN)]
    verdict = judge(make.claim("top1", "+1.3 points", up_to=True, **DELTA), rows, catalog)
    assert verdict.reason.endswith("and this one may not be among them")
    assert judge(make.claim("top1", "+1.3 points", **DELTA), rows, catalog).status == "contradicted"


def pair(make: Any, only_ours: int, only_theirs: int, images: int = 50_000) -> list[Any]:
    """Two runs that both get 80 % of the images right, and some that only one gets."""
    both = images * 8 // 10
    ours, theirs = np.zeros(images, bool), np.zeros(images, bool)
    ours[: both + only_ours] = True
    theirs[:both] = theirs[both + only_ours : both + only_ours + only_theirs] = True
    return [
        make.run(task, 100 * mask.mean(), images=images, mask=mask)
        for task, mask in (("aa-net", ours), ("plain-net", theirs))
    ]


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "status"),
    [(1500, 850, "verified"), (2600, 1850, "consistent"), (9000, 1000, "contradicted"), (1000, 1000, "contradicted")],
)
def test_a_delta_over_shared_images(make: Any, catalog: Catalog, only_ours: int, only_theirs: int, status: str) -> None:
    rows = pair(make, only_ours, only_theirs)
    verdict = judge(make.claim("top1", "+1.3 points", **DELTA), rows, catalog)
    assert verdict.status == status
    assert verdict.measured == pytest.approx((only_ours - only_theirs) / 500)
    assert (verdict.n, verdict.n_of) == (50_000, "images")
    assert "one pair on the same 50000 images, McNemar p = " in verdict.reason


def test_few_shared_images_are_underpowered(make: Any, catalog: Catalog) -> None:
    rows = pair(make, 20, 7, images=1000)
    assert judge(make.claim("top1", "+1.3 points", **DELTA), rows, catalog).status == "underpowered"


def test_a_sign_over_shared_images(make: Any, catalog: Catalog) -> None:
    claim = make.claim("top1", None, **ORDINAL)
    assert judge(claim, pair(make, 300, 200), catalog).status == "verified"
    assert judge(claim, pair(make, 200, 300), catalog).status == "contradicted"
    assert judge(claim, pair(make, 200, 201), catalog).status == "underpowered"


def test_one_run_each_without_shared_predictions_decides_nothing(make: Any, catalog: Catalog) -> None:
    rows = [make.run("aa-net", 81.6), make.run("plain-net", 80.3)]
    verdict = judge(make.claim("top1", "+1.3 points", **DELTA), rows, catalog)
    assert (verdict.status, verdict.interval) == ("underpowered", None)
    assert verdict.measured == pytest.approx(1.3)
    assert "no predictions on the same images" in verdict.reason


def test_masks_of_another_accuracy_are_not_taken_for_it(make: Any, catalog: Catalog) -> None:
    ours, theirs = pair(make, 1500, 850)
    best = ours.model_copy(update={"detail": {"correct_mask": make.pack(np.ones(50_000, bool))}})
    verdict = judge(make.claim("top1", "+1.3 points", **DELTA), [best, theirs], catalog)
    assert verdict.interval is None


@pytest.mark.parametrize("bad", ["no base64!", "AAAA", 7, None])
def test_a_corrupt_mask_is_named(make: Any, catalog: Catalog, bad: object) -> None:
    ours, theirs = pair(make, 1500, 850)
    bad = make.pack(np.ones(100, bool)) if bad is None else bad
    rows = [ours.model_copy(update={"detail": {"correct_mask": bad}}), theirs]
    with pytest.raises(AABenchError, match=rf"row {ours.id}: detail.correct_mask .*take the row out of the log"):
        judge(make.claim("top1", "+1.3 points", **DELTA), rows, catalog)


def test_a_delta_needs_both_tasks(make: Any, catalog: Catalog) -> None:
    verdict = judge(make.claim("top1", "+1.3 points", **DELTA), seeds(make, "aa-net", 81.6, 81.5), catalog)
    assert verdict.status == "not-run"
    assert verdict.reason == "`aabench reproduce plain-net --level train` measures it"


# --- the claimed effect, and the seeds it takes


def test_effects_of_the_paper() -> None:
    catalog = load_catalog()
    on_tasks = [claim for claim in catalog.claims if claim.metric == "top1" and claim.task in catalog.tasks]
    effects = {claim.id: claimed_effect(claim, catalog) for claim in on_tasks}
    points = {name: effect.points for name, effect in effects.items() if effect}
    assert points["aanet/table-1/aa-wrn-28-10/top1"] == 1.3  # 81.6 over 80.3
    assert points["aanet/table-1/ge-wrn-28-10/top1"] == 0.5  # 79.8, below it
    assert points["aanet/table-3/aa-resnet50/top1"] == 1.3  # 77.7 over 76.4
    assert points["aanet/table-3/aa-resnet34/top1"] == 1.1  # 74.7 over 73.6
    assert points["aanet/abstract/aa-resnet50-vs-resnet50/top1"] == 1.3
    assert points["aanet/abstract/aa-resnet50-vs-se-resnet50/top1"] == 0.2  # 77.7 over 77.5
    assert effects["aanet/table-3/resnet50/top1"] is None


def test_the_plain_task_has_the_same_arguments() -> None:
    catalog = load_catalog()
    plain = {name: plain_task(task, catalog) for name, task in catalog.tasks.items()}
    assert plain["aa-wrn-28-10-as-counted"] is catalog.tasks["wrn-28-10"]
    assert plain["se-resnet34"] is catalog.tasks["resnet34"]
    assert plain["aa-resnet50-share-100-no-position"] is catalog.tasks["resnet50"]
    assert plain["wrn-28-10"] is None
    assert plain["resnet20-cifar10"] is None


def test_seeds_are_planned_by_the_log_where_it_has_some(make: Any, catalog: Catalog) -> None:
    claim = make.claim("top1", "81.6 %")
    assumed = plan_seeds(claim, catalog)
    assert assumed is not None
    assert assumed.deviation == pytest.approx(0.387, abs=1e-3)  # 100 sqrt(.816 x .184 / 10000)
    assert assumed.seeds == 3
    assert "assumed: the binomial one of 10000 test images (ours)" in str(assumed)
    known = plan_seeds(claim, catalog, seeds(make, "plain-net", 79.3, 80.3, 81.3))
    assert known is not None
    assert known.deviation == pytest.approx(1.0)
    assert known.seeds == 11
    assert "3 seeds of plain-net in the log" in str(known)


def test_without_a_printed_accuracy_the_deviation_is_the_most_it_can_be(make: Any, catalog: Catalog) -> None:
    delta = make.claim("top1", "+1.3 points", **DELTA)
    silent = catalog.model_copy(update={"claims": (delta,)})
    plan = plan_seeds(delta, silent)
    assert plan is not None
    assert plan.deviation == pytest.approx(0.5)  # 100 sqrt(.5 x .5 / 10000)
    assert "where half of them are right, as no accuracy is printed (ours)" in str(plan)


def test_no_effect_no_plan(make: Any, catalog: Catalog) -> None:
    assert plan_seeds(make.claim("top1", "80.3 %", task="plain-net"), catalog) is None


def test_the_evaluators_masks_are_understood(make: Any, catalog: Catalog) -> None:
    torch = pytest.importorskip("torch")
    from aabench.evaluate.mask import pack_mask

    rows = pair(make, 1500, 850, images=10_001)  # no multiple of 8
    for row in rows:
        mask = torch.zeros(10_001, dtype=torch.bool)
        mask[: round(row.get("top1", "last").value * 100.01)] = True
        row.detail["correct_mask"] = pack_mask(mask)
    verdict = judge(make.claim("top1", None, **ORDINAL), rows, catalog)
    assert verdict.status == "verified"
    assert verdict.n == 10_001


# --- the best epoch: in these rows half a point above the last one


def test_the_best_epoch_is_judged_and_the_last_one_stands_beside_it(make: Any, catalog: Catalog) -> None:
    claim = make.claim("top1", "81.6 %", convention="best")
    verdict = judge(claim, seeds(make, "aa-net", 81.05, 81.15), catalog)
    assert (verdict.convention, verdict.n) == ("best", 2)
    assert verdict.measured == pytest.approx(81.6)
    assert verdict.reason.startswith("81.60 % [")
    assert verdict.reason.endswith("; last epoch 81.10 %")
    assert judge(make.claim("top1", "81.6 %"), [make.run("aa-net", 81.6)], catalog).measured == 81.6


def gained(row: Any) -> Any:
    """The row with another half a point in its best epoch."""
    best = [v.model_copy(update={"value": v.value + 0.5}) for v in row.values if v.convention == "best"]
    return row.model_copy(update={"values": (*best, *(v for v in row.values if v.convention != "best"))})


def test_a_difference_of_best_epochs_shows_that_of_the_last_ones(make: Any, catalog: Catalog) -> None:
    rows = [*map(gained, seeds(make, "aa-net", 81.0, 81.2)), *seeds(make, "plain-net", 80.0, 80.1)]
    claim = make.claim("top1", "+1.5 points", kind="delta", baseline="plain-net", convention="best")
    verdict = judge(claim, rows, catalog)
    assert verdict.measured == pytest.approx(1.55)
    assert "; last epoch +1.05 points" in verdict.reason


def test_an_evaluation_has_no_last_epoch(make: Any, catalog: Catalog) -> None:
    claim = make.claim("top1", "81.6 %", convention="best")
    verdict = judge(claim, [make.run("aa-net", 81.6, level="eval")], catalog)
    assert verdict.measured == pytest.approx(81.6)
    assert "last epoch" not in verdict.reason
