"""Protocols in task files: what they compare, and every fault with file and key."""

import pytest

from aabench.catalog import load_catalog, read_catalog

GOOD = """
[paper]
name = "p"
title = "T"
authors = "A"
venue = "V"
sheet = "p.md"

[defaults]
data = "cifar100"
input_size = 32
normalisation = "cifar100"
recipe = "r"

[source]
model = "p.md"
input_size = "p.md"
normalisation = "ours"
num_heads = "p.md"

[[task]]
name = "plain"
model = "plain"

[[task]]
name = "one"
model = "one"
arguments = { num_heads = 8 }

[[task]]
name = "two"
model = "two"
source = { colour = "x" }

[[protocol]]
name = "versus"
baselines = ["plain"]
candidates = ["one", "two"]
source = "p.md"

[protocol.scaled]
name = "small"
changes = { width = 16, epochs = 2, input_size = 16 }
changes_where_set = { num_heads = 2 }

[table]
name = "Abstract"
tag = "abstract"

[[claim]]
task = "versus"
row = "C1"
kind = "ordinal"
baseline = "plain"
metrics = ["top1", "train_loss"]
"""
RECIPE = """
[[recipe]]
name = "r"
epochs = 10
batch_size = 16
lr = 0.1
lr_batch = 16
momentum = 0.9
nesterov = false
weight_decay = 0
decay_norm_and_bias = true
schedule = "cosine"
warmup_epochs = 1
label_smoothing = 0
augmentation = "crop-flip"
smoke = { input_size = 8, steps = 4, batch_size = 4, lr = 0.1, times_chance = 2 }
"""
SETTINGS = (
    *("epochs", "batch_size", "optimizer", "lr", "lr_batch", "momentum", "nesterov", "weight_decay", "precision"),
    *(
        "decay_norm_and_bias",
        "schedule",
        "warmup_epochs",
        "label_smoothing",
        "augmentation",
        "accumulate",
        "milestones",
    ),
)


def read(folder, text):
    (folder / "p").mkdir()
    (folder / "p" / "one.toml").write_text(text)
    source = "[source]\n" + "\n".join(f'{name} = "ours"' for name in SETTINGS)
    (folder / "p" / "recipe.toml").write_text(source + RECIPE)
    return read_catalog(folder)


def test_a_protocol_and_its_claims_under_both_settings(tmp_path):
    catalog, faults = read(tmp_path, GOOD)
    assert faults == []
    protocol = catalog.protocols["versus"]
    assert protocol.tasks == ("plain", "one", "two")
    claims = catalog.claims_of("versus")
    assert [(claim.metric, claim.setting) for claim in claims] == [
        ("top1", "full"),
        ("top1", "scaled"),
        ("train_loss", "full"),
        ("train_loss", "scaled"),
    ]
    assert len({claim.id for claim in claims}) == 4


