"""What the shipped task files say of AW-convolution: the sheet's numbers as literals, and every assumption named."""

import json

import pytest
import torch

from aabench.catalog import load_catalog
from aabench.models import create_model
from aabench.train import smoke_plan

CATALOG = load_catalog()
TASKS = {name: task for name, task in CATALOG.tasks.items() if task.paper == "awconv"}
CLAIMS = [claim for claim in CATALOG.claims if claim.paper == "awconv"]

# Parameters of the networks compared with (awconv.md section 3)
BASELINES = {
    "resnet18-awconv": 11_689_512,
    "resnet34-awconv": 21_797_672,
    "resnet50-awconv": 25_557_032,
    "resnet101-awconv": 44_549_160,
    "se-resnet50-awconv": 28_088_024,
    "se-resnet101-awconv": 49_326_872,
    "cbam-resnet50-awconv": 28_089_624,
    "bam-resnet50-awconv": 25_915_099,
}
# (task, placement): parameters in millions with r = 4, 8, 16, 32 (awconv.md section 3)
PARAMETERS = {
    ("aw-resnet18", "3x3"): (12.28, 11.98, 11.84, 11.76),
    ("aw-resnet34", "3x3"): (22.95, 22.37, 22.09, 21.94),
    ("aw-resnet50", "3x3"): (26.19, 25.87, 25.71, 25.64),
    ("aw-resnet101", "3x3"): (45.73, 45.14, 44.85, 44.70),
    ("aw-resnet101", "all"): (59.33, 51.94, 48.25, 46.40),
}
# The options of the sheet's table: our default, and what its source must name of the others.
ASSUMED = {
    "aw_reduction": (16, ("4", "8", "32")),
    "aw_expansion": ("input", ("output", "none")),
    "aw_gate": ("sigmoid", ("none", "tanh")),
    "aw_norm": (False, ("True",)),
    "aw_bias": (False, ("True",)),
    "aw_placement": ("3x3", ("all",)),
}
SETTINGS = {**{name: default for name, (default, _) in ASSUMED.items()}, "aw_residual": True}
# On top of which activation attention AW gains up to +0.57 is not known: the sheet's combination rows.
COMBINED = ("se-resnet50", "se-resnet101", "cbam-resnet50", "bam-resnet50")
DETECTOR = "faster-rcnn-resnet101-fpn"


def network(task, **changes):
    """The task's network, without memory."""
    arguments = {**task.arguments, **changes}
    return create_model(
        task.model, input_size=task.input_size, num_classes=task.num_classes, device="meta", **arguments
    )


def parameters(task, **changes):
    return sum(parameter.numel() for parameter in network(task, **changes).parameters())


def baseline(name):
    """What a task with AW is compared with."""
    return f"{name.removeprefix('aw-')}-awconv"


ATTENDED = [name for name in TASKS if name.startswith("aw-")]
RUNNABLE = [name for name, task in TASKS.items() if task.obstacle is None]


# --- parameters


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_those_of_the_sheet(name):
    assert parameters(TASKS[name]) == BASELINES[name]


@pytest.mark.parametrize(("name", "placement"), PARAMETERS)
def test_the_sheets_table(name, placement):
    counts = [parameters(TASKS[name], aw_reduction=r, aw_placement=placement) / 1e6 for r in (4, 8, 16, 32)]
    assert counts == pytest.approx(PARAMETERS[name, placement], abs=0.005)


# --- tasks


def test_every_network_has_its_baseline_and_no_other_is_there():
    assert set(TASKS) == set(ATTENDED) | {baseline(name) for name in ATTENDED}
    imagenet = {name for name in ATTENDED if TASKS[name].data == "imagenet"}
    plain = {f"aw-resnet{layers}" for layers in (18, 34, 50, 101)}
    assert imagenet == plain | {f"aw-{name}" for name in (*COMBINED, "sge-resnet50", "aa-resnet50")}
    cifar = {name.removesuffix("-cifar100") for name in ATTENDED if TASKS[name].data == "cifar100"}
    assert cifar == plain - {"aw-resnet101"} | {"aw-se-resnet18", "aw-resnet164", "aw-wrn-28-10"}


@pytest.mark.parametrize("name", ATTENDED)
def test_a_network_differs_from_its_baseline_in_aw_alone(name):
    task, plain = TASKS[name], TASKS[baseline(name)]
    assert task.model == f"aw_{plain.model}"
    own = SETTINGS if task.obstacle is None else {}
    assert task.arguments == {**plain.arguments, **own}
    shared = ("data", "input_size", "normalisation", "recipe", "blocked")
    assert {key: getattr(task, key) for key in shared} == {key: getattr(plain, key) for key in shared}
    assert {key: value for key, value in task.smoke_arguments.items() if key not in SETTINGS} == plain.smoke_arguments


