"""The rules of a search's update, against numbers worked out by hand on three blocks, and a float64 oracle."""

import math

import numpy as np
import pytest
import torch

from aabench.search.baseline import Baseline
from aabench.search.losses import online_loss, replay_loss
from aabench.search.reinforce import Reinforce
from aabench.search.replay import Past, ReplayBuffer
from aabench.search.reward import reward, sparsity
from tests.search.tables import controller_of, settings

# "Connected" with 3/4, 1/2 and 1/5; schemes 101 and 110. Logarithms of their choices' probabilities:
# 101: ln 3/4 = -0.2876821, ln 1/2 = -0.6931472, ln 1/5 = -1.6094379; sum -2.5902672
# 110: ln 3/4 = -0.2876821, ln 1/2 = -0.6931472, ln 4/5 = -0.2231436; sum -1.2039729
LOGITS = ((0.0, math.log(3)), (0.0, 0.0), (math.log(4), 0.0))
SCHEMES = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])


def log_probabilities():
    return controller_of(LOGITS).of_choices(SCHEMES).detach().requires_grad_()


def test_the_reward():
    assert sparsity((True, False, True)) == pytest.approx(1 / 3)
    # 61.2 + 2/3 - 54
    assert reward(61.2, (True, False, True), sparsity_weight=2.0, offset=54.0) == pytest.approx(7.8666667)
    assert reward(61.2, (False,) * 3, sparsity_weight=2.0, offset=54.0) == pytest.approx(9.2)
    assert reward(61.2, (True,) * 3, sparsity_weight=2.0, offset=54.0) == pytest.approx(7.2)


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        # Means 2, 6, 1. The average: 2, then 0.95 * 2 + 0.05 * 6 = 2.2, then 0.95 * 2.2 + 0.05 * 1 = 2.14.
        ("before", [(-1.0, 1.0), (1.8, 5.8), (-2.14, -0.14)]),
        # Against 2 (its own mean), 2 and 2.2.
        ("after", [(-1.0, 1.0), (2.0, 6.0), (-2.2, -0.2)]),
    ],
)
def test_the_baseline_over_three_steps(update, expected):
    baseline = Baseline(decay=0.95, update=update)
    assert baseline.value is None
    values = []
    for rewards, advantages in zip([(1.0, 3.0), (4.0, 8.0), (0.0, 2.0)], expected, strict=True):
        assert baseline.advantages(rewards) == pytest.approx(advantages)
        values.append(baseline.value)
    assert values == pytest.approx([2.0, 2.2, 2.14])


def test_the_online_loss():
    given = log_probabilities()
    loss = online_loss(given, torch.tensor([1.0, -2.0]))
    # -(1 * -2.5902672 - 2 * -1.2039729) / 2
    assert loss.item() == pytest.approx(0.0911607, abs=1e-6)
    loss.backward()
    torch.testing.assert_close(given.grad, torch.tensor([[-0.5] * 3, [1.0] * 3]))  # -advantage / 2


# Ratios of now to then: 101: 0.75/0.5 = 1.5, 0.5/0.5 = 1, 0.2/0.4 = 0.5; 110: 1, 0.5/0.4 = 1.25, 0.8/1 = 0.8.
# Clipped to 0.9 ... 1.1: 101: 1.1, 1, 0.9; 110: 1, 1.1, 0.9.
THEN = torch.tensor([[0.5, 0.5, 0.4], [0.75, 0.4, 1.0]])


def test_the_replay_loss_takes_the_clipped_surrogate():
    given = log_probabilities()
    loss = replay_loss(given, THEN, torch.tensor([2.0, -1.0]), clip=0.1)
    # As it is: 101: -0.4315231 - 0.6931472 - 0.8047190 = -1.9293893; 110: -0.2876821 - 0.8664340 - 0.1785148 =
    # -1.3326309; (2 * -1.9293893 + 1.3326309) / 2 = -1.2630738.
    # Clipped: 101: -0.3164503 - 0.6931472 - 1.4484941 = -2.4580916; 110: -0.2876821 - 0.7624619 - 0.2008292 =
    # -1.2509732; (2 * -2.4580916 + 1.2509732) / 2 = -1.8326050: the smaller one.
    assert loss.item() == pytest.approx(1.8326050, abs=1e-6)
    loss.backward()
    # The ratio is a constant: -(clipped ratio) * advantage / 2.
    expected = torch.tensor([[-1.1, -1.0, -0.9], [0.5, 0.55, 0.45]])
    torch.testing.assert_close(given.grad, expected)