def test_what_only_some_tasks_set_is_changed_for_these(tmp_path):
    catalog, _ = read(tmp_path, GOOD)
    protocol = catalog.protocols["versus"]
    common = {"width": 16, "epochs": 2, "input_size": 16}
    assert protocol.changes("scaled", catalog.tasks["plain"]) == common
    assert protocol.changes("scaled", catalog.tasks["one"]) == {**common, "num_heads": 2}
    assert protocol.altered("scaled", catalog.tasks["plain"]) == {"protocol": "scaled-down: ours, small", **common}
    assert protocol.changes("full", catalog.tasks["one"]) == {} == protocol.altered("full", catalog.tasks["one"])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('source = "p.md"\n', "", "p/one.toml: protocol[versus].source: missing"),
        (
            'name = "versus"',
            'name = "versus"\nseeds = 3',
            "p/one.toml: protocol[versus].seeds: unknown key; a protocol",
        ),
        ('"one", "two"]', '"one", "tow"]', "p/one.toml: protocol[versus].candidates: unknown task 'tow'; did you mean"),
        ('["plain"]', '["plane"]', "p/one.toml: protocol[versus].baselines: unknown task 'plane'"),
        ('"one", "two"]', "]", "p/one.toml: protocol[versus].candidates: Tuple should have at least 1 item"),
        ('"one", "two"]', '"one", "one"]', "p/one.toml: protocol[versus]: one stands in it twice"),
        ('name = "versus"', 'name = "one"', "p/one.toml: protocol[one].name: 'one' is a task's name already"),
        (
            'model = "two"',
            'model = "two"\ninput_size = 64',
            "p/one.toml: protocol[versus]: its tasks differ in input_size",
        ),
        ('recipe = "r"', "", "p/one.toml: protocol[versus]: its tasks need a recipe"),
        ("epochs = 2", "epochs = 0", "p/one.toml: protocol[versus].scaled.changes.epochs: Input should be greater"),
        (
            "epochs = 2",
            "warmup_epochs = 11",
            "p/one.toml: protocol[versus].scaled.changes: warmup_epochs (11.0) exceeds",
        ),
        (
            "epochs = 2,",
            "milestones = [1],",
            "p/one.toml: protocol[versus].scaled.changes: milestones go with schedule",
        ),
        (
            "input_size = 16 }",
            "input_size = 0 }",
            "p/one.toml: protocol[versus].scaled.changes.input_size: Input should",
        ),
        (
            "{ width = 16, epochs = 2, input_size = 16 }",
            "{}",
            "p/one.toml: protocol[versus].scaled.changes: Dictionary",
        ),
        (
            "num_heads = 2",
            "heads = 2",
            "p/one.toml: protocol[versus].scaled.changes_where_set: no task of it sets heads",
        ),
        (
            'task = "versus"',
            'task = "verses"',
            "p/one.toml: claim[verses].top1.task: unknown task 'verses'; did you mean",
        ),
        ('baseline = "plain"', 'baseline = "one"', "p/one.toml: claim[versus].top1.baseline: 'one' is no baseline"),
        (
            '"train_loss"]',
            '"params"]',
            "p/one.toml: claim[versus].params: a claim on a protocol is on top1, train_loss",
        ),
        (
            'task = "versus"',
            'task = "two"',
            "p/one.toml: claim[two].train_loss: train_loss can be claimed of a protocol",
        ),
        (
            'kind = "ordinal"\nbaseline = "plain"\nmetrics = ["top1", "train_loss"]',
            'kind = "delta"\nbaseline = "plain"\nvalues = { top1 = "+1.0 points" }',
            "p/one.toml: claim[versus].top1.kind: a claim on a protocol is ordinal, not delta",
        ),
        (
            'kind = "ordinal"\nbaseline = "plain"\nmetrics = ["top1", "train_loss"]',
            'values = { train_loss = "1.0 %" }',
            "p/one.toml: claim[versus].train_loss: train_loss is only compared: write it as an ordinal claim",
        ),
    ],
)
def test_each_fault_names_file_and_key(tmp_path, old, new, fault):
    assert old in GOOD
    _, faults = read(tmp_path, new.join(GOOD.rsplit(old, 1)))
    assert any(str(f).startswith(fault) for f in faults), [str(f) for f in faults]


def test_eaanets_protocol():
    """Base network and baselines of the sheet; a recipe for all, and no network that is another one's twin."""
    catalog = load_catalog()
    protocol = catalog.protocols["eaanet"]
    assert protocol.baselines == ("resnet18-cifar100", "aa-resnet18-cifar100")
    assert "eaa-resnet18-fused-cifar100" not in protocol.tasks
    tasks = [catalog.tasks[name] for name in protocol.tasks]
    assert {(task.input_size, task.arguments["stem"], task.num_classes) for task in tasks} == {(32, "cifar", 100)}
    claims = {(claim.metric, claim.baseline) for claim in catalog.claims_of("eaanet")}
    assert claims == {
        *(("top1", name) for name in protocol.baselines),
        *((metric, "resnet18-cifar100") for metric in ("train_loss", "seed_spread", "diverged")),
    }
    recipe = catalog.recipe_of(tasks[0])
    assert recipe is not None
    assert all(source.startswith("ours") for source in recipe.source.values())
