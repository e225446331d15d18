"""Searches: what they leave, what they refuse, and that they end the same after whatever interruption."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from aabench.errors import AABenchError
from aabench.search import LAST_SEARCH, Score, SilentSearch, search
from aabench.search.engine import SEARCH
from aabench.train.checkpoint import read_checkpoint, write_checkpoint
from aabench.train.interrupt import Interrupted, StopRequest
from tests.search.tables import BLOCKS, Table, accuracy, plan
from tests.train.test_engine import assert_equal_bits

REPOSITORY = Path(__file__).resolve().parents[2]
METHODS = ("reinforce", "random", "greedy")
SMALL = {"steps": 14}


class Recorder(SilentSearch):
    """Keeps what it is told, and asks for a stop at a step."""

    def __init__(self, stop_at=None):
        self.request, self.stop_at = StopRequest(), stop_at
        self.calls, self.steps = [], []

    def start(self, total_steps, done):
        self.calls.append(("start", total_steps, done))

    def step(self, step, best):
        self.steps.append((step, best))
        if step.step == self.stop_at:
            self.request.signum = signal.SIGTERM

    def finish(self):
        self.calls.append(("finish",))


def saved(folder):
    return read_checkpoint(folder / LAST_SEARCH, form=SEARCH)


def test_what_a_search_leaves(tmp_path):
    table, recorder = Table(), Recorder()
    result = search(plan(**SMALL), table, directory=tmp_path, progress=recorder)
    assert recorder.calls == [("start", 14, 0), ("finish",)]
    assert tuple(step for step, _ in recorder.steps) == result.history
    assert recorder.steps[-1][1] == result.best
    assert [step.step for step in result.history] == list(range(1, 15))
    assert result.requested == 14 * 3
    assert result.evaluated == len({flags for call in table.calls for flags in call})
    assert result.image_forwards == sum(100.0 + 50.0 * (len(call) - 1) for call in table.calls)
    assert result.found_by == "most-probable"
    assert result.checkpoint == tmp_path / LAST_SEARCH
    assert result.final.score.accuracy == accuracy(result.final.flags)


def test_a_step_of_the_history(tmp_path):
    history = search(plan(**SMALL), Table(), directory=tmp_path).history
    for number, step in enumerate(history):
        flags = [tuple(bit == "1" for bit in row) for row in step.schemes]
        assert step.accuracies == tuple(accuracy(one) for one in flags)
        assert step.sparsities == pytest.approx([row.count("0") / 10 for row in step.schemes])
        values = zip(step.accuracies, step.sparsities, strict=True)
        assert step.rewards == pytest.approx([a + 2 * s - 54 for a, s in values])
        assert step.best == max(value for before in history[: number + 1] for value in before.rewards)
        assert len(step.probabilities) == BLOCKS
        assert all(0 < probability < 1 for probability in step.probabilities)
        bonuses = [a - b for a, b in zip(step.rewards_with_bonus, step.rewards, strict=True)]
        assert bonuses == pytest.approx([bonuses[0]] * 3)


def test_the_best_is_the_first_of_equals_and_found_without_bonus(tmp_path):
    result = search(plan(**SMALL, sparsity_weight=0.0), Table(lambda flags: 60.0), directory=tmp_path)
    assert result.best.flags == tuple(bit == "1" for bit in result.history[0].schemes[0])
    assert result.best.reward == 6.0


@pytest.mark.parametrize("method", METHODS)
def test_no_scheme_is_evaluated_twice(tmp_path, method):
    table = Table()
    search(plan(method=method, steps=40), table, directory=tmp_path)
    asked = [flags for call in table.calls for flags in call]
    assert len(asked) == len(set(asked))
    assert all(table.calls), "never asked for nothing"


def test_new_schemes_of_a_step_come_together_and_each_once(tmp_path):
    table = Table(lambda flags: 60.0)
    search(plan(steps=3, samples=30, blocks=3), table, directory=tmp_path)
    # Thirty draws of eight schemes: each of them comes several times.
    first = table.calls[0]
    assert len(first) == len(set(first)) >= 5
    assert sum(map(len, table.calls)) <= 8


@pytest.mark.parametrize(
    ("method", "stop_at"),
    [
        *(("reinforce", step) for step in (1, 2, 10, 11, 12, 14)),
        ("random", 1),
        ("random", 9),
        ("greedy", 1),
        ("greedy", 3),
    ],
)
def test_stopped_anywhere_it_ends_bit_identical(tmp_path, method, stop_at):
    chosen = plan(method=method, **SMALL)
    whole = search(chosen, Table(), directory=tmp_path / "whole")
    recorder = Recorder(stop_at)
    with pytest.raises(
        Interrupted, match=rf"stopped by SIGTERM after step {stop_at} of .*go on with --resume"
    ) as caught:
        search(chosen, Table(), directory=tmp_path / "parts", progress=recorder, stop=recorder.request)
    assert (caught.value.exit_code, caught.value.checkpoint) == (143, tmp_path / "parts" / LAST_SEARCH)
    assert recorder.calls[-1] == ("finish",)
    torch.manual_seed(stop_at)  # torch's own generator has no part in it
    table, again = Table(), Recorder()
    parts = search(chosen, table, directory=tmp_path / "parts", resume=True, progress=again)
    assert again.calls[0][2] == stop_at
    assert_equal_bits(saved(tmp_path / "whole"), saved(tmp_path / "parts"))
    assert (parts.history, parts.final, parts.best) == (whole.history, whole.final, whole.best)
    assert (parts.requested, parts.evaluated) == (whole.requested, whole.evaluated)
    assert parts.image_forwards == whole.image_forwards


def test_the_state_has_all_that_could_be_forgotten(tmp_path):
    chosen = plan(**SMALL)
    search(chosen, Table(), directory=tmp_path)
    state = saved(tmp_path)["method"]
    assert len(state["buffer"]) == 14
    assert state["optimizer"]["state"][0]["step"] == 14 + 4  # replayed from the eleventh step on
    assert state["curiosity"]["optimizer"]["state"][0]["step"] == 14
    assert state["steps"] == 14


KILLED = """
import os, pathlib, signal, sys
from aabench.search import search
from tests.search.tables import Table, plan

