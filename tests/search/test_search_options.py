"""Each option changes what it should, and nothing else."""

import pytest
from pydantic import ValidationError

from aabench.alter import alter_search
from aabench.errors import AABenchError
from aabench.search.state import SearchState
from tests.search.tables import Table, plan, settings

SAMPLED = ("schemes", "accuracies", "rewards")


def carried_out(**changes):
    state = SearchState(plan(**{"steps": 20, **changes}))
    while not state.method.finished:
        state.advance(Table())
    return state


@pytest.fixture(scope="module")
def published():
    return carried_out()


def fields(step, names):
    return {name: getattr(step, name) for name in names}


def test_entropy(published):
    changed = carried_out(entropy_weight=20.0)
    first, was = changed.history[0], published.history[0]
    same = (*SAMPLED, "rewards_with_bonus", "baseline")
    assert fields(first, same) == fields(was, same)
    assert first.probabilities != was.probabilities
    # 20 nats' worth outweigh the rewards: all blocks stay near one half, where the entropy is 10 ln 2 = 6.93.
    assert changed.history[-1].entropy > 6.8
    assert published.history[-1].entropy < 6.0


def test_the_baseline_after_the_update(published):
    changed = carried_out(baseline_update="after")
    assert changed.history[0] == published.history[0], "the first step's baseline is its own mean either way"
    second, was = changed.history[1], published.history[1]
    same = (*SAMPLED, "rewards_with_bonus", "baseline")
    assert fields(second, same) == fields(was, same)
    assert second.probabilities != was.probabilities


def test_each_scheme_its_own_bonus(published):
    changed = carried_out(bonus="own")
    first, was = changed.history[0], published.history[0]
    assert fields(first, SAMPLED) == fields(was, SAMPLED)
    own = [a - b for a, b in zip(first.rewards_with_bonus, first.rewards, strict=True)]
    summed = [a - b for a, b in zip(was.rewards_with_bonus, was.rewards, strict=True)]
    assert len(set(own)) == 3
    assert summed == pytest.approx([sum(own)] * 3, rel=1e-5)


def test_the_final_scheme(published):
    changed = carried_out(final="best-reward")
    assert changed.history == published.history
    best = published.best.flags
    assert changed.method.found(best) == best
    assert changed.method.found_by == "best-reward"
    probable = tuple(probability > 0.5 for probability in published.history[-1].probabilities)
    assert published.method.found(best) == probable
    assert published.method.found_by == "most-probable"


def test_what_is_rewarded_is_the_evaluators_matter(published):
    assert carried_out(accuracy="expected").history == published.history


def test_no_curiosity():
    assert all(step.rewards_with_bonus == step.rewards for step in carried_out(curiosity=0.0).history)


def test_no_replay_is_the_same_as_replay_after_the_end(published):
    without = carried_out(replay_weight=0.0)
    assert without.history == carried_out(replay_from=20).history
    assert without.history[:10] == published.history[:10]
    assert without.history[10].schemes == published.history[10].schemes
    assert without.history[10].probabilities != published.history[10].probabilities


def test_the_offset_cancels_out_of_what_is_learnt(published):
    changed = carried_out(offset=0.0)
    for step, was in zip(changed.history[:10], published.history[:10], strict=True):
        assert step.schemes == was.schemes
        assert step.rewards == pytest.approx([value + 54 for value in was.rewards])
        assert step.baseline == pytest.approx(was.baseline + 54)


@pytest.mark.parametrize("field", ["steps", "samples", "held_out"])
@pytest.mark.parametrize("value", [0, -3])
def test_a_budget_of_nothing_is_refused(field, value):
    with pytest.raises(ValidationError):
        settings(**{field: value})
    with pytest.raises(AABenchError) as caught:
        alter_search(settings(), {field: value})
    assert str(caught.value) == f"--set {field}: Input should be greater than 0"


def test_an_altered_search_says_so():
    changed = alter_search(settings(), {"steps": 5, "bonus": "own"})
    assert (changed.steps, changed.bonus, changed.samples) == (5, "own", 3)
    assert changed.source["steps"] == changed.source["bonus"] == "--set"
    assert changed.source["samples"] == "ours"


def test_a_field_that_a_search_does_not_have():
    with pytest.raises(AABenchError, match=r"^a search has no budget; it has supernet, held_out, steps, "):
        alter_search(settings(), {"budget": 5})
    with pytest.raises(AABenchError, match=r"^--set bonus: Input should be 'summed' or 'own'$"):
        alter_search(settings(), {"bonus": "none"})
