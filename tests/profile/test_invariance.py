"""The model's own counts belong to its definition: nothing of how it is stored or run may change them."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from math import log2
from typing import Any

import pytest
import torch
from torch import nn

from aabench.catalog import Task, load_catalog
from aabench.layers import AAConv2d
from aabench.models import create_model
from aabench.profile import Count, Way, count, explain_executed
from tests.profile.counted import counted, on_meta

# One of each kind of network, as small as its smoke test has it.
TASKS = (
    "se-resnet34",
    "aa-resnet34",
    "aa-resnet50",
    "aa-resnet50-share-50-no-position",
    "bam-resnet50",
    "cbam-resnet50",
    "gala-resnet50",
    "ge-wrn-28-10",
    "aa-wrn-28-10",
    "resnet20-cifar10",
)
SIDE = 40


def small(task: str, device: str = "meta", **more: Any) -> nn.Module:
    chosen = load_catalog().task(task)
    arguments = dict(chosen.arguments) | dict(chosen.smoke_arguments) | more
    return create_model(chosen.model, input_size=SIDE, num_classes=10, device=device, **arguments)


@cache
def reference(task: str) -> Count:
    """On meta, fp32, contiguous, with the task's own attention, fresh from the builder."""
    return count(small(task), SIDE)


def strided(model: nn.Module) -> nn.Module:
    """Each weight a view of every second row of a tensor twice as large."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight = nn.Parameter(module.weight.repeat_interleave(2, dim=0)[::2])
            assert module.weight.shape[0] == 1 or not module.weight.is_contiguous()
    return model


def channels_last(model: nn.Module) -> nn.Module:
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


# Each changes some of: device, data type, strides, mode, gradients.
KEPT: dict[str, Callable[[str], nn.Module]] = {
    "cpu, strided weights": lambda task: strided(small(task, "cpu")),
    "bf16, channels_last, training": lambda task: channels_last(small(task)).bfloat16().train(),
    "fp16, evaluation, frozen": lambda task: small(task).half().eval().requires_grad_(False),
    "fp64, strided weights": lambda task: strided(small(task).double()),
}


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("task", TASKS)
def test_counts_do_not_depend_on_how_the_network_is_kept(task: str, kept: str) -> None:
    assert asdict(count(KEPT[kept](task), SIDE)) == asdict(reference(task))


@pytest.mark.gpu
@pytest.mark.parametrize("task", TASKS)
def test_counts_do_not_depend_on_the_device(task: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    assert asdict(count(small(task, "cuda"), SIDE)) == asdict(reference(task))


@pytest.mark.parametrize("form", ["explicit", "fused", "auto"])
@pytest.mark.parametrize("task", [task for task in TASKS if task.startswith("aa-")])
def test_counts_do_not_depend_on_the_form_of_the_attention(task: str, form: str) -> None:
    model = small(task, attention=form)
    assert asdict(count(model, SIDE)) == asdict(reference(task))
    # What the layers need is the same in the form that runs; only what is executed is not.
    found = explain_executed(model, SIDE, Way(batch=2, dtype="bf16"))
    assert sum(line.model for line in found.operators) == reference(task).macs


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_counts_as_so_many_images(task: str) -> None:
    one, five = reference(task), count(small(task), SIDE, batch=5)
    assert (five.macs, five.activations, five.params) == (5 * one.macs, 5 * one.activations, one.params)
    assert five.attention_share == one.attention_share
    assert five.in_convention("aa-paper") == 5 * one.in_convention("aa-paper")


# At 48x48 pixels: 6 anchors of each of 36 + 9 + 4 + 1 + 1 cells; 3 of each of 144 + 36 + 9 + 4 + 1, 1000 regions, of
# 90 categories and background.
DETECTED = {
    "retinanet": ((1, 306, 90), (1, 306, 4)),
    "faster_rcnn": ((582, 1), (582, 4), (1000, 91), (1000, 364)),
}
BUILT = [task for task in load_catalog().tasks.values() if task.obstacle is None]


@pytest.mark.parametrize("task", BUILT, ids=lambda task: task.name)
def test_every_task_of_the_catalog_reconciles_at_another_size_too(task: Task) -> None:
    other = 160 if task.input_size == 224 else 48
    # The count raises unless three counters agree on every module. At its own size, `make report` counts each task.
    smaller_or_larger = counted(task.name, other)
    detected = [shapes for kind, shapes in DETECTED.items() if kind in task.model]
    assert smaller_or_larger.output_shape == (detected[0] if detected else (1, task.num_classes))
    found = explain_executed(on_meta(task.name, other), other)
    assert sum(line.model for line in found.operators) == smaller_or_larger.macs
    assert all(set(line.why) <= {"position features", "padding"} for line in found.operators)
    exact = task.arguments.get("mechanism", "exact") == "exact"
    assert (task.model.startswith(("aa_", "aw_aa_")) and exact) == bool(found.attention_forms)


def block(side: int) -> AAConv2d:
    """F_in 3, F_out 64, a 3x3 kernel, dk = dv = 16 in 8 heads of 2 channels."""
    with torch.device("meta"):
        return AAConv2d(
            3, 64, 3, feature_size=(side, side), kappa=0.25, upsilon=0.25, num_heads=8, min_key_channels=0,
            attention="fused",
        )  # fmt: skip


def test_a_fused_block_at_64_has_the_closed_formulas_macs_and_its_exponent() -> None:
    """With s the side, n = s^2 cells.

    s^2: 48 channels of 3x3x3, 3 -> 16 + 16 + 16 and 16 -> 16 by 1x1, 1,296 + 144 + 256 = 1,696.
    s^3: relative logits, 8 heads x n queries x 2 s embeddings x 2 channels = 32 s^3.
    s^4: 8 heads x n^2 pairs x (2 + 2) = 32 s^4.
    """
    at_64, at_32 = count(block(64), 64).macs, count(block(32), 32).macs
    assert at_64 == 6_946_816 + 8_388_608 + 536_870_912 == 552_206_336
    assert at_32 == 1_736_704 + 1_048_576 + 33_554_432 == 36_339_712
    # 552,206,336 / 36,339,712 = 15.196; 2 would be without attention, 4 with nothing else.
    assert log2(at_64 / at_32) == pytest.approx(3.9256, abs=5e-5)
    # On a CPU that is all. On CUDA q and k carry 64 + 64 position features (130, filled up to 136), and v has 8.
    assert explain_executed(block(64), 64).macs == at_64
    found = explain_executed(block(64), 64, Way(device="cuda"))
    assert found.macs - at_64 == 8 * 4096**2 * (136 + 8 - 4)