class Killed(Table):
    def __call__(self, schemes):
        if len(self.calls) == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(schemes)

search(plan(steps=14), Killed(), directory=pathlib.Path(sys.argv[1]))
"""


def test_killed_in_an_evaluation_it_ends_bit_identical(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "parts")]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = subprocess.run(command, cwd=REPOSITORY, env=os.environ | threads, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    done = len(saved(tmp_path / "parts")["history"])
    assert 9 <= done < 14
    search(plan(**SMALL), Table(), directory=tmp_path / "parts", resume=True)
    search(plan(**SMALL), Table(), directory=tmp_path / "whole")
    assert_equal_bits(saved(tmp_path / "whole"), saved(tmp_path / "parts"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end(tmp_path, signum):
    def signalled(flags):
        os.kill(os.getpid(), signum)
        return 60.0

    # One scheme a step, so that there is one signal: a second one is not caught.
    with pytest.raises(Interrupted) as caught:
        search(plan(steps=5, samples=1), Table(signalled), directory=tmp_path)
    assert (caught.value.step, caught.value.exit_code) == (1, 128 + signum)
    assert len(saved(tmp_path)["history"]) == 1


def test_a_finished_search_gives_its_result_again(tmp_path):
    table = Table()
    first = search(plan(**SMALL), Table(), directory=tmp_path)
    assert search(plan(**SMALL), table, directory=tmp_path, resume=True) == first
    assert table.calls == []


def test_the_seed_alone_determines_it(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(ord(name))
        before = torch.get_rng_state()
        search(plan(seed=seed, **SMALL), Table(), directory=tmp_path / name)
        assert torch.equal(torch.get_rng_state(), before), "torch's generator is left as it was"
    a, b, c = (saved(tmp_path / name) for name in "abc")
    assert_equal_bits(a, b)
    for net in ("controller", "target", "predictor"):
        first, third = ({**end["method"]["curiosity"], **end["method"]}[net] for end in (a, c))
        assert not torch.equal(next(iter(first.values())), next(iter(third.values()))), net
    assert a["history"][0]["schemes"] != c["history"][0]["schemes"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "seed: 0 before, 1 now"),
        ({"blocks": 9}, "blocks: 10 before, 9 now"),
        ({"method": "random"}, "method: 'reinforce' before, 'random' now"),
        ({"entropy_weight": 0.01}, "search.entropy_weight: 0.0 before, 0.01 now"),
        ({"steps": 15}, "search.steps: 14 before, 15 now"),
        ({"held_out": 50}, "search.held_out: 100 before, 50 now"),
    ],
)
def test_other_settings_are_refused(tmp_path, changes, said):
    search(plan(**SMALL), Table(), directory=tmp_path)
    before = (tmp_path / LAST_SEARCH).read_bytes()
    with pytest.raises(AABenchError) as caught:
        search(plan(**{**SMALL, **changes}), Table(), directory=tmp_path, resume=True)
    assert str(caught.value) == (
        f"{tmp_path / LAST_SEARCH} was made with other settings ({said}): "
        "resume it with those, or start in another folder"
    )
    assert (tmp_path / LAST_SEARCH).read_bytes() == before


@pytest.mark.parametrize("field", ["supernet", "held_out"])
def test_another_supernet_or_other_images_are_refused(tmp_path, field):
    search(plan(**SMALL), Table(), directory=tmp_path)
    other = plan(**SMALL).model_copy(update={field: "another"})
    with pytest.raises(AABenchError, match=rf"\({field}: '.*' before, 'another' now\)"):
        search(other, Table(), directory=tmp_path, resume=True)


def test_where_numbers_came_from_may_differ(tmp_path):
    first = plan(**SMALL)
    found = search(first, Table(), directory=tmp_path)
    renamed = first.search.model_copy(update={"source": dict.fromkeys(first.search.source, "code"), "name": "other"})
    again = search(first.model_copy(update={"search": renamed}), Table(), directory=tmp_path, resume=True)
    assert again == found


def test_a_folder_with_a_search_and_one_without(tmp_path):
    with pytest.raises(AABenchError, match=r"nothing to resume: no search-last\.pt in .*without --resume"):
        search(plan(**SMALL), Table(), directory=tmp_path, resume=True)
    search(plan(**SMALL), Table(), directory=tmp_path)
    with pytest.raises(AABenchError, match=r"holds a search already .*--resume, or choose another folder"):
        search(plan(**SMALL), Table(), directory=tmp_path)


def test_a_training_is_no_search(tmp_path):
    last = tmp_path / LAST_SEARCH
    write_checkpoint(last, {"model": {}})
    with pytest.raises(AABenchError) as caught:
        search(plan(**SMALL), Table(), directory=tmp_path, resume=True)
    assert str(caught.value) == (
        f"{last} is no checkpoint of a search by this version of aabench, so it cannot be resumed; "
        "start in another folder"
    )
    write_checkpoint(last, {}, form=SEARCH)
    with pytest.raises(AABenchError, match="is no checkpoint of a training by this version"):
        read_checkpoint(last)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_accuracy_that_is_no_number_is_one_line(tmp_path, value):
    with pytest.raises(AABenchError, match=r"^the accuracy of scheme [01]{10} is (nan|inf): .*did not diverge$"):
        search(plan(**SMALL), Table(lambda flags: value), directory=tmp_path)
    assert not (tmp_path / LAST_SEARCH).exists()


def test_top1_is_not_what_is_rewarded(tmp_path):
    def evaluator(schemes):
        return {flags: Score(60.0, 10.0 * sum(flags), 1.0) for flags in schemes}

    result = search(plan(**SMALL, sparsity_weight=0.0), evaluator, directory=tmp_path)
    assert {value for step in result.history for value in step.rewards} == {6.0}
    assert result.final.score.top1 == 10.0 * sum(result.final.flags)
