"""A supernet trains like any other network, with another scheme in each step."""

import signal

import pytest
import torch

from aabench.models.plugged import PluggedNetwork
from aabench.train import LAST, Interrupted, Silent, train
from aabench.train.checkpoint import read_checkpoint
from aabench.train.interrupt import StopRequest
from tests.train.small import plan, sets

SUPERNET = plan(
    model="plugged_cifar_resnet",
    arguments={"depth": 20, "width": 8, "attention": "dia", "scheme": "random", "reduction": 4},
)


class StopAfter(Silent):
    def __init__(self, step):
        self.at, self.request = step, StopRequest()

    def step(self, step, loss, accuracy, images_per_second):
        if step == self.at:
            self.request.signum = signal.SIGTERM


@pytest.mark.parametrize("interrupted_after", [1, 4, 6])
def test_it_ends_the_same_after_an_interruption(tmp_path, interrupted_after):
    train_set, test_set = sets()
    files = {"train_set": train_set, "test_set": test_set}
    train(SUPERNET, **files, directory=tmp_path / "whole")
    stop = StopAfter(interrupted_after)
    with pytest.raises(Interrupted):
        train(SUPERNET, **files, directory=tmp_path / "halves", progress=stop, stop=stop.request)
    train(SUPERNET, **files, directory=tmp_path / "halves", resume=True)
    whole, halves = (read_checkpoint(tmp_path / name / LAST) for name in ("whole", "halves"))
    assert whole["step"] == halves["step"] == 8
    assert all(torch.equal(value, halves["model"][name]) for name, value in whole["model"].items())


def test_each_step_has_a_scheme_of_its_own_and_evaluation_all_blocks(tmp_path, monkeypatch):
    seen = []
    forward = PluggedNetwork.logits
    monkeypatch.setattr(
        PluggedNetwork, "logits", lambda self, x: seen.append((self.training, self.scheme)) or forward(self, x)
    )
    train_set, test_set = sets()
    train(SUPERNET, train_set=train_set, test_set=test_set, directory=tmp_path)
    trained = [scheme for training, scheme in seen if training]
    assert len(trained) == 8
    assert len(set(trained)) >= 4  # of 64; the odds against it are below 1 in 10,000
    assert {scheme for training, scheme in seen if not training} == {((True, True),) * 3}
