"""What the shipped task files say of EAN and DIANet: the sheet's numbers as literals."""

import pytest
import torch

from aabench.catalog import load_catalog
from aabench.models import create_model
from aabench.train import smoke_plan

CATALOG = load_catalog()
SWEEPS = ("ean-as-published", "ean-synchronised")
PLAIN = "ean-resnet50"

# task: top-1 and inference time over plain ResNet-50, in % (ean.md section 1, Figure 1)
FIGURE_1 = {
    "ean-se-resnet50-org": ("77.01", "+26.5"),
    "ean-se-resnet50-share": ("77.34", "+25.9"),
    "ean-se-resnet50": ("77.40", "+10.0"),
    "ean-sge-resnet50-org": ("77.20", "+43.0"),
    "ean-sge-resnet50-share": ("77.51", "+42.9"),
    "ean-sge-resnet50": ("77.62", "+19.7"),
    "ean-dia-resnet50-share": ("77.23", "+29.0"),
    "ean-dia-resnet50": ("77.56", "+16.7"),
}
# backbone: top-1 of the plain network and with DIA (ean.md section 1, DIANet)
DIANET = {
    "resnet164": ("73.43", "76.67"),
    "preresnet164": ("76.53", "78.20"),
    "wrn-52-4": ("79.75", "80.99"),
    "resnext101-8x32": ("81.18", "82.46"),
}
# Plain; SE, SGE and CBAM as org and share; DIA (ean.md section 3)
PARAMETERS = {
    "resnet164": (
        *("1.727284", "1.929388", "1.738512", "1.734196", "1.727668", "1.934788", "1.738812"),
        "1.946132",
    ),
    "resnet164-cifar10": (
        *("1.704154", "1.906258", "1.715382", "1.711066", "1.704538", "1.911658", "1.715682"),
        "1.923002",
    ),
    "resnet50": (
        *("25.583592", "28.114584", "26.283992", "25.585640", "25.584104", "28.116184", "26.284392"),
        "28.384612",
    ),
    "resnet101": (
        *("44.601832", "49.379544", "45.302232", "44.606056", "44.602344", "49.382844", "45.302632"),
        "47.402852",
    ),
}
# What has a scheme that the sheet gives; 9, 9 and 7 of its 16 blocks are connected.
SCHEMES = {"ean-sge-resnet50": "4,11,19,3", "ean-dia-resnet50": "6,3,50,3", "ean-se-resnet50": "2,2,51,1"}


def claims(table):
    return [claim for claim in CATALOG.claims if claim.paper == "ean" and claim.table == table]


def names(backbone, modules):
    """The tasks of a backbone, in the order of the sheet's columns, without the EAN forms."""
    net, data = (backbone.removesuffix("-cifar10"), "-cifar10") if backbone.endswith("-cifar10") else (backbone, "")
    forms = [(module, form) for module in modules for form in (("share",) if module == "dia" else ("org", "share"))]
    return [f"ean-{net}{data}", *(f"ean-{module}-{net}-{form}{data}" for module, form in forms)]


def test_figure_1():
    found = {claim.task: claim for claim in claims("Figure 1") if claim.metric == "top1"}
    assert {name: str(claim.value) for name, claim in found.items() if name != PLAIN} == {
        name: f"{top1} %" for name, (top1, _) in FIGURE_1.items()
    }
    assert all((claim.tag, claim.convention) == ("printed", "best") for claim in found.values())
    assert found[PLAIN].unspecified


def test_figure_1s_times_are_claimed_in_both_ways_of_timing():
    times = [claim for claim in claims("Figure 1") if claim.metric == "latency_ms"]
    assert {(c.task, c.sweep, str(c.value)) for c in times} == {
        (name, sweep, f"{time} %") for name, (_, time) in FIGURE_1.items() for sweep in SWEEPS
    }
    assert {(c.kind, c.baseline) for c in times} == {("delta", PLAIN)}
    way = {name: CATALOG.sweeps[name] for name in SWEEPS}
    assert [(s.mode, s.batch, s.sides, s.dtype, s.gpu) for s in way.values()] == [
        ("forward", 50, (224,), "fp32", "NVIDIA"),
        ("infer", 50, (224,), "fp32", "NVIDIA"),
    ]
    assert [sweep.synchronised for sweep in way.values()] == [False, True]


def test_dianets_table():
    expected = {f"ean-{net}": f"{plain} %" for net, (plain, _) in DIANET.items()}
    expected |= {f"ean-dia-{net}-share": f"{dia} %" for net, (_, dia) in DIANET.items()}
    assert {claim.task: str(claim.value) for claim in claims("DIANet")} == expected
    assert {(claim.tag, claim.convention) for claim in claims("DIANet")} == {("code", "best")}


