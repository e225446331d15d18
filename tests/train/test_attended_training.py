"""Networks with AW-convolutions keep their settings among their weights, as bytes: trainings carry them along."""

import pytest
import torch

from aabench.data import Transform
from aabench.evaluate import evaluate
from aabench.models import create_model
from aabench.train import LAST, Interrupted, load_weights, train
from aabench.train.checkpoint import read_checkpoint
from aabench.train.state import build_model
from tests.train.small import DEMANDING, plan, sets
from tests.train.test_engine import Recorder, assert_equal_bits

EXTRA_STATE = "layer1.0.conv1._extra_state"
WIDE = {"model": "aw_wide_resnet", "arguments": {"depth": 10, "width": 1, "aw_norm": True}}
PLUGGED = {"depth": 11, "width": 16, "attention": "se", "reduction": 4}
SUPERNET = {"model": "aw_plugged_cifar_resnet", "arguments": {**PLUGGED, "scheme": "random"}}


def run(directory, chosen, **changes):
    train_set, test_set = sets()
    return train(chosen, train_set=train_set, test_set=test_set, directory=directory, **changes)


@pytest.mark.parametrize("network", [WIDE, SUPERNET], ids=["network", "supernet"])
@pytest.mark.parametrize("stop_at", [3, 6])
def test_with_averaged_weights_it_resumes_bit_identical(tmp_path, network, stop_at):
    chosen = plan(**{**DEMANDING, **network})
    run(tmp_path / "whole", chosen)
    recorder = Recorder(stop_at=stop_at)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", chosen, progress=recorder, stop=recorder.stop)
    run(tmp_path / "parts", chosen, resume=True)
    whole, parts = (read_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert (whole["step"], whole["ema_updates"]) == (8, 8)
    assert_equal_bits(whole, parts)


def test_the_averaged_weights_have_the_same_settings_and_load(tmp_path):
    chosen = plan(**{**DEMANDING, **WIDE})
    result = run(tmp_path, chosen)
    content = read_checkpoint(tmp_path / LAST)
    assert content["ema"][EXTRA_STATE].dtype == torch.uint8
    assert torch.equal(content["ema"][EXTRA_STATE], content["model"][EXTRA_STATE])
    weight = EXTRA_STATE.replace("_extra_state", "attention.reduce.weight")
    assert not torch.equal(content["ema"][weight], content["model"][weight])
    model = build_model(chosen)
    assert load_weights(model, tmp_path / LAST) == "ema"
    again = evaluate(model, sets()[1], transform=Transform("cifar100", (8, 8)))
    assert again.loss == result.last.loss
    assert torch.equal(again.correct_mask, result.last.correct_mask)


def test_the_digest_of_a_supernet_has_its_settings_in_it():
    from aabench.reproduce.search import _digest

    def digest(gate):
        torch.manual_seed(0)
        network = create_model(SUPERNET["model"], input_size=8, num_classes=4, **PLUGGED, aw_gate=gate)
        return _digest(network)

    assert digest("sigmoid") == digest("sigmoid")
    assert digest("sigmoid") != digest("tanh")
