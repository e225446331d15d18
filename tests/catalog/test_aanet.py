"""What the shipped task files say of AA-Net: the sheet's numbers as literals."""

import pytest

from aabench.catalog import load_catalog
from aabench.errors import AABenchError

# model: GFLOPs, parameters in millions, top-1, top-5 (aanet.md, Tables 1, 3 and 6)
TABLES = {
    "Table 1": {
        "wrn-28-10": ("10.4", "36.3", "80.3", "95.0"),
        "ge-wrn-28-10": ("10.4", "36.3", "79.8", "95.0"),
        "se-wrn-28-10": ("10.4", "36.5", "81.0", "95.3"),
        "aa-wrn-28-10": ("10.9", "36.2", "81.6", "95.2"),
        "aa-wrn-28-10-as-counted": ("10.9", "36.2", "81.6", "95.2"),
    },
    "Table 3": {
        "resnet34": ("7.4", "21.8", "73.6", "91.5"),
        "se-resnet34": ("7.4", "22.0", "74.3", "91.8"),
        "aa-resnet34": ("7.1", "20.7", "74.7", "92.0"),
        "resnet50": ("8.2", "25.6", "76.4", "93.1"),
        "se-resnet50": ("8.2", "28.1", "77.5", "93.7"),
        "aa-resnet50": ("8.3", "25.8", "77.7", "93.8"),
        "resnet101": ("15.6", "44.5", "77.9", "94.0"),
        "se-resnet101": ("15.6", "49.3", "78.4", "94.2"),
        "aa-resnet101": ("16.1", "45.4", "78.7", "94.4"),
        "resnet152": ("23.0", "60.2", "78.4", "94.2"),
        "se-resnet152": ("23.1", "66.8", "78.9", "94.5"),
        "aa-resnet152": ("23.8", "61.6", "79.1", "94.6"),
    },
    "Table 6": {
        "aa-resnet50-share-25": ("7.9", "24.3", "77.7", "93.8"),
        "aa-resnet50-share-50": ("7.3", "22.3", "77.3", "93.6"),
        "aa-resnet50-share-75": ("6.8", "20.7", "76.7", "93.2"),
        "aa-resnet50-share-100": ("6.3", "19.4", "73.9", "91.5"),
    },
}
# Parameters in millions, top-1 (aanet.md, Table 2)
TABLE_2 = {
    "resnet50": ("25.6", "76.4"),
    "se-resnet50": ("28.1", "77.5"),
    "bam-resnet50": ("25.9", "77.3"),
    "cbam-resnet50": ("28.1", "77.4"),
    "gala-resnet50": ("29.4", "77.5"),
    "aa-resnet50-share-25": ("24.3", "77.7"),
}
# Increase of the latency over ResNet-50 in %: inference, training (aanet.md, Table 2)
LATENCIES = {
    "se-resnet50": (12, 92),
    "bam-resnet50": (19, 43),
    "cbam-resnet50": (56, 132),
    "gala-resnet50": (86, 133),
    "aa-resnet50-share-25": (29, 25),
}
# Top-1, top-5 (aanet.md, Table 7)
TABLE_7 = {
    "aa-resnet34-no-position": ("74.4", "91.9"),
    "aa-resnet34-sine2d": ("74.4", "92.0"),
    "aa-resnet34-coordconv": ("74.4", "92.0"),
    "aa-resnet34": ("74.7", "92.0"),
    "aa-resnet50-no-position": ("77.5", "93.7"),
    "aa-resnet50-sine2d": ("77.5", "93.7"),
    "aa-resnet50-coordconv": ("77.5", "93.8"),
    "aa-resnet50": ("77.7", "93.8"),
}
# task: parameters in millions, top-1, top-5, and the tag of the accuracies
TABLE_4 = {
    "mnasnet-0.75": ("2.91", "73.3", "91.3", "second-hand"),
    "aa-mnasnet-0.75": ("3.02", "73.9", "91.6", "recalled"),
    "mnasnet-1.0": ("3.89", "75.2", "92.4", "second-hand"),
    "aa-mnasnet-1.0": ("4.06", "75.7", "92.6", "recalled"),
    "mnasnet-1.25": ("5.26", "76.7", "93.2", "recalled"),
    "aa-mnasnet-1.25": ("5.53", "77.2", "93.6", "recalled"),
    "mnasnet-1.4": ("6.10", "77.2", "93.5", "second-hand"),
    "aa-mnasnet-1.4": ("6.44", "77.7", "93.8", "recalled"),
}
# task: GFLOPs, parameters in millions, AP, AP50, AP75, the row's tag, and that of its AP (aanet.md, Table 5)
TABLE_5 = {
    "retinanet-resnet50": ("182", "33.4", "36.8", "54.5", "39.5", "second-hand", "second-hand"),
    "se-retinanet-resnet50": ("183", "35.9", "36.5", "54.0", "39.1", "second-hand", "second-hand"),
    "aa-retinanet-resnet50": ("182", "33.1", "38.2", "56.5", "40.7", "second-hand", "printed"),
    "retinanet-resnet101": ("243", "52.4", "38.5", "56.4", "41.2", "second-hand", "second-hand"),
    "se-retinanet-resnet101": ("243", "57.2", "37.4", "55.0", "39.9", "recalled", "recalled"),
    "aa-retinanet-resnet101": ("245", "51.7", "39.2", "57.8", "41.9", "second-hand", "second-hand"),
}
# The rows of AA again, with other numbers of heads: the cost alone, as this is what tells them apart.
TABLE_5_HEADS = {
    "aa-retinanet-resnet50-1-head": ("182", "33.1", 1),
    "aa-retinanet-resnet50-8-heads": ("182", "33.1", 8),
    "aa-retinanet-resnet101-1-head": ("245", "51.7", 1),
    "aa-retinanet-resnet101-8-heads": ("245", "51.7", 8),
}
# task: position encoding, AP, AP50, AP75 (aanet.md, Table 8)
TABLE_8 = {
    "aa-retinanet-resnet50-no-position": ("none", "37.7", "56.0", "40.2"),
    "aa-retinanet-resnet50-coordconv": ("coordconv", "37.4", "55.5", "40.1"),
    "aa-retinanet-resnet50": ("relative", "38.2", "56.5", "40.7"),
}
DEFAULT_TASKS = (
    *("aa-resnet50", "aa-resnet101", "aa-resnet152", "aa-wrn-28-10"),
    *("se-resnet50", "se-wrn-28-10", "mnasnet-1.0", "aa-mnasnet-1.0"),
)
FIGURE_4 = {25: "77.5", 50: "76.6", 75: "75.4", 100: "71.1"}


