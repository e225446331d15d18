"""Reading task files: all faults at once, each with file and key."""

from pathlib import Path

import pytest

from aabench.catalog import read_catalog
from aabench.catalog.load import load_catalog
from aabench.errors import AABenchError

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

[source]
model = "p.md"
input_size = "p.md"
normalisation = "ours"

[table]
name = "Table 1"
tag = "printed"
convention = "aa-paper"

[[task]]
name = "net"
model = "net"

[[claim]]
task = "net"
row = "Net"
values = { params = "1.5 M", flops = "0.5 GFLOPs" }
"""


SWEEP = """
[[sweep]]
name = "runs"
mode = "train"
batch = 8
dtype = "fp32"
sides = [32, 64, 128]

[sweep.source]
mode = "ours"
batch = "ours"
dtype = "ours"
sides = "ours"
"""

GROWTH = """
[[claim]]
row = "Net grows slower"
kind = "growth"
baseline = "net"
sweep = "runs"
metrics = ["memory", "flops"]
"""


def read(tmp_path: Path, text: str, more: str | None = None):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "one.toml").write_text(text)
    if more is not None:
        (tmp_path / "p" / "two.toml").write_text(more)
    return read_catalog(tmp_path)


def test_a_good_file(tmp_path):
    catalog, faults = read(tmp_path, GOOD)
    assert faults == []
    assert [claim.id for claim in catalog.claims] == ["p/table-1/net/params", "p/table-1/net/flops"]
    assert [claim.convention for claim in catalog.claims] == [None, "aa-paper"]
    assert catalog.tasks["net"].paper == "p"
    assert catalog.tasks["net"].num_classes == 100


def test_accuracies_of_the_best_epoch_and_values_that_no_sheet_gives(tmp_path):
    text = GOOD.replace('tag = "printed"', 'tag = "printed"\nepoch = "best"').replace('"1.5 M"', '"unspecified"')
    text = text.replace("values = { ", 'values = { top1 = "77.7 %", AP = "unspecified", ')
    catalog, faults = read(tmp_path, text)
    assert faults == []
    found = {claim.metric: (claim.convention, claim.unspecified) for claim in catalog.claims}
    assert found == {
        "top1": ("best", False),
        "AP": (None, True),
        "params": (None, True),
        "flops": ("aa-paper", False),
    }


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('venue = "V"', 'venue = "V"\ncolour = 3', "p/one.toml: paper.colour: unknown key"),
        ('model = "net"', 'model = "net"\nwdith = 3', "p/one.toml: task[net].wdith: unknown key"),
        ('"1.5 M"', '"1.5"', "p/one.toml: claim[net].values.params: missing unit"),
        ('"1.5 M"', "1.5", "p/one.toml: claim[net].values.params: value without precision"),
        ('"1.5 M"', '"1.5 GFLOPs"', "p/one.toml: claim[net].params: params is given in M"),
        (
            'task = "net"',
            'task = "nett"',
            "p/one.toml: claim[nett].params.task: unknown task 'nett'; did you mean 'net'?",
        ),
        ('model = "net"', 'model = "net"\nrecipe = "r"', "p/one.toml: task[net].recipe: unknown recipe 'r'"),
        ('model = "net"', 'model = "net"\narguments = { k = 1 }', "p/one.toml: task[net]: no source for k"),
        ('model = "net"', 'model = "net"\nresize = 256', "p/one.toml: task[net]: no source for resize"),
        (
            'model = "net"',
            'model = "net"\nsource = { torchvision_weights = "x" }\ntorchvision_weights = "W.V1"',
            "p/one.toml: task[net]: torchvision_weights needs checkpoint",
        ),
        ('model = "net"', 'model = "net"\nsearch = "s"', "p/one.toml: task[net]: search goes with a scheme"),
        ('"cifar100"', '"coco"', 'p/one.toml: task[net]: framing goes with data = "coco", and only with it'),
        ('model = "net"', 'model = "net"\nframing = "square"', "p/one.toml: task[net]: no source for framing"),
        (
            'model = "net"',
            'model = "net"\nframing = "square"\nsource = { framing = "ours" }',
            'p/one.toml: task[net]: framing goes with data = "coco", and only with it',
        ),
        (
            'model = "net"',
            'model = "net"\nframing = "round"',
            "p/one.toml: task[net].framing: Input should be 'square'",
        ),
        ('model = "net"', 'model = "net"\nbackbone = "net"', "p/one.toml: task[net]: no source for backbone"),
        (
            'model = "net"',
            'model = "net"\nbackbone = "net"\nsource = { backbone = "ours" }',
            'p/one.toml: task[net]: backbone goes with data = "coco" only',
        ),
        (
            'model = "net"',
            'model = "net"\nsource = { scheme = "x" }\narguments = { scheme = "unspecified" }',
            "p/one.toml: task[net]: an unspecified scheme needs search",
        ),
        ('tag = "printed"', 'tag = "printed"\nepoch = "last"', "p/one.toml: table.epoch: Input should be 'best'"),
        ('model = "net"', 'model = "a-b"', "p/one.toml: task[net].model: 'a-b' is not a model name"),
        ('name = "Table 1"\n', "", "p/one.toml: claim[net]: needs a table and a tag"),
        ('sheet = "p.md"\n', "", "p/one.toml: paper.sheet: missing"),
        ("[[task]]", "[task]", "p/one.toml: task: write it as [[task]]"),
        ("[table]", "[tabel]", "p/one.toml: tabel: unknown key"),
        ('values = { params = "1.5 M", flops = "0.5 GFLOPs" }', "", "p/one.toml: claim[net]: claims nothing"),
        ("[paper]", "[paper", "p/one.toml: -: cannot be read"),
    ],
)
def test_each_fault_names_file_and_key(tmp_path, old, new, fault):
    assert old in GOOD
    _, faults = read(tmp_path, GOOD.replace(old, new, 1))
    assert any(str(f).startswith(fault) for f in faults), [str(f) for f in faults]


DETECTOR = """
[[recipe]]
name = "r"
epochs = 1
batch_size = 8
lr = 0.1
lr_batch = 8
momentum = 0.9
nesterov = false
weight_decay = 0.0
decay_norm_and_bias = true
schedule = "cosine"
warmup_epochs = 0
label_smoothing = 0.0
augmentation = "scale-jitter"
smoke = { input_size = 8, steps = 9, batch_size = 8, lr = 0.1, least_ap = 5.0 }

