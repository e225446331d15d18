"""MnasNet-A1 and its augmented version: the sheet's parameter counts, some of them by hand; where attention sits."""

import pytest
import torch

from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.models.mnasnet import scaled


def build(name="aa_mnasnet_a1", input_size=224, num_classes=1000, **arguments):
    return create_model(name, input_size=input_size, num_classes=num_classes, device="meta", **arguments)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("width", "base", "added"), [(0.75, 2.912, 0.102), (1.0, 3.887, 0.174), (1.25, 5.255, 0.274), (1.4, 6.106, 0.335)]
)
def test_parameters_of_the_sheet_at_224_pixels(width, base, added):
    plain, augmented = (parameters(build(name, width=width)) for name in ("mnasnet_a1", "aa_mnasnet_a1"))
    assert round(plain / 1e6, 3) == base
    assert round((augmented - plain) / 1e6, 3) == added


def test_blocks_of_every_kind_by_hand():
    stages = build("mnasnet_a1").stages
    # 3x3 by channel of 32, 1x1 to 16; two numbers a channel for each normalisation.
    assert parameters(stages[0][0]) == 32 * 9 + 2 * 32 + 32 * 16 + 2 * 16
    # 16 -> 96 -> 24
    assert parameters(stages[1][0]) == 16 * 96 + 2 * 96 + 96 * 9 + 2 * 96 + 96 * 24 + 2 * 24
    # 24 -> 72 -> 40, 5x5; Squeeze-and-Excite through 24 / 4 = 6 channels, with biases.
    excite = 72 * 6 + 6 + 6 * 72 + 72
    assert parameters(stages[2][0]) == 24 * 72 + 2 * 72 + 72 * 25 + 2 * 72 + excite + 72 * 40 + 2 * 40
    assert [len(stage) for stage in stages] == [1, 2, 3, 4, 2, 3, 1]


def test_an_augmented_expansion_by_hand():
    # 80 -> 480 at 14x14: dk = 48, dv = 24 in 4 heads; q, k, v; dv x dv out; two tables of 27 offsets, 12 channels.
    layer = build().stages[3][1].widen[0]
    assert parameters(layer) == 80 * (480 - 24) + 80 * (48 + 48 + 24) + 24 * 24 + 2 * 27 * 12


@pytest.mark.parametrize("width", [1.25, 1.4])
def test_attention_in_the_last_13_blocks_at_the_resolution_of_their_input(width):
    augmented = {n: m for n, m in build(width=width).named_modules() if hasattr(m, "attention_size")}
    assert [name.removeprefix("stages.").removesuffix(".widen.0") for name in augmented] == [
        *("2.0", "2.1", "2.2"),
        *("3.0", "3.1", "3.2", "3.3"),
        *("4.0", "4.1", "5.0", "5.1", "5.2", "6.0"),
    ]
    sizes = [(m.feature_size[0], m.attention_size[0]) for m in augmented.values()]
    assert sizes == [(56, 28)] + [(28, 14)] * 3 + [(14, 14)] * 6 + [(7, 7)] * 3


@pytest.mark.parametrize("width", [0.75, 1.0])
def test_the_first_of_the_13_has_no_value_channel_at_small_widths(width):
    # .05 of 72 hidden channels is 3.6: less than one for each of the 4 heads.
    model = build(width=width)
    assert isinstance(model.stages[2][0].widen[0], torch.nn.Conv2d)
    assert sum(hasattr(m, "attention_size") for m in model.modules()) == 12


@pytest.mark.parametrize(("width", "added"), [(0.75, 0.102), (1.0, 0.174)])
def test_one_value_channel_a_head_in_that_block_would_add_the_same_to_the_digits_of_the_sheet(width, added):
    # Keys 4, values 4: from 24 -> 72 channels to 24 -> 68, q, k, v; 4 x 4 out; two tables of 55 offsets, 1 channel.
    more = 24 * 68 - 24 * 72 + 24 * 12 + 4 * 4 + 2 * 55
    assert more == 318
    plain, augmented = (parameters(build(name, width=width)) for name in ("mnasnet_a1", "aa_mnasnet_a1"))
    assert round((augmented + more - plain) / 1e6, 3) == added


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    # 12 -> 16, as halves go up; 18 -> 16 would lose more than a tenth; 33.6 -> 32 does not.
    [(16, 0.75, 16), (24, 0.75, 24), (24, 1.4, 32), (112, 1.4, 160), (40, 1.25, 48), (16, 0.25, 8), (320, 1.0, 320)],
)
def test_channels_are_multiples_of_8(channels, width, expected):
    assert scaled(channels, width) == expected


def test_the_first_block_and_those_that_change_shape_have_no_skip():
    adding = [[block.adds_input for block in stage] for stage in build("mnasnet_a1").stages]
    assert adding == [
        [False],
        [False, True],
        [False, True, True],
        [False, True, True, True],
        [False, True],
        [False, True, True],
        [False],
    ]


def test_dropout_works_in_training_only():
    torch.manual_seed(0)
    model = create_model("mnasnet_a1", input_size=32, num_classes=4, width=0.25, dropout=0.5).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(x), model(x))
        model.dropout.train()
        assert not torch.equal(model(x), model(x))


def test_keys_need_a_channel_a_head():
    with pytest.raises(AABenchError, match="of 96 channels in 4 heads give dk=0"):
        build(width=1.25, kappa=0.01)
