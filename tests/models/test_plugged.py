"""Networks with attention plugged in: their published sizes, their forms, and DIA's state."""

import pytest
import torch

from aabench.errors import AABenchError
from aabench.layers import DenseImplicitAttention, SqueezeExcite
from aabench.models import create_model
from aabench.models.scheme import parse_scheme

PARAMETERS = {
    # ean.md section 3: plain, SE org and share, SGE org and share, CBAM org and share, DIA
    ("plugged_cifar_resnet", 32, 100, 4): (
        *(1_727_284, 1_929_388, 1_738_512, 1_734_196, 1_727_668, 1_934_788, 1_738_812, 1_946_132),
    ),
    ("plugged_cifar_resnet", 32, 10, 4): (
        *(1_704_154, 1_906_258, 1_715_382, 1_711_066, 1_704_538, 1_911_658, 1_715_682, 1_923_002),
    ),
    ("plugged_resnet50", 224, 1000, 20): (
        *(25_583_592, 28_114_584, 26_283_992, 25_585_640, 25_584_104, 28_116_184, 26_284_392, 28_384_612),
    ),
    ("plugged_resnet101", 224, 1000, 20): (
        *(44_601_832, 49_379_544, 45_302_232, 44_606_056, 44_602_344, 49_382_844, 45_302_632, 47_402_852),
    ),
}
FORMS = [("none", "share"), *((name, form) for name in ("se", "sge", "cbam") for form in ("org", "share"))]


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("network", "expected"), PARAMETERS.items())
def test_parameters_of_the_sheet(network, expected):
    name, size, classes, reduction = network
    options = {"input_size": size, "num_classes": classes, "device": "meta"}
    found = [parameters(create_model(name, attention=a, sharing=s, **options)) for a, s in FORMS]
    found.append(parameters(create_model(name, attention="dia", reduction=reduction, **options)))
    assert tuple(found) == expected


@pytest.mark.parametrize(("attention", "scheme"), [("se", "2,2,51,1"), ("sge", "4,11,19,3"), ("dia", "6,3,50,3")])
def test_a_published_scheme_has_the_parameters_of_share(attention, scheme):
    shared = {"attention": attention, "input_size": 224, "num_classes": 1000, "device": "meta"}
    share, ean = (create_model("plugged_resnet50", scheme=s, **shared) for s in ("all", scheme))
    assert parameters(ean) == parameters(share)


def small(**arguments):
    torch.manual_seed(0)
    options = {"input_size": 16, "num_classes": 5, "depth": 20, "width": 8, **arguments}
    return create_model("plugged_cifar_resnet", **options)


def test_shared_is_one_module_a_stage_and_org_one_a_block():
    def owners(model):
        return [name for name, module in model.named_modules() if isinstance(module, SqueezeExcite)]

    assert owners(small(attention="se")) == [f"stages.{stage}.attention.shared" for stage in range(3)]
    org = owners(small(attention="se", sharing="org"))
    assert org == [f"stages.{stage}.attention.{block}" for stage in range(3) for block in range(2)]


def test_no_module_where_no_block_is_connected():
    model = small(attention="se", scheme="01 00 11")
    assert [len(stage.attention) for stage in model.stages] == [1, 0, 1]
    assert [list(stage.attention) for stage in small(attention="se", sharing="org", scheme="01 00 11").stages] == [
        ["1"],
        [],
        ["0", "1"],
    ]


def calls(model, kind):
    """By stage, how often its module runs in one forward pass."""
    counts = {}
    for name, module in model.named_modules():
        if isinstance(module, kind):
            counts[name] = 0

            def count(*_, name=name):
                counts[name] += 1

            module.register_forward_hook(count)
    model.eval()(torch.randn(1, 3, 16, 16))
    return list(counts.values())


def test_attention_runs_at_connected_blocks_only():
    model = small(attention="se")
    assert calls(model, SqueezeExcite) == [2, 2, 2]
    model = small(attention="se")
    model.scheme = parse_scheme("01 00 11", model.depths)
    assert calls(model, SqueezeExcite) == [1, 0, 2]


