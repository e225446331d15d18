"""The grid of settings that AW-convolution's paper may have: its counts, and which of them a printed number leaves."""

import inspect
from functools import cache
from unittest.mock import patch

import pytest

from aabench.catalog import Task
from aabench.catalog.schema import Quantity
from aabench.errors import AABenchError, NotMeasurable
from aabench.models import attention_weighted, create_model
from aabench.models.attention_weighted import GRID, WITHOUT_TRACE
from aabench.profile import Fingerprint, Setting, count, count_settings
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


TINY = {"model": "aw_plugged_cifar_resnet", "data": "cifar100", "input_size": 32, "depth": 11}
AXES = (("aw_expansion", ("input", "output")), ("aw_placement", ("3x3",)))


@cache
def of(model, grid=(), **arguments):
    """The grid of a network, or a part of it, once a session."""
    with patch.dict(GRID, dict(grid)):
        return count_settings(task(model, **arguments))


def small():
    return of(**TINY, width=32)


def resnet50():
    """Of its 3x3 convolutions, with A the same over one of the axes: a third of the grid, which is enough here."""
    return of("aw_resnet50", AXES)


def differing(setting):
    """The arguments that are not our default."""
    return {name for name, value in setting.arguments.items() if value != DEFAULT[name]}


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
    found = resnet50().settings
    by_reduction = {s.arguments["aw_reduction"]: s.params for s in found if differing(s) <= {"aw_reduction"}}
    assert by_reduction == {4: 26_185_768, 8: 25_871_400, 16: 25_714_216, 32: 25_635_624}


def test_a_printed_number_of_parameters():
    found = of("aw_resnet101", (*AXES, ("aw_reduction", (16, 8)))).matching(printed("44.85 M"), None)
    # [44.845 M, 44.855 M): with both norm and bias it is 44,855,260. Every 3x3 convolution of a bottleneck has as many
    # input as output channels, so that the two axes cost the same.
    assert [setting.params for setting in found] == [44_845_608] * 2 + [44_846_624] * 2 + [44_854_244] * 2
    assert found[0].arguments == DEFAULT
    assert {setting.arguments["aw_reduction"] for setting in found} == {16}
    assert [setting.arguments["aw_expansion"] for setting in found] == ["input", "output"] * 3


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
    model = create_model(
        "aw_plugged_cifar_resnet", input_size=32, num_classes=100, depth=11, width=32, device="meta", **arguments
    )
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
    setting = Setting({}, 1, {"macs": 600_000_000, "flops": 1_200_000_000})
    assert setting.landing(printed("1 GFLOPs")) == ("macs", "flops")  # [0.5 G, 1.5 G)
    assert setting.landing(printed("1.2 GFLOPs")) == ("flops",)
    assert setting.landing(printed("0.9 GFLOPs")) == ()


def test_the_interval_is_half_open():
    assert Setting({}, 1, {"macs": 50_000_000}).landing(printed("0.1 GFLOPs")) == ("macs",)  # [0.05 G, 0.15 G)
    assert Setting({}, 1, {"macs": 150_000_000}).landing(printed("0.1 GFLOPs")) == ()
    ends = tuple(Setting({}, params, {}) for params in (25_849_999, 25_850_000, 25_949_999, 25_950_000))
    assert Fingerprint(ends, ()).matching(printed("25.9 M"), None) == ends[1:3]


def test_two_numbers_intersect():
    found = resnet50()
    # r = 16 and a branch that is not expanded over all: 25,714,216 and up, and 4.09 GMACs for all four.
    both = found.matching(printed("25.71 M"), printed("4.1 GFLOPs"))
    assert both == found.matching(printed("25.71 M"), None)
    assert 0 < len(both) < len(found.matching(None, printed("4.1 GFLOPs")))
    assert found.matching(printed("25.71 M"), printed("9.9 GFLOPs")) == ()


def test_the_nearest_settings_of_a_number_that_none_has():
    below, above = resnet50().around_params(printed("26.0 M"))
    assert below is not None
    assert above is not None
    assert below.setting.arguments == {**DEFAULT, "aw_reduction": 8, "aw_norm": True, "aw_bias": True}
    # The same, with one map an input channel.
    assert (below.convention, below.others) == (None, 1)
    assert (above.count, above.others) == (26_185_768, 1)
    assert above.setting.arguments == {**DEFAULT, "aw_reduction": 4}


def test_the_nearest_flops_are_of_either_convention():
    below, above = resnet50().around_flops(printed("7.9 GFLOPs"))
    assert below is not None
    assert above is not None
    assert (below.convention, above.convention) == ("macs", "flops")
    assert below.count < 7_850_000_000 < 7_950_000_000 <= above.count
    # The settings that cost most and least: norm, bias and the axis are not seen.
    assert (below.setting.arguments, below.others) == ({**DEFAULT, "aw_reduction": 4}, 7)
    assert (above.setting.arguments, above.others) == ({**DEFAULT, "aw_reduction": 32}, 7)


def test_beyond_the_ends_there_is_none():
    below, above = small().around_params(printed("0 M"))
    assert below is None
    assert above is not None
    assert above.count == small().settings[0].params
    assert small().around_flops(printed("99 GFLOPs"))[1] is None


def test_a_setting_that_cannot_be_built_says_why():
    found = of(**TINY, grid=(("aw_norm", (False,)), ("aw_bias", (True,))), width=16)
    assert {unbuilt.arguments["aw_reduction"] for unbuilt in found.unbuilt} == {32}
    assert (len(found.settings), len(found.unbuilt)) == (18, 6)
    assert {unbuilt.reason for unbuilt in found.unbuilt} == {"reduction is between 1 and the 16 channels, got 32"}


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


def test_a_task_that_is_blocked_says_why():
    blocked = task("aw_detector").model_copy(update={"blocked": "it needs a detector"})
    with pytest.raises(NotMeasurable, match="tried cannot be counted here: it needs a detector"):
        count_settings(blocked)


def test_whoever_watches_sees_each_network():
    seen = []

    def watched(networks):
        assert len(networks) == 4
        for arguments in networks:
            seen.append(arguments)
            yield arguments

    with patch.dict(GRID, {"aw_reduction": (16, 4), "aw_expansion": ("input",)}):
        assert len(count_settings(task(**TINY), watched).settings) == 16
    assert seen[0] == {"aw_reduction": 16, "aw_expansion": "input", "aw_placement": "3x3"}
    assert len(seen) == 4
