"""The networks of EAANet's abstract against the counts of the sheet (eaanet.md, section 2)."""

import pytest

from aabench.catalog import load_catalog
from aabench.errors import AABenchError
from aabench.layers import AAConv2d
from aabench.models import create_model
from aabench.profile import count


@pytest.mark.parametrize(
    ("name", "side", "classes", "stem", "params", "gmacs"),
    [
        ("resnet18", 224, 1000, "imagenet", 11_689_512, 1.814),
        ("aa_resnet18", 224, 1000, "imagenet", 9_974_344, 1.808),
        # The sheet has 0.556; by hand: stem 1,769,472, stages 150,994,944 + 3 x 134,217,728, classifier 51,200,
        # which is 0.5555.
        ("resnet18", 32, 100, "cifar", 11_220_132, 0.555),
        ("aa_resnet18", 32, 100, "cifar", 9_502_660, 0.513),
    ],
)
def test_counts_of_the_sheet(name: str, side: int, classes: int, stem: str, params: int, gmacs: float) -> None:
    counted = count(create_model(name, input_size=side, num_classes=classes, stem=stem, device="meta"), side)
    assert counted.params == params
    assert round(counted.macs / 1e9, 3) == gmacs


def test_both_convolutions_of_the_last_three_stages_are_augmented() -> None:
    model = create_model("aa_resnet18", input_size=224, num_classes=10, device="meta")
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, AAConv2d)}
    assert list(layers) == [f"layer{s}.{b}.conv{c}" for s in (2, 3, 4) for b in (0, 1) for c in (1, 2)]
    # One fp32 copy of all attention maps takes 80 MiB: none is pooled.
    cells = [layer.attention_size[0] * layer.attention_size[1] for layer in layers.values()]
    assert round(sum(4 * 8 * n**2 for n in cells) / 2**20) == 80


def test_an_unknown_stem() -> None:
    with pytest.raises(AABenchError, match="stem is one of imagenet, cifar, not 'vit'"):
        create_model("resnet18", input_size=32, num_classes=10, stem="vit")


def test_the_cifar_tasks_are_the_sheets_networks() -> None:
    tasks = load_catalog().tasks
    params = []
    for name in ("resnet18-cifar100", "aa-resnet18-cifar100", "eaa-resnet18-fused-cifar100"):
        task = tasks[name]
        model = create_model(task.model, input_size=32, num_classes=100, device="meta", **task.arguments)
        params.append(count(model, task.input_size).params)
    assert params == [11_220_132, 9_502_660, 9_502_660]