def test_parameters_are_our_own_counts():
    expected = {}
    for backbone, counts in PARAMETERS.items():
        expected |= dict(zip(names(backbone, ("se", "sge", "cbam", "dia")), counts, strict=True))
    for module in ("se", "sge", "dia"):
        expected[f"ean-{module}-resnet50"] = expected[f"ean-{module}-resnet50-share"]
    assert {claim.task: str(claim.value) for claim in claims("Parameters")} == {
        name: f"{count} M" for name, count in expected.items()
    }
    assert {claim.tag for claim in claims("Parameters")} == {"derived"}


@pytest.mark.parametrize("backbone", ["resnet50", "resnet164-cifar10"])
def test_the_tasks_networks_have_them(backbone):
    """Of the other backbones in tests/models: here, that the tasks' arguments are those counted there."""
    found = []
    for name in names(backbone, ("se", "sge", "cbam", "dia")):
        task = CATALOG.tasks[name]
        size, classes = task.input_size, task.num_classes
        model = create_model(task.model, input_size=size, num_classes=classes, device="meta", **task.arguments)
        found.append(sum(parameter.numel() for parameter in model.parameters()))
    assert [f"{count / 1e6:.6f}" for count in found] == list(PARAMETERS[backbone])


def test_the_abstract():
    found = claims("Abstract")
    assert {claim.tag for claim in found} == {"abstract"}
    faster = {(c.task, c.baseline, c.sweep) for c in found if c.metric == "latency_ms" and c.kind == "ordinal"}
    anywhere = ("ean-train-mode", "ean-inference")
    assert faster == {(name, f"{name}-share", sweep) for name in SCHEMES for sweep in anywhere}
    ways = [CATALOG.sweeps[name] for name in anywhere]
    assert [(s.mode, s.batch, s.sides, s.dtype, s.gpu) for s in ways] == [
        ("forward", 50, (224,), "fp32", None),
        ("infer", 50, (224,), "fp32", None),
    ]
    smaller = {(c.task, c.saying) for c in found if c.metric == "params"}
    assert smaller == {(f"ean-{m}-resnet50", f"below ean-{m}-resnet50-org") for m in ("se", "sge")}
    rest = [claim for claim in found if claim.metric in ("top1", "AP")]
    assert all(claim.unspecified for claim in rest)
    assert {claim.task for claim in rest if claim.metric == "top1"} == set(SCHEMES)
    in_a_detector = {name.replace("-resnet50", "-faster-rcnn-resnet50-fpn") for name in SCHEMES}
    assert {claim.task for claim in rest if claim.metric == "AP"} == in_a_detector


def test_no_claim_has_a_sister_repositorys_range():
    assert {c.table for c in CATALOG.claims if c.paper == "ean"} == {"Figure 1", "DIANet", "Parameters", "Abstract"}


# --- tasks


def test_every_form_of_every_backbone_has_a_task():
    expected = set()
    for net in PARAMETERS:
        expected |= set(names(net, ("se", "sge", "cbam", "dia")))
        expected |= {name.replace("-share", "") for name in expected if "-share" in name}
    for net in DIANET:
        expected |= {f"ean-{net}", f"ean-dia-{net}-share", f"ean-dia-{net}"}
    classifiers = {name for name, task in CATALOG.tasks.items() if task.paper == "ean" and task.data != "coco"}
    assert classifiers == expected


def ean_forms():
    """The tasks with a search: those of the EAN form."""
    return {name: task for name, task in CATALOG.tasks.items() if task.search is not None}


def test_schemes_are_those_of_the_sheet_or_unspecified():
    found = {name: task.arguments["scheme"] for name, task in ean_forms().items()}
    assert {name: scheme for name, scheme in found.items() if scheme != "unspecified"} == SCHEMES
    assert len(found) == 19  # 4 modules on ResNet-50, -101 and -164 twice, DIA on three more
    assert "derived" in CATALOG.tasks["ean-se-resnet50"].source["scheme"]
    others = [task for name, task in CATALOG.tasks.items() if task.paper == "ean" and name not in found]
    assert {task.arguments.get("scheme", "all") for task in others if task.data != "coco"} == {"all"}


def test_a_detectors_backbone_is_the_classifier_whose_weights_it_starts_from():
    detectors = [task for task in CATALOG.tasks.values() if task.paper == "ean" and task.data == "coco"]
    assert {task.backbone for task in detectors} == {"ean-resnet50", *SCHEMES}
    for task in detectors:
        assert task.arguments == {**CATALOG.tasks[task.backbone].arguments, "norm": "frozen"}


def test_a_task_without_its_scheme_says_so():
    obstacles = {name: task.obstacle for name, task in ean_forms().items()}
    assert all(obstacles[name] is None for name in SCHEMES)
    assert obstacles["ean-se-resnet164-cifar10"] == (
        "its scheme is unspecified; `aabench search ean-se-resnet164-cifar10` finds one, and --scheme BITS takes it"
    )