[recipe.source]
epochs = "ours"
batch_size = "ours"
optimizer = "ours"
lr = "ours"
lr_batch = "ours"
momentum = "ours"
nesterov = "ours"
weight_decay = "ours"
decay_norm_and_bias = "ours"
schedule = "ours"
milestones = "ours"
warmup_epochs = "ours"
label_smoothing = "ours"
augmentation = "ours"
accumulate = "ours"
precision = "ours"

[[task]]
name = "finder"
model = "finder"
data = "coco"
input_size = 32
normalisation = "cifar100"
framing = "square"
backbone = "net"
recipe = "r"

[task.source]
model = "ours"
input_size = "ours"
normalisation = "ours"
framing = "ours"
backbone = "ours"
"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"net"', '"net"', None),
        ('backbone = "net"', 'backbone = "nett"', "task[finder].backbone: unknown task 'nett'; did you mean 'net'?"),
        (
            "least_ap = 5.0",
            "times_chance = 2.0",
            "task[finder].recipe: 'r' does not fit: the task is a detector, whose smoke run needs least_ap",
        ),
        ("least_ap = 5.0", "least_ap = 100.0", "recipe[r].smoke.least_ap: Input should be less than 100"),
        (
            "least_ap = 5.0",
            "least_ap = 5.0, times_chance = 2.0",
            "recipe[r].smoke: give times_chance, or least_ap for a detector",
        ),
        (", least_ap = 5.0", "", "recipe[r].smoke: give times_chance, or least_ap for a detector"),
        (
            'framing = "square"\nbackbone = "net"\nrecipe',
            'framing = "square"\nrecipe',
            None,
        ),
    ],
)
def test_faults_of_detectors(tmp_path, old, new, fault):
    assert old in DETECTOR
    _, faults = read(tmp_path, GOOD, DETECTOR.replace(old, new, 1))
    assert [str(f) for f in faults][:1] == ([] if fault is None else [f"p/two.toml: {fault}"])


def test_a_detectors_recipe_is_not_a_classifiers(tmp_path):
    _, faults = read(tmp_path, GOOD.replace('model = "net"', 'model = "net"\nrecipe = "r"'), DETECTOR)
    assert [str(f) for f in faults] == ["p/one.toml: task[net].recipe: 'r' does not fit: the task is no detector"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("defaults = 3\n[[task]]", "defaults"),
        ("source = [1]\n[[task]]", "source"),
        ('[[task]]\nsource = "x"', "task[1].source"),
        ("[[recipe]]\nsource = 1.5", "recipe[1].source"),
        ("[[sweep]]\nsource = 3", "sweep[1].source"),
    ],
)
def test_what_has_to_be_a_table(tmp_path, text, key):
    _, faults = read(tmp_path, text)
    assert f"p/one.toml: {key}: write it as a table" in [str(fault) for fault in faults]


