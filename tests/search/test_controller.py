"""Controller and curiosity networks: their sizes, and what they say for given weights."""

import math
from collections import Counter

import pytest
import torch
from torch import nn

from aabench.search.controller import Controller
from aabench.search.curiosity import Curiosity, shared
from tests.search.tables import controller_of

# Probabilities of "connected": 3/4, 1/2 and 1/5.
LOGITS = ((0.0, math.log(3)), (0.0, 0.0), (math.log(4), 0.0))


def test_the_published_controller_has_2682_parameters():
    controller = Controller(16, inputs=20, hidden=50, temperature=5.0)
    assert sum(parameter.numel() for parameter in controller.parameters()) == 2682


def linears(net):
    return [tuple(layer.weight.T.shape) for layer in net if isinstance(layer, nn.Linear)]


def test_the_published_curiosity_networks():
    curiosity = Curiosity(16, weight=1.0, share="summed", lr=0.05)
    assert linears(curiosity.target) == [(16, 32), (32, 32), (32, 64)]
    assert linears(curiosity.predictor) == [(16, 32), (32, 64)]
    for net in (curiosity.target, curiosity.predictor):
        assert isinstance(net[-1], nn.Linear), "nothing after the last layer"
        assert sum(isinstance(layer, nn.ReLU) for layer in net) == len(linears(net)) - 1


def test_log_probabilities_of_choices():
    schemes = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    # ln 3/4, ln 1/2, ln 1/5 and ln 1/4, ln 1/2, ln 4/5
    expected = torch.tensor([[-0.2876821, -0.6931472, -1.6094379], [-1.3862944, -0.6931472, -0.2231436]])
    torch.testing.assert_close(controller_of(LOGITS).of_choices(schemes), expected)


def test_the_temperature_divides_the_logits():
    hot = controller_of(LOGITS)
    hot.temperature = 1.0  # the logits are written for 5: now they count five times, and odds are 3^5 = 243 and 4^5
    torch.testing.assert_close(hot.probabilities(), torch.tensor([243 / 244, 1 / 2, 1 / 1025]))


def test_the_entropy_is_summed_over_blocks():
    # -(3/4 ln 3/4 + 1/4 ln 1/4) + ln 2 - (1/5 ln 1/5 + 4/5 ln 4/5) = 0.5623351 + 0.6931472 + 0.5004024
    assert controller_of(LOGITS).entropy().item() == pytest.approx(1.7558847, abs=1e-6)


def test_schemes_are_drawn_with_these_probabilities_and_blocks_independently():
    drawn = controller_of(LOGITS).sample(20_000, torch.Generator().manual_seed(0))
    counts = Counter(drawn)
    for flags, probability in {
        (True, False, False): 0.3,
        (True, True, True): 0.075,
        (False, False, True): 0.025,
    }.items():
        # Four standard errors of a share of 20,000 are at most 0.013.
        assert counts[flags] / len(drawn) == pytest.approx(probability, abs=0.013)


def test_most_probable_and_a_tie():
    assert controller_of(LOGITS).most_probable() == (True, False, False)


SCHEMES = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


def output(net, row):
    """Of linear layers with ReLU between, in float64."""
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(layers):
        row = layer.weight.detach().double() @ row + layer.bias.detach().double()
        row = row if number == len(layers) - 1 else row * (row > 0)
    return row


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_bonus_is_the_squared_error(weight):
    nets = {share: _curiosity(share, weight) for share in ("own", "summed")}
    net = nets["own"]
    own = [float(((output(net.target, row) - output(net.predictor, row)) ** 2).sum()) for row in SCHEMES.double()]
    assert net.bonuses(SCHEMES) == pytest.approx([weight * error for error in own], rel=1e-5)
    assert nets["summed"].bonuses(SCHEMES) == pytest.approx([weight * sum(own)] * 3, rel=1e-5)


def _curiosity(share, weight=1.0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Curiosity(3, weight=weight, share=share, lr=0.05)


def test_what_is_seen_again_is_no_longer_new():
    curiosity = _curiosity("own")
    target = [parameter.clone() for parameter in curiosity.target.parameters()]
    seen = [curiosity.bonuses(SCHEMES[:2]) for _ in range(100)]
    assert max(seen[-1]) < 0.01 * min(seen[0])
    unseen = curiosity.bonuses(SCHEMES[2:])
    assert unseen[0] > 10 * max(seen[-1])
    assert all(torch.equal(*pair) for pair in zip(target, curiosity.target.parameters(), strict=True))


@pytest.mark.parametrize("share", ["own", "summed"])
def test_the_predictor_learns_the_same_however_the_bonus_is_shared(share):
    other = _curiosity("own" if share == "summed" else "summed")
    curiosity = _curiosity(share)
    curiosity.bonuses(SCHEMES)
    other.bonuses(SCHEMES)
    for pair in zip(curiosity.predictor.parameters(), other.predictor.parameters(), strict=True):
        assert torch.equal(*pair)


def test_sharing_of_errors():
    errors = torch.tensor([1.0, 2.0, 4.0])
    assert shared(errors, "summed").tolist() == [7.0, 7.0, 7.0]
    assert shared(errors, "own").tolist() == [1.0, 2.0, 4.0]
