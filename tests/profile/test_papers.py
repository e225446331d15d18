"""The structure of AA-Net's networks: the numbers that its Tables 1, 3 and 6 print, in one convention."""

import pytest

from aabench.catalog import load_catalog
from aabench.profile import Way, measure_structure
from aabench.profile.structure import count_values
from tests.profile.counted import counted

TABLES = {
    # Table 1
    "wrn-28-10": ("36.3", "10.4"),
    "ge-wrn-28-10": ("36.3", "10.4"),
    "se-wrn-28-10": ("36.5", "10.4"),
    "aa-wrn-28-10-as-counted": ("36.2", "10.9"),
    # Table 3
    "resnet34": ("21.8", "7.4"),
    "se-resnet34": ("22.0", "7.4"),
    "aa-resnet34": ("20.7", "7.1"),
    "resnet50": ("25.6", "8.2"),
    "se-resnet50": ("28.1", "8.2"),
    "aa-resnet50": ("25.8", "8.3"),
    "resnet101": ("44.5", "15.6"),
    "se-resnet101": ("49.3", "15.6"),
    "aa-resnet101": ("45.4", "16.1"),
    "resnet152": ("60.2", "23.0"),
    "se-resnet152": ("66.8", "23.1"),
    "aa-resnet152": ("61.6", "23.8"),
    # Table 6
    "aa-resnet50-share-25": ("24.3", "7.9"),
    "aa-resnet50-share-50": ("22.3", "7.3"),
    "aa-resnet50-share-75": ("20.7", "6.8"),
    # What the sheet says does not fit: the text's Wide-ResNet (printed 36.2, 10.9) and ratio 1.0 (printed 6.3).
    "aa-wrn-28-10": ("36.1", "11.4"),
    "aa-resnet50-share-100": ("19.4", "6.4"),
}


@pytest.mark.parametrize("name", TABLES)
def test_printed_parameters_and_gflops(name: str) -> None:
    found = counted(name, load_catalog().task(name).input_size)
    assert (f"{found.params / 1e6:.1f}", f"{found.in_convention('aa-paper') / 1e9:.1f}") == TABLES[name]


def test_a_structure_finding_holds_every_convention_and_the_shape() -> None:
    found = measure_structure(load_catalog().task("resnet20-cifar10"))
    values = {(value.metric, value.convention): value.value for value in found.values}
    # 269,722 parameters and 40.55 M multiply-adds: the CIFAR ResNet-20 with parameter-free shortcuts.
    assert values == {
        ("params", None): 269_722,
        ("macs", "model"): 40_551_040,
        ("macs", "executed"): 40_551_040,
        ("flops", "macs"): 40_551_040,
        ("flops", "flops"): 81_102_080,
        ("flops", "aa-paper"): 81_102_080,
        # 7 convolutions give 16 x 32 x 32, 6 give 32 x 16 x 16, 6 give 64 x 8 x 8; 10 classes.
        ("activations", None): 188_426,
        ("attention_share", None): 0.0,
    }
    assert (found.level, found.status, found.altered) == ("structure", "ok", {})
    assert found.detail == {
        "output_shape": [1, 10],
        "operations_by_kind": {"conv": 40_550_400, "linear": 640},
        "executed_beyond_model": [],
        "attention_forms": {},
    }
    assert found.settings["input_size"] == 32


def test_a_structure_finding_says_what_is_executed_beyond_the_model() -> None:
    found = measure_structure(load_catalog().task("aa-resnet50"))
    assert found.detail["attention_forms"] == {"explicit": 3, "fused": 10}  # 7x7; 14x14, of which four are pooled
    assert found.get("attention_share").value == pytest.approx(0.01874, abs=5e-6)  # type: ignore[union-attr]
    assert found.detail["executed_beyond_model"] == []
    values, detail = count_values(load_catalog().task("aa-resnet50"), 224, Way(batch=8, device="cuda"))
    [fused] = detail["executed_beyond_model"]
    assert detail["attention_forms"] == {"explicit": 3, "fused": 10}
    assert fused["operator"] == "scaled_dot_product_attention"
    assert sum(fused["why"].values()) == fused["executed"] - fused["model"]
    model, executed = (value.value for value in values if value.metric == "macs")
    assert executed - model == fused["executed"] - fused["model"]  # type: ignore[operator]