@pytest.mark.parametrize("attention", ["se", "sge", "dia", "cbam"])
def test_a_supernet_without_connections_computes_what_the_plain_network_does(attention):
    extra = {"groups": 8} if attention == "sge" else {"reduction": 4}
    model, plain = small(attention=attention, **extra).eval(), small().eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, 3, 16, 16)
    connected = model(x)
    model.scheme = parse_scheme("0,0,0", model.depths)
    torch.testing.assert_close(model(x), plain(x), rtol=0, atol=0)
    assert not torch.allclose(connected, model(x))


def test_a_scheme_set_on_a_supernet_computes_what_a_network_built_with_it_does():
    built, supernet = small(attention="dia", scheme="01 10 11", reduction=4).eval(), small(attention="dia", reduction=4)
    built.load_state_dict(supernet.state_dict())
    supernet.eval().scheme = built.scheme
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(supernet(x), built(x), rtol=0, atol=0)


def test_dias_state_starts_anew_in_each_stage_and_skips_unconnected_blocks():
    model = create_model(
        "plugged_cifar_resnet", input_size=16, num_classes=5, depth=29, width=8, attention="dia", scheme="101 011 110"
    )
    seen = []
    for stage in model.stages:
        for module in stage.modules():
            if isinstance(module, DenseImplicitAttention):
                module.register_forward_hook(lambda m, args, out: seen.append((args[1], out[1])))
    model.eval()(torch.randn(1, 3, 16, 16))
    assert len(seen) == 6
    for first, second in (seen[0:2], seen[2:4], seen[4:6]):
        assert first[0] is None
        assert second[0] is first[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "dia", "sharing": "org"}, "DIA has no form org"),
        ({"attention": "eca"}, "attention is one of none, se, sge, dia, cbam, not 'eca'"),
        ({"attention": "se", "sharing": "both"}, "sharing is org or share, not 'both'"),
        ({"scheme": "1,1,1"}, "attention is none"),
        ({"attention": "se", "scheme": "101"}, "'101' has 3 bits, and the network 6 blocks"),
        ({"attention": "se", "scheme": "1,1,4"}, "4 is too large for stage 3"),
        ({"attention": "se", "scheme": "unspecified"}, "the scheme is unspecified"),
        ({"depth": 21}, "depth is 9 n . 2"),
        ({"attention": "sge"}, "32 channels cannot be split into 64 groups"),
    ],
)
def test_what_cannot_be_built_says_why(arguments, message):
    with pytest.raises(AABenchError, match=message):
        small(**arguments)


@pytest.mark.parametrize(
    ("scheme", "message"),
    [(((True,), (True,), (True,)), "does not fit stages of 2, 2, 2"), (((True, True),) * 3, "built without")],
)
def test_a_scheme_that_cannot_be_set_says_why(scheme, message):
    model = small(attention="se", scheme="01 11 11")
    with pytest.raises(ValueError, match=message):
        model.scheme = scheme


def test_a_detector_takes_the_maps_of_all_stages_at_any_size():
    arguments = {"attention": "dia", "scheme": "6,3,50,3", "reduction": 20, "device": "meta"}
    model = create_model("plugged_resnet50", input_size=224, num_classes=1000, **arguments)
    maps = [tuple(found.shape[1:]) for found in model.features(torch.empty(1, 3, 320, 416, device="meta"))]
    assert maps == [(256, 80, 104), (512, 40, 52), (1024, 20, 26), (2048, 10, 13)]


def supernet():
    return small(attention="se", scheme="random", depth=29)


def test_a_supernet_connects_each_block_in_half_of_the_steps():
    model = supernet().train()
    rows = []
    for _ in range(400):
        model.reconnect()
        rows.append([flag for stage in model.scheme for flag in stage])
    share = torch.tensor(rows).double().mean(0)
    assert ((share - 0.5).abs() < 4 * 0.5 / 20).all()  # four standard deviations
    assert len({tuple(row) for row in rows}) > 200  # of 512


def test_a_supernet_is_scored_with_all_blocks_connected():
    model = supernet().train()
    model.reconnect()
    model.eval()
    assert model.scheme == ((True,) * 3,) * 3


def test_only_a_supernet_is_reconnected():
    model = small(attention="se").train()
    state = torch.get_rng_state()
    model.reconnect()
    assert model.scheme == ((True,) * 2,) * 3
    assert torch.equal(torch.get_rng_state(), state)