@pytest.mark.parametrize("name", [name for name in ATTENDED if TASKS[name].obstacle is None])
def test_every_assumption_is_called_ours_and_names_the_other_possibilities(name):
    source = TASKS[name].source
    for option, (_, others) in ASSUMED.items():
        assert source[option].startswith("ours (unspecified; awconv.md section 2)")
        assert all(other in source[option] for other in others), option
    assert "second-hand" in source["aw_residual"]
    assert "pooled to the kernel's size" in source["model"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_smoke_network_can_be_built(name):
    task = TASKS[name]
    plan = smoke_plan(task, CATALOG.recipe_of(task), num_classes=100, device="cpu")
    arguments = {**plan.arguments, "input_size": plan.input_size, "num_classes": 100}
    model = create_model(plan.model, device="meta", **arguments)
    side = plan.input_size
    output = model(torch.empty(2, 3, side, side, device="meta"))
    if task.data == "coco":
        assert 2 * plan.arguments["regions"] in {tensor.shape[0] for tensor in output}
    else:
        assert output.shape == (2, 100)


def test_the_detectors():
    names = [name for name, task in TASKS.items() if task.data == "coco"]
    small = DETECTOR.replace("101", "50")
    assert set(names) == {
        name
        for detector in (DETECTOR, small)
        for name in (
            f"{detector}-awconv",
            f"aw-{detector}",
            f"se-{detector}-awconv",
            f"aw-se-{detector}",
        )
    }
    for name in names:
        task = TASKS[name]
        assert (task.obstacle, task.framing, task.input_size) == (None, "shorter-side", 800)
        classifier = TASKS[task.backbone]
        assert task.model == classifier.model.replace("resnet", "faster_rcnn_resnet") + "_fpn"
        assert task.arguments == {**classifier.arguments, "norm": "frozen"}


def test_the_detectors_recipe_is_the_1x_schedule():
    recipe = CATALOG.recipes["awconv-coco"]
    assert (recipe.lr, recipe.lr_batch, recipe.batch_size, recipe.epochs) == (0.02, 16, 16, 12)
    assert (recipe.milestones, recipe.gamma) == ((8, 11), 0.1)


# --- claims


def test_the_four_differences():
    found = {
        (claim.task, claim.metric, claim.saying)
        for claim in CLAIMS
        if claim.table == "Abstract" and (claim.kind, claim.tag) == ("delta", "abstract")
    }
    assert found == {
        ("aw-resnet101", "top1", "+1.00 points over resnet101-awconv"),
        (f"aw-{DETECTOR}", "AP", f"+0.63 points over {DETECTOR}-awconv"),
        *((f"aw-{name}", "top1", f"up to +0.57 points over {name}-awconv") for name in COMBINED),
        (f"aw-se-{DETECTOR}", "AP", f"up to +0.45 points over se-{DETECTOR}-awconv"),
    }


def test_no_other_number_is_entered():
    rest = [claim for claim in CLAIMS if claim.table != "Abstract" and claim.tag != "ours"]
    assert all(claim.unspecified and claim.value is None for claim in rest)
    metrics = {
        "imagenet": {"params", "flops", "top1", "top5"},
        "cifar100": {"params", "top1"},
        "coco": {"AP"},
    }
    for name, task in TASKS.items():
        expected = (
            set()
            if name.endswith(("faster-rcnn-resnet50-fpn", "faster-rcnn-resnet50-fpn-awconv"))
            else metrics[task.data]
        )
        assert {claim.metric for claim in rest if claim.task == name} == expected


# --- recipes and protocols


def test_recipes():
    imagenet, cifar = (CATALOG.recipes[f"awconv-{data}"] for data in ("imagenet", "cifar100"))
    for recipe, epochs, batch, milestones, gamma, decay in (
        (imagenet, 100, 256, (30, 60, 90), 0.1, 1e-4),
        (cifar, 200, 128, (60, 120, 160), 0.2, 5e-4),
    ):
        assert (recipe.epochs, recipe.batch_size, recipe.lr_batch) == (epochs, batch, batch)
        assert (recipe.milestones, recipe.gamma, recipe.weight_decay) == (milestones, gamma, decay)
        assert (recipe.optimizer, recipe.lr, recipe.schedule) == ("sgd", 0.1, "step")
        assert all(source.startswith("ours") for source in recipe.source.values())


@pytest.mark.parametrize(("name", "candidate"), [("awconv", "aw-resnet18"), ("awconv-se", "aw-se-resnet18")])
def test_protocols_are_ours_and_compare_one_pair(name, candidate):
    protocol = CATALOG.protocols[name]
    assert protocol.candidates == (f"{candidate}-cifar100",)
    assert protocol.baselines == (baseline(f"{candidate}-cifar100"),)
    assert protocol.source.startswith("ours")
    claims = [claim for claim in CLAIMS if claim.task == name]
    assert {(claim.metric, claim.kind, claim.tag, claim.setting) for claim in claims} == {
        ("top1", "ordinal", "ours", "full"),
        ("top1", "ordinal", "ours", "scaled"),
    }


def test_both_protocols_scale_down_alike_and_as_a_log_gives_it_back():
    """Of SE its own reduction is scaled too."""
    plain, se = (CATALOG.protocols[name].scaled for name in ("awconv", "awconv-se"))
    assert (se.name, se.changes) == (plain.name, plain.changes)
    assert se.changes_where_set == {"reduction": 4, "aw_reduction": 4}
    assert plain.changes_where_set == {"aw_reduction": 4}
    assert json.loads(json.dumps(se.changes)) == se.changes
    milestones, epochs = se.changes["milestones"], se.changes["epochs"]
    assert isinstance(milestones, list)
    assert max(milestones) < epochs
