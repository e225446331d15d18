"""Schemes scored together by a supernet's weights: what each one scores alone, at less cost."""

import itertools

import pytest
import torch

from aabench.data import Transform, synthetic_cifar
from aabench.evaluate import evaluate
from aabench.models import create_model
from aabench.models.plugged import Block
from aabench.models.scheme import from_flags
from aabench.search.evaluation import SupernetEvaluator, logits_of_schemes, shares_of_networks

TRANSFORM = Transform("cifar100", (8, 8))
SCHEMES = [tuple(flags) for flags in itertools.product((False, True), repeat=3)]
CLASSES = 4


def supernet(attention="se", network="plugged_cifar_resnet", **arguments):
    """Three blocks, with statistics and weights as after some training."""
    torch.manual_seed(0)
    sizes = {"depth": 11, "width": 16, "reduction": 4, **arguments}
    model = create_model(network, input_size=8, num_classes=CLASSES, attention=attention, **sizes)
    for _ in range(3):
        model.train()(torch.randn(16, 3, 8, 8) * 2)
    return model.eval()


def held_out(images_per_class=75):  # 300 images: more than one batch
    return synthetic_cifar(CLASSES, "test", images_per_class=images_per_class)


def alone(model, flags):
    model.scheme = from_flags(flags, model.depths)
    scores = evaluate(model, held_out(), transform=TRANSFORM)
    model.scheme = from_flags((True,) * 3, model.depths)
    return scores


@pytest.mark.parametrize(
    "make",
    [
        *(lambda name=name: supernet(name) for name in ("se", "dia", "cbam")),
        lambda: supernet("sge", groups=16),
        lambda: supernet("dia", "plugged_preresnet"),
        lambda: supernet("dia", "plugged_wide_resnet", depth=10, width=1),
    ],
    ids=["se", "dia", "cbam", "sge", "preresnet", "wrn"],
)
def test_schemes_in_one_pass_have_the_logits_of_each_alone(make):
    model, x = make(), torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        together = dict(logits_of_schemes(model, x, SCHEMES))
        for flags in SCHEMES:
            model.scheme = from_flags(flags, model.depths)
            assert torch.equal(together[flags], model(x)), flags
    assert len({tuple(logits.flatten().tolist()) for logits in together.values()}) == len(SCHEMES)


def test_scores_are_those_of_an_evaluation():
    model = supernet("dia")
    found = SupernetEvaluator(model, held_out(), transform=TRANSFORM)(SCHEMES)
    assert found.keys() == set(SCHEMES)
    for flags, score in found.items():
        assert score.top1 == score.accuracy == alone(model, flags).top1_percent


def test_scores_do_not_depend_on_what_is_scored_with_them():
    evaluator = SupernetEvaluator(supernet(), held_out(), transform=TRANSFORM)
    one = evaluator([SCHEMES[5]])
    assert evaluator(SCHEMES)[SCHEMES[5]].top1 == one[SCHEMES[5]].top1


def test_schemes_that_differ_at_the_last_two_blocks_only_are_scored_besides():
    model = supernet("dia")
    found = SupernetEvaluator(model, held_out(), transform=TRANSFORM)([(True, False, True)])
    assert found.keys() == {(True, *end) for end in itertools.product((False, True), repeat=2)}
    # The first and the second block once, the third one twice.
    assert sum(score.image_forwards for score in found.values()) == pytest.approx(300 * 4 / 3)
    for flags, score in found.items():
        assert score.top1 == alone(model, flags).top1_percent


def count_blocks(model, counted):
    """Blocks that are run, in a list of one number."""
    ran = [0]
    for module in model.modules():
        if isinstance(module, Block):
            module.register_forward_hook(lambda *_: ran.__setitem__(0, ran[0] + 1))
    counted()
    return ran[0]


@pytest.mark.parametrize(
    ("schemes", "blocks"),
    [
        ([(True, True, True)], 3),
        # 000, 001: blocks 1 to 3 once, since they differ after the third one's convolutions.
        ([(False, False, False), (False, False, True)], 3),
        # 0.., 1..: the first block once, then two of each.
        ([(False, False, False), (True, False, True)], 5),
        (SCHEMES, 1 + 2 + 4),
    ],
)
def test_what_schemes_have_in_common_is_run_once_and_counted_so(schemes, blocks):
    model = supernet()
    with torch.no_grad():
        assert count_blocks(model, lambda: list(logits_of_schemes(model, torch.zeros(1, 3, 8, 8), schemes))) == blocks
    assert sum(shares_of_networks(schemes).values()) == pytest.approx(blocks / 3)


def test_expected_accuracy_is_the_mean_probability_after_recalibration():
    model, calibration = supernet(), synthetic_cifar(CLASSES, "train", images_per_class=64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluator = SupernetEvaluator(model, held_out(), transform=TRANSFORM, calibration=calibration)
    all_of_it, none_of_it = evaluator([(True,) * 3, (False,) * 3]).values()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all_of_it.accuracy != none_of_it.accuracy
    assert all_of_it.image_forwards == 300 + 256

    # By hand: the statistics are plain means over the batches that are shown.
    fresh = supernet()
    for module in fresh.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    fresh.train()
    with torch.no_grad():
        for batch in calibration.epoch(0, 0, 128, range(2)):
            fresh(TRANSFORM(batch.images))
        fresh.eval()
        data = held_out()
        probabilities = fresh(TRANSFORM(data.images)).double().softmax(1)
    expected = 100 * float(probabilities.gather(1, data.labels[:, None]).mean())
    assert all_of_it.accuracy == pytest.approx(expected, rel=1e-5)


def test_progress_is_told():
    seen = []
    SupernetEvaluator(supernet(), held_out(), transform=TRANSFORM, on_batch=lambda *done: seen.append(done))(SCHEMES)
    assert seen == [(256, 300), (300, 300)]
