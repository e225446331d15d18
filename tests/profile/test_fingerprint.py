"""The grid of settings that AW-convolution's paper may have: its counts, and which of them a printed number leaves."""

import inspect
from functools import cache

import pytest

from aabench.catalog import Task
from aabench.catalog.schema import Quantity
from aabench.errors import AABenchError
from aabench.models import attention_weighted, create_model
from aabench.models.attention_weighted import GRID, WITHOUT_TRACE
from aabench.profile import count, count_settings
from aabench.profile.counting import formula_macs

DEFAULT = {
    "aw_reduction": 16,
    "aw_expansion": "input",
    "aw_norm": False,
    "aw_bias": False,
    "aw_placement": "3x3",
}


def task(model, data="imagenet", input_size=224, **arguments):
    named = {"model": model, "input_size": "ours", "normalisation": "ours", **dict.fromkeys(arguments, "ours")}
    return Task(
        name="tried",
        paper="awconv",
        model=model,
        arguments=arguments,
        data=data,
        input_size=input_size,
        normalisation="imagenet",
        source=named,
    )


@cache
def of(model, **arguments):
    """The whole grid of a network, once a session."""
    return count_settings(task(model, **arguments))


def small():
    return of("aw_resnet18", data="cifar100", input_size=32, width=32)


def printed(text):
    return Quantity.model_validate(text)


def test_the_grid_is_the_sheets_table_with_our_defaults_first():
    assert GRID == {
        "aw_reduction": (16, 4, 8, 32),
        "aw_expansion": ("input", "output", "none"),
        "aw_norm": (False, True),
        "aw_bias": (False, True),
        "aw_placement": ("3x3", "all"),
    }
    assert WITHOUT_TRACE == {"aw_gate": ("sigmoid", "tanh", "none"), "aw_residual": (True, False)}
    parameters = inspect.signature(attention_weighted.NETWORKS["aw_resnet50"]).parameters
    defaults = {name: values[0] for name, values in {**GRID, **WITHOUT_TRACE}.items()}
    assert {name: parameter.default for name, parameter in parameters.items() if name.startswith("aw_")} == defaults


def test_every_setting_is_there_once_by_parameters():
    found = small()
    assert found.unbuilt == ()
    assert len({tuple(setting.arguments.items()) for setting in found.settings}) == len(found.settings) == 96
    params = [setting.params for setting in found.settings]
    assert params == sorted(params)
    assert [setting.arguments for setting in found.settings if setting.is_default] == [DEFAULT]


def test_the_parameters_of_the_sheet():
    by_arguments = {tuple(setting.arguments.values()): setting.params for setting in of("aw_resnet101").settings}
    params = {
        (reduction, placement): by_arguments[reduction, "input", False, False, placement]
        for reduction in (4, 8, 16, 32)
        for placement in ("3x3", "all")
    }
    assert params == {
        (4, "3x3"): 45_734_952,
        (8, "3x3"): 45_142_056,
        (16, "3x3"): 44_845_608,
        (32, "3x3"): 44_697_384,
        (4, "all"): 59_334_696,
        (8, "all"): 51_941_928,
        (16, "all"): 48_245_544,
        (32, "all"): 46_397_352,
    }


def test_a_printed_number_of_parameters():
    found = of("aw_resnet101").matching(printed("44.85 M"), None)
    # [44.845 M, 44.855 M): with both norm and bias it is 44,855,260. As many maps an input channel as an output channel
    # in every 3x3 convolution of a bottleneck: the two axes cost the same.
    assert [setting.params for setting in found] == [44_845_608] * 2 + [44_846_624] * 2 + [44_854_244] * 2
    assert found[0].arguments == DEFAULT
    assert {setting.arguments["aw_reduction"] for setting in found} == {16}
    assert {setting.arguments["aw_placement"] for setting in found} == {"3x3"}
    assert {setting.arguments["aw_expansion"] for setting in found} == {"input", "output"}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"aw_reduction": 4, "aw_expansion": "none", "aw_norm": True},
        {"aw_expansion": "output", "aw_bias": True, "aw_placement": "all"},
        {"aw_reduction": 32, "aw_expansion": "none", "aw_norm": True, "aw_bias": True, "aw_placement": "all"},
    ],
)
def test_multiply_adds_are_those_of_the_three_counters(arguments):
    model = create_model("aw_resnet18", input_size=32, num_classes=100, width=32, device="meta", **arguments)
    counted = count(model, 32)
    (setting,) = (s for s in small().settings if s.arguments == {**DEFAULT, **arguments})
    assert setting.params == counted.params
    assert setting.counts == {name: counted.in_convention(name) for name in ("macs", "flops")}


