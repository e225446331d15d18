"""What a forward pass executes: against numbers by hand, and against FlopCounterMode on a pass that really runs."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from aabench.errors import AABenchError
from aabench.layers import AAConv2d
from aabench.layers.attention_core import fused_attention
from aabench.models import create_model
from aabench.profile import Difference, Way, count, explain_executed
from aabench.profile.counters import flop_counter
from aabench.profile.workload import DTYPES


def augmented(**options: object) -> AAConv2d:
    """F_in 3, F_out 8 on a 6x5 map: n = 30, Nh = 2, dk = dv = 4, so d = e = 2."""
    given = {"kappa": 0.5, "upsilon": 0.5, "num_heads": 2, "min_key_channels": 0, "feature_size": (6, 5)} | options
    return AAConv2d(3, 8, 3, **given)


AROUND = 3_240 + 1_080 + 480 + 1_320  # convolution, queries to values, output, relative logits
FEATURES = 2 * 900 * (6 + 5)


def test_fused_attention_on_a_cpu_executes_what_the_definition_needs() -> None:
    found = explain_executed(augmented(attention="fused"), (6, 5))
    assert (found.macs, found.differences, found.attention_forms) == (13_320, (), {"fused": 1})
    assert ("aabench.chunked_attention", 7_200) in [(line.operator, line.executed) for line in found.operators]


def test_fused_attention_on_cuda_executes_position_features_and_padding() -> None:
    """Queries and keys of 2 + 6 + 5 = 13 channels are filled up to 16, values to 8."""
    found = explain_executed(augmented(attention="fused"), (6, 5), Way(device="cuda"))
    fused = Difference(
        "scaled_dot_product_attention",
        model=2 * 900 * 4,
        executed=2 * 900 * (16 + 8),
        why={"position features": FEATURES, "padding": 2 * 900 * (3 + 6)},
    )
    assert found.differences == (fused,)
    assert found.macs == AROUND + 2 * 900 * (16 + 8)
    assert found.attention_forms == {"fused": 1}


def test_without_relative_position_there_is_only_padding() -> None:
    found = explain_executed(augmented(attention="fused", position="none"), (6, 5), Way(device="cuda"))
    assert [line.why for line in found.differences] == [{"padding": 2 * 900 * (6 + 6)}]


def test_explicit_attention_executes_what_the_definition_needs() -> None:
    found = explain_executed(augmented(attention="explicit"), (6, 5))
    assert (found.macs, found.differences, found.attention_forms) == (13_320, (), {"explicit": 1})
    assert [(line.operator, line.model, line.executed) for line in found.operators] == [
        ("bmm", 1_320 + 7_200, 1_320 + 7_200),
        ("convolution", 4_800, 4_800),
    ]


@pytest.mark.parametrize(
    "way", [Way(), Way("train", 2, "bf16"), Way(device="cuda"), Way("train", device="cuda")], ids=str
)
@pytest.mark.parametrize(("size", "form"), [((13, 15), "explicit"), ((14, 14), "fused"), ((1, 196), "fused")])
def test_the_form_is_the_one_that_auto_takes(size: tuple[int, int], form: str, way: Way) -> None:
    found = explain_executed(augmented(attention="auto", feature_size=size), size, way)
    assert found.attention_forms == {form: 1}


@pytest.mark.parametrize("attention", ["explicit", "fused", "auto"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(
    ("mode", "dtype"), [("infer", "fp32"), ("infer", "bf16"), ("train", "fp32"), ("train", "bf16")]
)
def test_a_pass_that_really_runs_executes_the_same(mode: str, dtype: str, device: str, attention: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    arguments = {"depth": 10, "width": 1, "num_heads": 1, "attention": attention}
    model = create_model("aa_wide_resnet", input_size=32, num_classes=10, device=device, **arguments)
    way = Way(mode, 2, dtype, device)
    found = explain_executed(model, 32, way)
    if mode == "infer":
        model.eval().to(DTYPES[dtype])
    x = torch.zeros(2, 3, 32, 32, device=device, dtype=next(model.parameters()).dtype)
    autocast = torch.autocast(device, DTYPES[dtype], enabled=mode == "train" and dtype != "fp32")
    with torch.inference_mode(mode == "infer"), autocast, flop_counter() as counter:
        model(x)
    assert 2 * 2 * found.macs == counter.get_total_flops()
    assert sum(line.model for line in found.operators) == count(model.to(torch.float32), 32).macs


def test_a_training_step_of_the_fused_form_counts_its_backward_pass() -> None:
    # One head of 4 x 4 tokens, d = 3, e = 2: Q K^T and A V; then Q K^T again and the gradients of Q, K, V and A.
    q, k, v = (torch.zeros(1, 1, 16, c, requires_grad=True) for c in (3, 3, 2))
    with flop_counter() as counter:
        fused_attention(q, k, v, None, (4, 4)).sum().backward()
    assert counter.get_total_flops() == 2 * 16 * 16 * ((3 + 2) + 3 + (3 + 3 + 2 + 2))


@st.composite
def layers(draw: st.DrawFn) -> AAConv2d:
    heads = draw(st.integers(1, 3))
    key_channels, value_channels = heads * draw(st.integers(1, 5)), heads * draw(st.integers(1, 5))
    out_channels = 16
    with torch.device("meta"):
        return AAConv2d(
            3, out_channels, 3,
            feature_size=(draw(st.integers(1, 9)), draw(st.integers(1, 9))),
            stride=draw(st.integers(1, 2)),
            kappa=key_channels / out_channels,
            upsilon=value_channels / out_channels,
            num_heads=heads,
            min_key_channels=0,
            position=draw(st.sampled_from(["relative", "none", "coordconv"])),
            pooled=draw(st.booleans()),
            attention=draw(st.sampled_from(["explicit", "fused", "auto"])),
        )  # fmt: skip


ways = st.builds(
    Way,
    mode=st.sampled_from(["infer", "train"]),
    batch=st.integers(1, 300),
    dtype=st.sampled_from(["fp32", "bf16", "fp16"]),
    device=st.sampled_from(["cpu", "cuda"]),
)


@given(layer=layers(), way=ways)
@settings(max_examples=25, deadline=None)
def test_the_reasons_sum_to_the_difference_and_nothing_is_unexplained(layer: AAConv2d, way: Way) -> None:
    found = explain_executed(layer, layer.feature_size, way)
    assert sum(line.model for line in found.operators) == count(layer, layer.feature_size).macs
    assert sum(line.executed for line in found.operators) == found.macs
    for line in found.operators:
        assert sum(line.why.values()) == line.executed - line.model
        assert set(line.why) <= {"position features", "padding"}
        assert all(n > 0 for n in line.why.values())


class Calls(nn.Module):
    """A module that does what a test says."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def test_what_has_no_formula_is_a_line_of_its_own() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Calls(lambda x: x @ x), Calls(lambda x: x @ x))  # 4 channels x 5 x 5 x 5
    found = explain_executed(model, 5)
    assert found.macs == 5 * 5 * 3 * 4 + 500 + 500
    assert found.differences == tuple(Difference(f"bmm in {n} (Calls)", 0, 500, {"unexplained": 500}) for n in (1, 2))


