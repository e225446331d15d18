"""Does the search find what it is looking for? On a table whose best scheme is known, and on one without any signal."""

import random
from statistics import fmean

import pytest
import torch
from scipy.stats import mannwhitneyu

from aabench.search.reward import reward
from aabench.search.state import SearchState
from tests.search.tables import BLOCKS, SCHEMES, Table, accuracy, plan

SEEDS = range(20)
# What a connection adds has to beat the 2/10 that it costs: blocks 1, 3, 5, 7, 9 do, with 2 + 1.5 + 0.5 + 1 + 2.5 =
# 7.5, and 60 + 7.5 + 2 * 5/10 - 54 = 14.5. The pair adds 3 - 1 - 2 = 0 and costs 0.4.
BEST, BEST_REWARD = (True, False) * 5, 14.5
# A single removal of a good pair is a loss, of 3 - 2 or 3 - 1 less 0.2, so that greedy keeps it.
GREEDY, GREEDY_REWARD = (True, True, True, True, True, False, True, False, True, False), 14.1


def reward_of(flags):
    return reward(accuracy(flags), flags, sparsity_weight=2.0, offset=54.0)


def test_the_best_scheme_of_the_table():
    assert max(SCHEMES, key=reward_of) == BEST
    assert reward_of(BEST) == pytest.approx(BEST_REWARD)


def carried_out(method, seed, table, **changes):
    state = SearchState(plan(method=method, seed=seed, **changes))
    while not state.method.finished:
        state.advance(table)
    return state


def mean_reward(state):
    """Over all that the steps asked for, repeats counted."""
    return fmean(value for step in state.history for value in step.rewards)


@pytest.fixture(scope="module")
def searches():
    return {method: [carried_out(method, seed, Table()) for seed in SEEDS] for method in ("reinforce", "random")}


def above(first, second):
    """One-sided: that the first ones are not above the second ones."""
    return mannwhitneyu(first, second, alternative="greater").pvalue


def test_the_controller_beats_random_search_at_equal_evaluations(searches):
    asked = {
        len(step.schemes) * len(state.history)
        for found in searches.values()
        for state in found
        for step in state.history[:1]
    }
    assert asked == {180}
    means = {method: [mean_reward(state) for state in found] for method, found in searches.items()}
    assert above(means["reinforce"], means["random"]) < 0.01
    # Uniform schemes: half of all effects, a quarter of the pair, half of the sparsity: 60 + 0.75 + 0.75 + 1 - 54.
    assert fmean(means["random"]) == pytest.approx(8.5, abs=0.2)


def test_the_controller_finds_the_best_more_often_than_random_search(searches):
    hits = {method: sum(state.best.flags == BEST for state in found) for method, found in searches.items()}
    # 180 of 1,024 schemes, drawn at random: each seed has 1 - (1023/1024)^180 = 16 %, so 3.2 of 20.
    assert hits["random"] <= 8
    assert hits["reinforce"] >= 11
    evaluated = [len(state.memory) for state in searches["reinforce"]]
    assert fmean(evaluated) < 120, "it comes back to good schemes, which cost nothing again"


def test_the_most_probable_scheme_is_a_good_one(searches):
    found = [reward_of(state.method.found(state.best.flags)) for state in searches["reinforce"]]
    rank = sorted(map(reward_of, SCHEMES), reverse=True)[20]
    assert sum(value > rank for value in found) >= 16, "among the best 2 %"


def test_no_signal_does_not_look_like_one():
    """The bonus is not the reward: a controller that were judged with it would seem to win."""
    constant = Table(lambda flags: 60.0)
    means = {
        method: [mean_reward(carried_out(method, seed, constant, steps=30, sparsity_weight=0.0)) for seed in SEEDS]
        for method in ("reinforce", "random")
    }
    assert above(means["reinforce"], means["random"]) > 0.01
    assert set(means["reinforce"]) == {6.0}


def test_noise_that_is_not_the_schemes_own_does_not_look_like_a_signal():
    def mean_of(method, seed):
        luck = random.Random(f"{method} {seed}")
        state = SearchState(plan(method=method, seed=seed, sparsity_weight=0.0))
        rewards = []
        while not state.method.finished:
            schemes = state.method.propose()
            rewards.append([luck.gauss(6.0, 1.0) for _ in schemes])
            state.method.learn(schemes, rewards[-1])
        return fmean(value for step in rewards for value in step)

    means = {method: [mean_of(method, seed) for seed in SEEDS] for method in ("reinforce", "random")}
    assert above(means["reinforce"], means["random"]) > 0.01


def test_random_schemes_are_uniform():
    state = SearchState(plan(method="random", samples=5000, steps=1))
    shares = torch.tensor(state.method.propose(), dtype=torch.float32).mean(dim=0)
    assert ((shares - 0.5).abs() < 0.03).all()  # four standard errors


def test_greedy_goes_down_step_by_step_and_cannot_leave_a_pair():
    table = Table()
    state = carried_out("greedy", 0, table)
    # All connected; then the 8th block (-1.5), the 10th (-1) and the 6th (-0.5) go; then no removal improves.
    assert [len(call) for call in table.calls] == [1, 10, 9, 8, 7]
    assert table.calls[0] == [(True,) * BLOCKS]
    assert all(sum(flags) == 9 for flags in table.calls[1])
    best = [max(call, key=reward_of) for call in table.calls[:4]]
    assert ["".join("01"[flag] for flag in flags) for flags in best] == [
        "1111111111", "1111111011", "1111111010", "1111101010",
    ]  # fmt: skip
    assert state.best.flags == state.method.found(state.best.flags) == GREEDY
    assert state.best.reward == pytest.approx(GREEDY_REWARD)


def test_greedy_stops_when_the_budget_is_used_up():
    table = Table()
    state = carried_out("greedy", 0, table, steps=4, samples=4)
    assert [len(call) for call in table.calls] == [1, 10, 5]
    assert sum(len(step.schemes) for step in state.history) == 16


def test_greedy_ends_without_any_connection_where_all_of_them_cost():
    state = carried_out("greedy", 0, Table(lambda flags: 60.0 - sum(flags)))
    assert state.best.flags == (False,) * BLOCKS
    assert len(state.history) == state.method.total_steps == BLOCKS + 1
    assert len(state.memory) == 1 + 55  # 10 + 9 + ... + 1


def test_greedy_takes_the_first_of_equals():
    state = carried_out("greedy", 0, Table(lambda flags: 60.0), steps=1, samples=1 + BLOCKS, blocks=BLOCKS)
    assert state.best.flags == (False,) + (True,) * (BLOCKS - 1)


def test_greedy_stops_where_no_removal_is_an_improvement():
    table = Table(lambda flags: 60.0)
    state = carried_out("greedy", 0, table, sparsity_weight=0.0)
    assert [len(call) for call in table.calls] == [1, BLOCKS]
    assert state.best.flags == (True,) * BLOCKS
