"""Every mechanism in AAConv2d: gradients, half precision, devices, checkpoints, and what wrong options say."""

import pytest
import torch

from aabench.errors import AABenchError
from aabench.layers import AAConv2d, Mechanism
from aabench.layers.attention_augmented import MECHANISMS
from aabench.models import create_model

POSITIONS = {name: "none" if name in ("efficient", "linear") else "relative" for name in MECHANISMS}
EACH = pytest.mark.parametrize("mechanism", MECHANISMS)


def layer(mechanism, feature_size=(5, 9), seed=0, **options):
    torch.manual_seed(seed)
    given = {"kappa": 0.5, "upsilon": 0.5, "num_heads": 2, "min_key_channels": 0, "position": POSITIONS[mechanism]}
    return AAConv2d(4, 16, 3, feature_size=feature_size, mechanism=mechanism, **given | options)


def images(feature_size=(5, 9), batch=2):
    return torch.randn(batch, 4, *feature_size, generator=torch.Generator().manual_seed(1))


def test_those_that_take_no_relative_positions():
    without = [n for n, made in MECHANISMS.items() if issubclass(made, Mechanism) and not made.takes_relative]
    assert without == ["efficient", "linear"]


@pytest.mark.parametrize("position", ["relative", "none", "sine2d", "coordconv"])
@EACH
def test_every_parameter_gets_a_gradient(mechanism, position):
    if position == "relative" and POSITIONS[mechanism] == "none":
        with pytest.raises(
            ValueError, match=f"{mechanism} attention takes no relative positions; .* none, sine2d, coo"
        ):
            layer(mechanism, position=position)
        return
    aa = layer(mechanism, position=position)
    out = aa(images())
    assert out.shape == (2, 16, 5, 9)
    out.square().sum().backward()
    assert [name for name, p in aa.named_parameters() if p.grad is None or not p.grad.any()] == []


@EACH
def test_images_of_a_batch_do_not_mix(mechanism):
    aa, x = layer(mechanism).double(), images(batch=3).double()
    with torch.no_grad():
        torch.testing.assert_close(aa(x)[1:2], aa(x[1:2]))


@pytest.mark.parametrize("options", [{"stride": 2}, {"pooled": True}, {"feature_size": (1, 1)}], ids=str)
@EACH
def test_strides_pooling_and_the_smallest_map(mechanism, options):
    size = options.get("feature_size", (5, 9))
    out = layer(mechanism, **options)(images(size))
    assert out.shape[2:] == ((3, 5) if "stride" in options else size)
    assert out.isfinite().all()


@EACH
def test_a_checkpoint_reproduces_the_layer(mechanism):
    saved, other, x = layer(mechanism), layer(mechanism, seed=1), images()
    with torch.no_grad():
        assert not torch.equal(saved(x), other(x))
        other.load_state_dict(saved.state_dict())
        assert torch.equal(saved(x), other(x))


@EACH
def test_builds_and_runs_on_meta(mechanism):
    aa = layer(mechanism, device="meta")
    assert all(tensor.is_meta for tensor in (*aa.parameters(), *aa.buffers()))
    assert aa(torch.empty(2, 4, 5, 9, device="meta")).shape == (2, 16, 5, 9)


@pytest.mark.parametrize("cast", ["weights", "autocast"])
@EACH
def test_bf16_stays_near_fp32(mechanism, cast):
    aa, x = layer(mechanism, (14, 10)), images((14, 10))
    with torch.no_grad():
        expected = aa.attend(x)
        if cast == "weights":
            found = aa.bfloat16().attend(x.bfloat16())
            assert found.dtype == torch.bfloat16
        else:
            with torch.autocast("cpu", torch.bfloat16):
                found = aa.attend(x)
    # bf16 rounds by 1/256; five products follow each other at most.
    assert (found.float() - expected).abs().max() < 0.04 * expected.abs().max()


# In fp16 the products themselves, which grow with the square, must stay below 65,504.
@pytest.mark.parametrize(("dtype", "factor"), [("float32", 300), ("bfloat16", 300), ("float16", 10)])
@EACH
def test_large_inputs_give_finite_results_and_gradients(mechanism, dtype, factor):
    aa = layer(mechanism, (14, 10)).to(getattr(torch, dtype))
    x = (factor * images((14, 10))).to(getattr(torch, dtype)).requires_grad_()
    out = aa(x)
    out.mean().backward()
    assert out.isfinite().all()
    assert all(t.grad.isfinite().all() for t in (x, *aa.parameters()))


def test_the_size_of_a_mechanism_is_set_through_the_layer():
    cores = {name: layer(name, mechanism_size=3).core for name in ("performer", "linformer", "nystrom", "window")}
    assert cores["performer"].features.shape == (3, 4 + 5 + 9)  # d + H + W
    assert cores["linformer"].key_projection.shape == cores["linformer"].value_projection.shape == (3, 5 * 9)
    assert cores["nystrom"].size == 3
    assert cores["window"].scope == (3, 3)
    tables = layer("window", mechanism_size=3).position.parameters()
    assert [tuple(table.shape) for table in tables] == [(5, 4), (5, 4)]


def test_the_parameters_of_linformer_alone_grow_with_the_map():
    def parameters(name, size):
        return sum(p.numel() for p in layer(name, size, position="none").parameters())

    more = {name: parameters(name, (10, 9)) - parameters(name, (5, 9)) for name in MECHANISMS}
    # k is 64, or n where that is less.
    assert {name: n for name, n in more.items() if n} == {"linformer": 2 * 64 * 90 - 2 * 45 * 45}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mechanism": "nearest"},
            "exact, efficient, linear, performer, linformer, nystrom, axial, window, not 'nearest'",
        ),
        ({"mechanism": "exact", "mechanism_size": 8}, "AttentionCore has no size of its own, and 8 was given"),
        ({"mechanism": "axial", "mechanism_size": 8}, "AxialAttention has no size of its own, and 8 was given"),
        ({"mechanism": "nystrom", "mechanism_size": 0}, "the size of Nystromformer is at least 1, not 0"),
        ({"mechanism": "window", "attention": "fused"}, "form of the exact mechanism; leave it out with window"),
        ({"mechanism": "axial", "attention": "flash"}, "auto, explicit, fused, not 'flash'"),
    ],
)
def test_wrong_options_say_what_there_is(options, message):
    given = {"kappa": 0.5, "upsilon": 0.5, "num_heads": 2, **options}
    with pytest.raises(ValueError, match=message):
        AAConv2d(4, 8, 3, feature_size=(6, 5), **given)


def test_a_network_takes_mechanism_and_size_and_names_what_is_wrong():
    small = {"input_size": 32, "num_classes": 10, "width": 16, "num_heads": 1, "stem": "cifar", "device": "meta"}
    model = create_model("aa_resnet18", mechanism="performer", mechanism_size=12, **small)
    assert {core.size for core in model.modules() if isinstance(core, Mechanism)} == {12}
    for options, message in [
        ({"mechanism": "linear"}, "aa_resnet18 at 32x32 pixels: linear attention takes no relative positions"),
        ({"mechanism": "window", "attention": "explicit"}, "32x32 pixels: attention='explicit' is a form of the exact"),
    ]:
        with pytest.raises(AABenchError, match=message):
            create_model("aa_resnet18", **options, **small)
