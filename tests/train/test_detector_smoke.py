"""A detector's smoke run: on a stand-in for COCO, and judged by its precision."""

import pytest

from aabench.catalog import Smoke, Task, load_catalog
from aabench.errors import AABenchError
from aabench.train import smoke, smoke_images
from tests.train.small import recipe

TASK = Task(
    name="small-detector",
    paper="none",
    model="retinanet_resnet18",
    arguments={"anchor_scale": 2.0},
    smoke_arguments={"width": 8, "channels": 16, "head_convs": 1},
    data="coco",
    input_size=640,
    normalisation="imagenet",
    framing="square",
    recipe="small",
    source=dict.fromkeys(("model", "input_size", "normalisation", "framing", "anchor_scale"), "ours"),
)
FEW = {"input_size": 64, "steps": 4, "batch_size": 4, "lr": 0.01}


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setitem(smoke_images.__globals__, "DETECTOR_IMAGES", {"train": 8, "val": 4})
    chosen = recipe(augmentation="scale-jitter", smoke=Smoke(**FEW, least_ap=5.0))
    return chosen, *smoke_images(TASK, chosen, tmp_path / "images")


def test_the_stand_in_is_not_called_coco(images):
    _, train_set, test_set = images
    assert (len(train_set), len(test_set), train_set.num_classes) == (8, 4, 90)
    assert train_set.source == "synthetic, 8 images as COCO train2017"
    assert test_set.source == "synthetic, 4 images as COCO val2017, longer side 64"


def test_a_network_that_has_hardly_learnt_is_not_precise(images, tmp_path):
    chosen, train_set, test_set = images
    result = smoke(TASK, chosen, train_set=train_set, test_set=test_set, directory=tmp_path / "run")
    checks = {check.name: check for check in result.checks}
    assert list(checks) == ["loss_fell", "precise", "round_trip", "resume"]
    assert not checks["precise"].passed
    assert "on 4 images; at least 5 % is asked" in checks["precise"].detail
    assert checks["round_trip"].passed
    assert checks["resume"].passed
    assert not result.passed
    assert result.plan.arguments == {"anchor_scale": 2.0, "width": 8, "channels": 16, "head_convs": 1}
    assert list((tmp_path / "run").iterdir()) == [], "nothing is left behind"


def test_a_classifiers_threshold_is_refused(images, tmp_path):
    chosen, train_set, test_set = images
    chosen = chosen.model_copy(update={"smoke": Smoke(**FEW, times_chance=2.0)})
    with pytest.raises(AABenchError, match="needs least_ap in its smoke run, not times_chance"):
        smoke(TASK, chosen, train_set=train_set, test_set=test_set, directory=tmp_path / "run")


def test_every_detectors_smoke_run_asks_for_far_more_than_chance():
    catalog = load_catalog()
    for task in catalog.tasks.values():
        if task.data == "coco":
            assert catalog.recipe_of(task).smoke.least_ap >= 5
