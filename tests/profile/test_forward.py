"""The mode ``forward``: the forward pass of a training step, and nothing after it."""

import pytest
import torch
from torch import Tensor, nn

from aabench.models import create_model
from aabench.profile import Way, explain_executed, measure_memory
from aabench.profile.predict import predict
from aabench.profile.workload import MODES, workload

SIZE = {"input_size": 32, "num_classes": 10}


class Seen(nn.Module):
    """A linear layer with normalisation that notes what it saw of its last call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(12, 5), nn.BatchNorm1d(5)
        self.output: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 2, 2) -> (N, 5)."""
        y = self.linear(x.flatten(1))
        self.output = y.detach()
        self.recorded = y.grad_fn is not None
        normalised: Tensor = self.norm(y)
        return normalised


def test_it_runs_in_train_mode_with_a_graph_and_without_a_backward_pass() -> None:
    torch.manual_seed(0)
    model, x = Seen().eval(), torch.randn(8, 3, 2, 2)
    call = workload(model, x, 5, "forward")
    for _ in range(2):
        call()
    assert (model.training, model.recorded) == (True, True)
    assert model.norm.num_batches_tracked == 2
    assert model.output is not None
    # Running means start at 0 and take a tenth of the batch's mean each time: 1 - 0.9 * 0.9 of it after two.
    torch.testing.assert_close(model.norm.running_mean, 0.19 * model.output.mean(0))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_inference_does_none_of_that() -> None:
    model = Seen()
    workload(model, torch.randn(8, 3, 2, 2), 5, "infer")()
    assert (model.training, model.recorded) == (False, False)
    assert model.norm.num_batches_tracked == 0


def test_half_precision_is_by_autocast() -> None:
    model = Seen()
    workload(model, torch.randn(8, 3, 2, 2), 5, "forward", "bf16")()
    assert model.output is not None
    assert (model.output.dtype, model.linear.weight.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize(("mode", "maps"), [("infer", 2), ("forward", 3)])
def test_what_the_graph_keeps_is_predicted(mode: str, maps: int) -> None:
    """A sigmoid keeps its result. Without a graph two maps are there together, with it all three."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 50), nn.Sigmoid(), nn.Sigmoid(), nn.Sigmoid())
    found = predict(model, 4, 50, Way(mode, 100))
    assert found.memory["activations"] == maps * 4 * 100 * 50
    assert found.memory["gradients"] == found.memory["optimizer"] == 0
    assert found.flops == 2 * 100 * 48 * 50


def test_a_real_pass_takes_what_is_predicted() -> None:
    """To 15 %, and more than twice as much as without a graph."""
    predicted = [predict(create_model("resnet20_cifar", device="meta", **SIZE), 32, 10, Way(m, 16)) for m in MODES]
    call = workload(create_model("resnet20_cifar", **SIZE), torch.randn(16, 3, 32, 32), 10, "forward")
    measured = next(peak for peak in measure_memory(call) if peak.convention == "allocated_peak")
    assert predicted[1].peak == pytest.approx(measured.bytes, rel=0.15)
    assert predicted[1].peak > 2 * predicted[0].peak
    assert predicted[2].peak > predicted[1].peak


class Trained(nn.Module):
    """A convolution that runs twice in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W)."""
        y: Tensor = self.conv(x)
        return self.conv(y) if self.training else y


@pytest.mark.parametrize(("mode", "times"), [("infer", 1), ("forward", 2), ("train", 2)])
def test_what_is_executed_is_that_of_the_mode(mode: str, times: int) -> None:
    assert explain_executed(Trained(), 4, Way(mode)).macs == times * 3 * 3 * 4 * 4