def test_a_claim_without_a_task_is_one_on_each_of_the_tables(tmp_path):
    two = GOOD.replace("[[claim]]", '[[task]]\nname = "other"\nmodel = "net"\n\n[[claim]]')
    two = two.replace('tag = "printed"', 'tag = "printed"\ntasks = ["other"]')
    catalog, faults = read(tmp_path, two + GROWTH + SWEEP)
    assert faults == []
    assert [claim.id for claim in catalog.claims] == [
        "p/table-1/net/params",
        "p/table-1/net/flops",
        "p/table-1/other-vs-net/memory-growth/runs",
        "p/table-1/other-vs-net/flops-growth/runs",
    ]
    assert [sweep.sides for sweep in catalog.sweeps_of("other")] == [(32, 64, 128)]
    assert catalog.sweeps_of("net") == ()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", "p/one.toml: claim[2]: needs a task, here, or tasks in [table]"),
        ("row =", 'task = "net"\nrow =', "p/one.toml: claim[net].memory.sweep: growth is fitted over 3 sides or more"),
        ('sweep = "runs"', 'task = "net"\nsweep = "run"', "p/one.toml: claim[net].memory.sweep: unknown sweep 'run'"),
        ("[32, 64]", "[64, 32]", "p/one.toml: sweep[runs]: sides ascend, each once; got 64, 32"),
        ("[32, 64]", "[]", "p/one.toml: sweep[runs].sides"),
        ('batch = "ours"\n', "", "p/one.toml: sweep[runs]: no source for batch"),
        ('mode = "train"', 'mode = "eval"', "p/one.toml: sweep[runs].mode"),
    ],
)
def test_faults_of_claims_on_cost(tmp_path, old, new, fault):
    text = GROWTH + SWEEP.replace("[32, 64, 128]", "[32, 64]")
    assert old in text
    _, faults = read(tmp_path, GOOD + text.replace(old, new, 1))
    assert any(str(f).startswith(fault) for f in faults), [str(f) for f in faults]


def test_a_difference_is_at_one_side(tmp_path):
    claim = GROWTH.replace("row =", 'task = "net"\nrow =').replace('"growth"', '"delta"')
    claim = claim.replace('metrics = ["memory", "flops"]', 'values = { latency_ms = "+12 %" }')
    _, faults = read(tmp_path, GOOD + claim + SWEEP)
    assert [str(f) for f in faults] == [
        "p/one.toml: claim[net].latency_ms.sweep: a difference in latency is at one side, and runs has 3"
    ]


def test_an_order_of_latencies_is_at_one_side_too(tmp_path):
    claim = GROWTH.replace("row =", 'task = "net"\nrow =').replace('"growth"', '"ordinal"')
    text = GOOD + claim.replace('["memory", "flops"]', '["latency_ms"]') + SWEEP
    catalog, faults = read(tmp_path, text.replace("[32, 64, 128]", "[224]"))
    assert faults == []
    last = catalog.claims[-1]
    assert (last.id, last.saying) == ("p/table-1/net-vs-net/latency_ms/runs", "below net")
    (tmp_path / "p" / "one.toml").write_text(text)
    _, faults = read_catalog(tmp_path)
    assert [str(f) for f in faults] == [
        "p/one.toml: claim[net].latency_ms.sweep: a difference in latency is at one side, and runs has 3"
    ]


def test_how_a_sweep_is_timed_has_a_source_where_it_is_said(tmp_path):
    timed = SWEEP.replace('mode = "train"', 'mode = "forward"\nsynchronised = false')
    sourced = timed.replace("[sweep.source]", '[sweep.source]\nsynchronised = "p.md"')
    catalog, faults = read(tmp_path, GOOD + sourced, SWEEP.replace('"runs"', '"plain"'))
    assert faults == []
    said, plain = catalog.sweeps["runs"], catalog.sweeps["plain"]
    assert (said.mode, said.synchronised, plain.synchronised) == ("forward", False, True)
    assert said.settings().keys() - plain.settings().keys() == {"synchronised"}
    (tmp_path / "p" / "two.toml").unlink()
    (tmp_path / "p" / "one.toml").write_text(GOOD + timed)
    _, faults = read_catalog(tmp_path)
    assert [str(f) for f in faults] == ["p/one.toml: sweep[runs]: no source for synchronised"]


def test_duplicate_names_name_both_places(tmp_path):
    task = '[[task]]\nname = "net"\nmodel = "other"\ndata = "cifar10"\ninput_size = 32\nnormalisation = "cifar100"\n'
    source = '[task.source]\nmodel = "x"\ninput_size = "x"\nnormalisation = "x"\n'
    _, faults = read(tmp_path, GOOD, task + source)
    assert [str(f) for f in faults] == [
        "p/two.toml: task[net]: duplicate name 'net': it is taken by p/one.toml task[net]"
    ]


def test_all_faults_at_once(tmp_path):
    broken = GOOD.replace('"1.5 M"', "1.5").replace('venue = "V"', "").replace('model = "net"', 'model = "a b"')
    _, faults = read(tmp_path, broken)
    assert {f.key for f in faults} >= {"paper.venue", "task[net].model", "claim[net].values.params"}
    with pytest.raises(AABenchError, match=r"and \d more: `aabench validate` lists them"):
        load_catalog(tmp_path)


def test_an_empty_folder_is_a_fault(tmp_path):
    _, faults = read_catalog(tmp_path)
    assert "no task file" in str(faults[0])