def printed(table, tag="printed"):
    claims = [c for c in load_catalog().claims if c.paper == "aanet" and c.table == table and c.sweep is None]
    assert {c.tag for c in claims} == {tag}
    return {(c.task, c.metric): str(c.value) for c in claims}


@pytest.mark.parametrize("table", TABLES)
def test_all_rows_of_a_table(table):
    expected = {}
    for task, (flops, params, top1, top5) in TABLES[table].items():
        values = {"flops": f"{flops} GFLOPs", "params": f"{params} M", "top1": f"{top1} %", "top5": f"{top5} %"}
        expected |= {(task, metric): value for metric, value in values.items()}
    assert printed(table) == expected


def test_table_2():
    expected = {}
    for task, (params, top1) in TABLE_2.items():
        expected |= {(task, "params"): f"{params} M", (task, "top1"): f"{top1} %"}
    assert printed("Table 2", "recalled") == expected


def test_the_latencies_of_table_2_and_where_they_were_measured():
    claims = {c.id: c for c in load_catalog().claims if c.paper == "aanet" and c.metric == "latency_ms"}
    expected = {}
    for task, (inference, training) in LATENCIES.items():
        at = f"aanet/table-2/{task}-vs-resnet50/latency_ms"
        expected |= {f"{at}/v100-inference": f"+{inference} %", f"{at}/v100-training": f"+{training} %"}
    assert {name: str(claim.value) for name, claim in claims.items()} == expected
    assert {(c.tag, c.kind, c.baseline) for c in claims.values()} == {("recalled", "delta", "resnet50")}
    for sweep, mode in (("v100-inference", "infer"), ("v100-training", "train")):
        settings = {"mode": mode, "batch": 128, "dtype": "fp32", "sides": (224,), "gpu": "V100"}
        assert load_catalog().sweeps[sweep].settings() == settings