def test_the_forms_differ_in_sharing_and_scheme_alone():
    def arguments(name):
        return CATALOG.tasks[name].arguments

    for name in ("ean-se-resnet50", "ean-cbam-resnet101", "ean-sge-resnet164"):
        share = arguments(f"{name}-share")
        assert arguments(f"{name}-org") == {**share, "sharing": "org"}
        assert {**arguments(name), "scheme": "all"} == share
        assert (share["sharing"], share["scheme"]) == ("share", "all")


@pytest.mark.parametrize(
    ("task", "reduction"),
    [
        ("ean-se-resnet50-org", 16),
        ("ean-cbam-resnet164-share", 16),
        ("ean-dia-resnet50", 20),
        ("ean-dia-resnet101-share", 20),
        ("ean-dia-resnet164-share", 4),
        ("ean-dia-wrn-52-4", 4),
    ],
)
def test_reductions(task, reduction):
    assert CATALOG.tasks[task].arguments["reduction"] == reduction


# --- recipes and searches


@pytest.mark.parametrize(
    ("task", "epochs", "milestones", "gamma", "weight_decay", "batch_size"),
    [
        ("ean-se-resnet50", 120, (30, 60, 90), 0.1, 1e-4, 256),
        ("ean-dia-resnet101-share", 120, (30, 60, 90), 0.1, 1e-4, 256),
        ("ean-resnet164", 180, (60, 120), 0.1, 1e-4, 128),
        ("ean-sge-resnet164-org-cifar10", 180, (60, 120), 0.1, 1e-4, 128),
        ("ean-preresnet164", 164, (81, 122), 0.1, 1e-4, 128),
        ("ean-dia-wrn-52-4-share", 200, (80, 120, 160), 0.2, 5e-4, 128),
        ("ean-resnext101-8x32", 300, (150, 225), 0.1, 5e-4, 128),
    ],
)
def test_recipes(task, epochs, milestones, gamma, weight_decay, batch_size):
    recipe = CATALOG.recipe_of(CATALOG.tasks[task])
    assert (recipe.epochs, recipe.milestones, recipe.gamma) == (epochs, milestones, gamma)
    assert (recipe.weight_decay, recipe.batch_size, recipe.lr_batch) == (weight_decay, batch_size, batch_size)
    assert (recipe.lr, recipe.momentum, recipe.nesterov, recipe.schedule) == (0.1, 0.9, False, "step")
    assert recipe.augmentation == ("inception" if batch_size == 256 else "crop-flip")


def test_searches():
    published = CATALOG.searches["ean-imagenet"]
    expected = {
        **{"held_out": 100, "steps": 300, "samples": 3, "offset": 54, "sparsity_weight": 2, "curiosity": 1},
        **{"baseline_decay": 0.95, "controller_lr": 0.05, "inputs": 20, "hidden": 50, "temperature": 5},
        **{"replay_from": 10, "replay_capacity": 30, "replay_clip": 0.1, "replay_weight": 0.1},
    }
    assert {key: published.settings()[key] for key in expected} == expected
    for name, held_out in (("ean-cifar100", 50), ("ean-cifar10", 500)):
        search = CATALOG.searches[name]
        own = {"name", "supernet", "held_out", "offset", "source"}
        assert search.model_dump(exclude=own) == published.model_dump(exclude=own)
        assert search.held_out == held_out
        assert all("ours" in text for text in search.source.values())


def test_supernets_train_at_a_constant_learning_rate():
    for search, batch_size in (("ean-imagenet", 256), ("ean-cifar100", 128)):
        recipe = CATALOG.recipes[CATALOG.searches[search].supernet]
        assert (recipe.epochs, recipe.schedule, recipe.lr) == (40, "constant", 0.1)
        assert (recipe.batch_size, recipe.weight_decay, recipe.momentum) == (batch_size, 1e-4, 0.9)


def test_each_task_is_searched_on_its_own_data():
    assert {(task.data, task.search) for task in ean_forms().values()} == {
        (data, f"ean-{data}") for data in ("imagenet", "cifar100", "cifar10")
    }


@pytest.mark.parametrize("name", [name for name, task in CATALOG.tasks.items() if task.paper == "ean"])
def test_every_smoke_network_can_be_built(name):
    """Also that of a task whose scheme is given: it has fewer blocks than the scheme, and one of its own."""
    task = CATALOG.tasks[name]
    if task.obstacle is not None:
        task = task.model_copy(update={"arguments": {**task.arguments, "scheme": "all"}})
    plan = smoke_plan(task, CATALOG.recipe_of(task), num_classes=100, device="cpu")
    arguments = {**plan.arguments, "input_size": plan.input_size, "num_classes": 100}
    model = create_model(plan.model, device="meta", **arguments)
    side = plan.input_size
    output = model(torch.empty(2, 3, side, side, device="meta"))
    if task.data == "coco":
        assert 2 * plan.arguments["regions"] in {tensor.shape[0] for tensor in output}
    else:
        assert output.shape == (2, 100)
