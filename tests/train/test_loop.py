"""One optimizer step, averaged weights, and the sums of an epoch."""

import math

import pytest
import torch
from torch import nn

from aabench.errors import AABenchError
from aabench.train.loop import optimizer_step
from aabench.train.meter import Meter
from aabench.train.objective import split_labelled
from aabench.train.state import make_ema
from tests.train.small import recipe


def linear(classes=3):
    """A linear classifier of 1x1 images, without normalisation: batches can be split with no change."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(3, classes))


def batch(count=12, classes=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 1, 1, generator=generator), torch.arange(count) % classes


def step(model, optimizer, images, labels, recipe, **how):
    return optimizer_step(model, optimizer, split_labelled(images, labels, recipe, **how), recipe)


def stepped(**changes):
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    returned = step(model, optimizer, *batch(), recipe(batch_size=12, **changes))
    return model, returned


@pytest.mark.parametrize("accumulate", [2, 3, 12])
def test_accumulation_takes_the_same_step(accumulate):
    (whole, (loss, correct)), (split, (split_loss, split_correct)) = stepped(), stepped(accumulate=accumulate)
    torch.testing.assert_close(split[1].weight, whole[1].weight, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(split_loss, loss)
    assert split_correct == correct


def test_losses_are_summed_over_images():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 8))
    nn.init.zeros_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_sum, correct = step(model, optimizer, *batch(8, classes=8), recipe(batch_size=8))
    assert loss_sum.item() == pytest.approx(8 * math.log(8), rel=1e-6)
    assert correct.item() == 1  # equal logits: the first class is taken, and one image has it


def test_label_smoothing_by_hand():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    nn.init.zeros_(model[1].weight)
    model[1].bias.data = torch.tensor([math.log(3.0), 0.0])  # probabilities 3/4 and 1/4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    images = torch.zeros(1, 3, 1, 1)
    loss_sum, _ = step(model, optimizer, images, torch.tensor([0]), recipe(label_smoothing=0.2))
    # 0.9 of the label's loss and 0.1 of the other's.
    assert loss_sum.item() == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4), rel=1e-6)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_clipping_bounds_the_whole_steps_length(accumulate):
    before = linear()
    model, _ = stepped(clip_norm=1e-3, accumulate=accumulate)
    moved = [(a - b).flatten() for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    assert torch.cat(moved).norm().item() == pytest.approx(0.5 * 1e-3, rel=1e-3)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_forward_pass(precision, dtype):
    seen = []
    model = linear()
    model[1].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loss_sum, _ = step(model, optimizer, *batch(), recipe(batch_size=12, precision=precision))
    assert seen == [dtype]
    assert loss_sum.dtype == torch.float32
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_memory_format_is_that_of_the_models_input():
    seen = []

    class Watcher(nn.Linear):
        def forward(self, x):
            seen.append(x.is_contiguous(memory_format=torch.channels_last))
            return super().forward(x.mean((2, 3)))

    model = Watcher(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = torch.zeros(4, 3, 2, 2), torch.tensor([0, 1, 2, 0])
    for channels_last in (False, True):
        step(model, optimizer, images, labels, recipe(batch_size=4), channels_last=channels_last)
    assert seen == [False, True]


def test_too_large_a_batch_says_what_to_do():
    class Hungry(nn.Linear):
        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = Hungry(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(
        AABenchError, match=r"a micro-batch of 6 images: split the recipe's batch of 12 into more than 2"
    ):
        step(model, optimizer, *batch(), recipe(batch_size=12, accumulate=2))


def test_averaged_weights_by_hand():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    ema = make_ema(model, decay=0.75)
    for weight, mean, count in ((8.0, 80.0, 5), (4.0, 40.0, 6), (12.0, 0.0, 9)):
        model[0].weight.data.fill_(weight)
        model[1].running_mean.fill_(mean)
        model[1].num_batches_tracked.fill_(count)
        ema.update_parameters(model)
    # Starts at 8; 0.75 x 8 + 0.25 x 4 = 7; 0.75 x 7 + 0.25 x 12 = 8.25. Likewise 80, 70, 52.5. Counters are the last.
    assert ema.module[0].weight.item() == 8.25
    assert ema.module[1].running_mean.item() == 52.5
    assert ema.module[1].num_batches_tracked.item() == 9


def test_the_meter_sums_an_epoch():
    meter = Meter("cpu")
    meter.add(1, 4, torch.tensor(6.0), torch.tensor(1))
    before = meter.totals()
    meter.add(2, 4, torch.tensor(2.0), torch.tensor(3))
    meter.seconds = 2.0
    totals = meter.totals()
    assert (totals.loss, totals.top1, totals.images_per_second) == (1.0, 50.0, 4.0)
    assert totals.since(before).loss == 0.5
    assert meter.first_bad_step() is None

    restored = Meter("cpu")
    restored.load_state_dict(meter.state_dict())
    assert restored.totals() == totals
    meter.reset()
    assert meter.totals() == (0, 0, 0, 0)


def test_the_meter_remembers_the_first_bad_step():
    meter = Meter("cpu")
    for step, loss in ((1, 1.0), (2, math.inf), (3, 1.0), (4, math.nan)):
        meter.add(step, 4, torch.tensor(loss), torch.tensor(0))
    assert meter.first_bad_step() == 2