def test_attention_of_an_unknown_module_stays_unexplained() -> None:
    model = nn.Sequential(Calls(lambda x: nn.functional.scaled_dot_product_attention(x, x, x)))
    [line] = explain_executed(model, 4).differences
    assert line.operator == "scaled_dot_product_attention in 0 (Calls)"
    assert line.why == {"unexplained": 3 * 4 * 4 * (4 + 4)}


def test_what_a_backend_leaves_out_does_not_cancel_what_another_layer_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    from aabench.profile import formulas
    from aabench.profile.formulas import Work

    monkeypatch.setitem(formulas.FORMULAS, Calls, lambda module, shapes: Work({"linear": 500}, 0))
    model = nn.Sequential(Calls(lambda x: x), Calls(lambda x: torch.cat([x, x]) @ torch.cat([x, x])))
    why = {line.operator: line.why for line in explain_executed(model, (5, 5), Way()).differences}
    assert why == {
        "none in 0 (Calls)": {"unexplained": -500},
        "bmm in 1 (Calls)": {"unexplained": 2 * 3 * 125 - 500},
    }


def test_work_that_does_not_grow_with_the_batch_is_an_error() -> None:
    model = nn.Sequential(Calls(lambda x: x + x.new_empty(1, 5) @ x.new_empty(5, 1)))
    assert explain_executed(model, 4).macs == 5
    with pytest.raises(AABenchError, match="5 multiply-adds of a batch of 2 are not 2 times"):
        explain_executed(model, 4, Way(batch=2))


def test_nothing_is_allocated_and_the_model_is_left_as_it_was() -> None:
    huge = create_model("aa_resnet50", input_size=1024, num_classes=10, device="meta", attention="explicit")
    # One attention map of the first augmented stage at this batch takes 128 TiB.
    assert explain_executed(huge, 1024, Way(batch=262_144)).macs == count(huge, 1024).macs
    model = nn.Sequential(augmented(attention="fused"), nn.BatchNorm2d(8)).eval()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    explain_executed(model, (6, 5), Way("train", 2, "bf16"))
    assert not model.training
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_map_too_small_to_train_on_names_the_module() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4))
    assert explain_executed(model, 2).macs == 48
    with pytest.raises(AABenchError, match=r"2x2 pixels: 1 \(BatchNorm2d\) on an input of 1x4x1x1 fails"):
        explain_executed(model, 2, Way("train"))