def test_the_replay_loss_takes_the_surrogate_as_it_is():
    given = log_probabilities()
    # The other sign of both advantages: 1.2630738 and 1.8326050; now the smaller one is as it is.
    loss = replay_loss(given, THEN, torch.tensor([-2.0, 1.0]), clip=0.1)
    assert loss.item() == pytest.approx(-1.2630738, abs=1e-6)
    loss.backward()
    torch.testing.assert_close(given.grad, torch.tensor([[1.5, 1.0, 0.5], [-0.5, -0.625, -0.4]]))


def test_the_buffer_forgets_the_oldest_and_draws_every_step():
    buffer = ReplayBuffer(3)
    for number in range(5):
        buffer.add(Past(SCHEMES, (float(number),), THEN))
    generator = torch.Generator().manual_seed(0)
    drawn = [buffer.draw(generator).rewards[0] for _ in range(300)]
    assert set(drawn) == {2.0, 3.0, 4.0}
    assert all(70 <= drawn.count(number) <= 130 for number in (2.0, 3.0, 4.0))  # 100 +- 3.7 standard deviations


class Oracle:
    """The controller and its Adam in float64 numpy: input zeros, so that the hidden layer is ReLU of its bias."""

    def __init__(self, controller):
        first, _, last = controller.layers
        parts = (first.bias, last.weight, last.bias)
        self.parts = [part.detach().double().numpy().copy() for part in parts]
        self.moments = [(np.zeros_like(part), np.zeros_like(part)) for part in self.parts]
        self.updates = 0

    def probabilities(self):
        """(L, 2)."""
        hidden_bias, weight, bias = self.parts
        logits = (weight @ np.maximum(hidden_bias, 0) + bias).reshape(-1, 2) / 5.0
        odds = np.exp(logits)
        return odds / odds.sum(axis=1, keepdims=True)

    def entropy(self):
        return -(self.probabilities() * np.log(self.probabilities())).sum()

    def chosen(self, schemes):
        """(N, L)."""
        return np.array([[self.probabilities()[block, int(bit)] for block, bit in enumerate(row)] for row in schemes])

    def descend(self, schemes, weights):
        """Adam on the sum of -weight * log p of each choice; ``weights`` (N, L)."""
        hidden_bias, weight, _ = self.parts
        one_hot = np.array([[[1 - bit, bit] for bit in row] for row in schemes])
        of_logits = -(weights[:, :, None] * (one_hot - self.probabilities())).sum(axis=0).reshape(-1) / 5.0
        hidden = np.maximum(hidden_bias, 0)
        gradients = [(weight.T @ of_logits) * (hidden_bias > 0), np.outer(of_logits, hidden), of_logits]
        self.updates += 1
        for place, gradient in enumerate(gradients):
            mean, square = self.moments[place]
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            self.moments[place] = (mean, square)
            unbiased = mean / (1 - 0.9**self.updates), square / (1 - 0.999**self.updates)
            self.parts[place] -= 0.05 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)


def test_steps_against_an_oracle():
    """Three steps of two schemes; from the second (index 1) on, the step itself is replayed: the buffer holds one."""
    changes = settings(samples=2, replay_from=1, replay_capacity=1, replay_clip=0.02)
    method = Reinforce(3, changes, torch.Generator().manual_seed(3))
    oracle, baseline = Oracle(method.controller), None
    for index, rewards in enumerate([(3.0, 5.0), (9.0, 1.0), (4.0, 4.5)]):
        schemes = method.propose()
        then = oracle.chosen(schemes)
        learned = method.learn(schemes, rewards)
        bonus = learned.rewards[0] - rewards[0]
        assert bonus > 0
        assert learned.rewards == pytest.approx([reward + bonus for reward in rewards])
        mean = sum(learned.rewards) / 2
        baseline = mean if baseline is None else 0.95 * baseline + 0.05 * mean
        assert learned.baseline == pytest.approx(baseline)
        oracle.descend(schemes, (np.array(learned.rewards)[:, None] - baseline) / 2 * np.ones((2, 3)))
        if index >= 1:
            ratio, advantages = oracle.chosen(schemes) / then, np.array(rewards)[:, None] - baseline
            surrogates = {
                float((weights * np.log(oracle.chosen(schemes)) * advantages).sum()): weights
                for weights in (ratio, np.clip(ratio, 0.98, 1.02))
            }
            assert len(surrogates) == 2, "clipping makes a difference"
            oracle.descend(schemes, 0.1 * surrogates[min(surrogates)] * advantages / 2)
        assert learned.probabilities == pytest.approx(oracle.probabilities()[:, 1], rel=1e-4)
        assert learned.entropy == pytest.approx(oracle.entropy(), rel=1e-4)
    assert oracle.updates == 5