def test_table_7():
    expected = {}
    for task, (top1, top5) in TABLE_7.items():
        expected |= {(task, "top1"): f"{top1} %", (task, "top5"): f"{top5} %"}
    assert printed("Table 7") == expected


def test_table_4_and_its_tags():
    claims = [c for c in load_catalog().claims if c.paper == "aanet" and c.table == "Table 4"]
    expected = {}
    for task, (params, top1, top5, tag) in TABLE_4.items():
        expected[task, "params"] = (f"{params} M", "recalled")
        expected |= {(task, "top1"): (f"{top1} %", tag), (task, "top5"): (f"{top5} %", tag)}
    assert {(c.task, c.metric): (str(c.value), c.tag) for c in claims} == expected


def test_table_5_and_its_tags():
    claims = [c for c in load_catalog().claims if c.paper == "aanet" and c.table == "Table 5"]
    expected = {}
    for task, (flops, params, *precisions, tag, tag_of_precisions) in TABLE_5.items():
        expected |= {(task, "flops"): (f"{flops} GFLOPs", tag), (task, "params"): (f"{params} M", tag)}
        for metric, value in zip(("AP", "AP50", "AP75"), precisions, strict=True):
            expected[task, metric] = (f"{value} %", tag_of_precisions)
    for task, (flops, params, _) in TABLE_5_HEADS.items():
        expected[task, "flops"] = (f"{flops} GFLOPs", "second-hand")
        expected[task, "params"] = (f"{params} M", "second-hand")
    assert {(c.task, c.metric): (str(c.value), c.tag) for c in claims} == expected
    assert {c.convention for c in claims if c.metric == "flops"} == {"aa-paper"}


def test_table_5s_networks():
    tasks = load_catalog().tasks
    for name, (*_, heads) in TABLE_5_HEADS.items():
        assert tasks[name].arguments["num_heads"] == heads
        without = tasks[name].arguments | {"num_heads": 2}
        assert tasks[name.rsplit("-", 2)[0]].arguments == without
    for name in (*TABLE_5, *TABLE_5_HEADS):
        task = tasks[name]
        assert (task.data, task.input_size, task.framing, task.backbone) == ("coco", 640, "square", None)
        assert task.recipe == "aanet-coco"


def test_table_8():
    expected = {}
    for task, (position, *precisions) in TABLE_8.items():
        assert load_catalog().task(task).arguments["position"] == position
        expected |= {
            (task, metric): f"{value} %" for metric, value in zip(("AP", "AP50", "AP75"), precisions, strict=True)
        }
    assert printed("Table 8") == expected


def test_the_recipe_on_coco():
    recipe = load_catalog().recipes["aanet-coco"]
    assert (recipe.epochs, recipe.augmentation) == (150, "scale-jitter")
    given = {name for name, source in recipe.source.items() if "aanet.md" in source}
    assert given == {"epochs", "augmentation"}  # the sheet has no more of it
    assert all("ours" in source for name, source in recipe.source.items() if name != "epochs")


def test_table_4_is_at_its_widths():
    tasks = load_catalog().tasks
    assert {name: tasks[name].arguments["width"] for name in TABLE_4} == {
        name: float(name.rsplit("-", 1)[1]) for name in TABLE_4
    }