def test_the_formulas_alone_give_the_count_of_attention_too():
    model = create_model("aw_aa_resnet50", input_size=64, num_classes=10, width=16, num_heads=2, device="meta")
    assert formula_macs(model, 64) == count(model, 64).macs


def test_flops_land_in_either_convention():
    found = small()
    (default,) = (setting for setting in found.settings if setting.is_default)
    macs = default.counts["macs"]
    assert default.counts["flops"] == 2 * macs
    for factor, convention in ((1, "macs"), (2, "flops")):
        number = printed(f"{factor * macs / 1e9:.9f} GFLOPs")
        landed = found.matching(None, number)
        assert default in landed
        assert {setting.landing(number) for setting in landed} == {(convention,)}
        # The gate, the residual, norm and bias are not seen; nor is the axis of expansion where C1 = C2.
        assert {setting.arguments["aw_reduction"] for setting in landed} == {16}


def test_a_wide_interval_can_hold_both_conventions():
    found = of("aw_resnet101")
    number = printed("20 GFLOPs")  # [19.5, 20.5) G
    assert not any({"macs", "flops"} <= set(setting.landing(number)) for setting in found.settings)
    number = printed("0 GFLOPs")  # below 0.5 G
    both = small().settings[0]
    assert both.landing(number) == ("macs", "flops")


def test_two_numbers_intersect():
    found = of("aw_resnet101")
    params, flops = printed("44.85 M"), printed("7.80 GFLOPs")
    assert set(found.matching(params, flops)) == set(found.matching(params, None)) & set(found.matching(None, flops))
    assert len(found.matching(params, flops)) == 6
    assert found.matching(params, printed("15.7 GFLOPs")) == ()


def test_the_nearest_settings_of_a_number_that_none_has():
    found = of("aw_resnet101")
    below, above = found.around_params(printed("46.0 M"))
    assert below is not None
    assert above is not None
    assert (below.count, below.convention, below.others) == (45_749_176, None, 1)
    assert above.count == 46_397_352
    assert above.setting.arguments == {**DEFAULT, "aw_reduction": 32, "aw_placement": "all"}
    below, above = found.around_flops(printed("14.5 GFLOPs"))
    assert below is not None
    assert above is not None
    assert (below.convention, above.convention) == ("macs", "flops")
    assert below.setting.arguments["aw_expansion"] == "none"
    assert above.setting.arguments["aw_reduction"] == 32


def test_beyond_the_ends_there_is_none():
    below, above = small().around_params(printed("0 M"))
    assert below is None
    assert above is not None
    assert above.count == small().settings[0].params
    assert small().around_flops(printed("99 GFLOPs"))[1] is None


def test_the_interval_is_half_open():
    found = small()
    exact = found.settings[0].params
    at_low = printed(f"{(exact + 50) / 1e6:.4f} M")
    assert at_low.interval[0] <= exact < at_low.interval[1]
    for text, inside in (("0.5 M", True), ("0.4 M", False)):
        setting = type(found.settings[0])({}, 450_000, {"macs": 1, "flops": 2})
        assert (setting in type(found)((setting,), ()).matching(printed(text), None)) == inside


def test_a_setting_that_cannot_be_built_says_why():
    found = of("aw_plugged_cifar_resnet", data="cifar100", input_size=32, depth=11)
    assert {unbuilt.arguments["aw_reduction"] for unbuilt in found.unbuilt} == {32}
    assert (len(found.settings), len(found.unbuilt)) == (72, 24)
    assert {unbuilt.reason for unbuilt in found.unbuilt} == {"reduction is between 1 and the 16 channels, got 32"}


def test_the_arguments_of_the_task_stay():
    narrow, wide = (
        next(s for s in of("aw_resnet18", data="cifar100", input_size=32, width=width).settings if s.is_default)
        for width in (32, 48)
    )
    assert narrow.params < wide.params


@pytest.mark.parametrize(
    ("tried", "reason"),
    [
        (("resnet50", {}), r"tried has no AW-convolutions .*model resnet50.*aabench list --model 'aw_\*'"),
        (("aw_resnet18", {"widht": 8}), "tried can be built in no setting: .*takes no argument 'widht'"),
        (("aw_resnet18", {"width": 2}), "tried can be built in no setting: .*reduction is between 1 and the 2 channel"),
    ],
)
def test_what_has_no_fingerprint(tried, reason):
    model, arguments = tried
    with pytest.raises(AABenchError, match=reason):
        count_settings(task(model, **arguments))


def test_whoever_watches_sees_each_setting():
    seen = []

    def watched(settings):
        for arguments in settings:
            seen.append(dict(arguments))
            yield arguments

    count_settings(task("aw_resnet18", width=32, input_size=32), watched)
    assert len(seen) == 96
    assert seen[0] == DEFAULT