def test_figure_4():
    assert printed("Figure 4") == {
        (f"aa-resnet50-share-{share}-no-position", "top1"): f"{top1} %" for share, top1 in FIGURE_4.items()
    }


def test_the_abstract():
    claims = {c.id: c for c in load_catalog().claims if (c.paper, c.table) == ("aanet", "Abstract")}
    assert {c.tag for c in claims.values()} == {"abstract"}
    assert str(claims["aanet/abstract/aa-resnet50-vs-resnet50/top1"].value) == "+1.3 points"
    assert claims["aanet/abstract/aa-resnet50-vs-se-resnet50/top1"].kind == "ordinal"
    assert str(claims["aanet/abstract/aa-retinanet-resnet50-vs-retinanet-resnet50/AP"].value) == "+1.4 points"


def test_recipes_of_the_sheet():
    recipes = load_catalog().recipes
    plain, augmented, imagenet = (recipes[f"aanet-{n}"] for n in ("cifar100", "cifar100-augmented", "imagenet"))
    assert (plain.epochs, plain.batch_size, plain.lr, plain.lr_batch, plain.weight_decay) == (500, 1024, 0.2, 256, 2e-4)
    assert (augmented.batch_size, augmented.weight_decay, augmented.warmup_epochs) == (256, 5e-4, 25)
    assert (imagenet.epochs, imagenet.lr, imagenet.milestones, imagenet.gamma) == (100, 0.128, (30, 60, 80, 90), 0.1)
    assert imagenet.weight_decay == 1e-4
    for name, lr in (("aanet-mnasnet", 0.016), ("aanet-mnasnet-augmented", 0.008)):
        mnasnet = recipes[name]
        assert (mnasnet.optimizer, mnasnet.mean_square_decay, mnasnet.epsilon) == ("rmsprop", 0.9, 1e-3)
        assert (mnasnet.epochs, mnasnet.lr, mnasnet.lr_batch, mnasnet.weight_decay) == (350, lr, 256, 1e-5)
        assert (mnasnet.schedule, mnasnet.decay_epochs, mnasnet.warmup_epochs) == ("exponential", 2.4, 5)
        assert (mnasnet.label_smoothing, mnasnet.ema_decay) == (0.1, 0.9999)
    assert recipes["aanet-mnasnet"].gamma == 0.97
    assert {r.momentum for r in recipes.values()} == {0.9}


def test_both_settings_of_the_discrepancy():
    tasks = load_catalog().tasks
    keys = ("kappa", "upsilon", "num_heads", "min_key_channels")
    assert [tasks["aa-wrn-28-10"].arguments[k] for k in keys] == [0.2, 0.1, 8, 20]
    assert [tasks["aa-wrn-28-10-as-counted"].arguments[k] for k in keys] == [0.1, 0.05, 4, 20]


def test_calibration_is_marked():
    catalog = load_catalog()
    assert {t.name for t in catalog.tasks.values() if t.calibration} == {
        *("resnet20-cifar10", "resnet56-cifar10", "squeezenet1-0-imagenet1000")
    }
    assert [str(catalog.claims_of(f"resnet{n}-cifar10")[0].value) for n in (20, 56)] == ["9173 images", "9339 images"]
    squeezenet = {c.metric: (str(c.value), c.tag) for c in catalog.claims_of("squeezenet1-0-imagenet1000")}
    assert squeezenet == {"correct": ("616 images", "code"), "correct5": ("829 images", "code")}


def test_an_unknown_task_offers_the_nearest():
    with pytest.raises(AABenchError, match="unknown task 'aa-resnet5'; did you mean aa-resnet50"):
        load_catalog().task("aa-resnet5")


def test_default_arguments_of_the_models_are_the_tasks():
    import inspect

    from aabench.models.registry import NETWORKS

    for task in load_catalog().tasks.values():
        if task.name in DEFAULT_TASKS:
            defaults = inspect.signature(NETWORKS[task.model]).parameters
            assert {k: defaults[k].default for k in task.arguments} == task.arguments
