"""What a call will take: against numbers by hand, torch's own tracker, and the allocator's record of a real run."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from aabench.catalog import load_catalog
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.profile import Way, measure_memory
from aabench.profile.predict import predict
from aabench.profile.traffic import Traffic
from aabench.profile.workload import workload

MIB = 2**20


def classifier(width: int = 50) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, width), nn.ReLU(), nn.Linear(width, 10))


def test_a_forward_pass_by_hand() -> None:
    found = predict(classifier(), 4, 10, Way(batch=100))
    # The result of the first layer and that of its ReLU are there together.
    assert found.memory["parameters"] == 4 * (48 * 50 + 50 + 50 * 10 + 10)
    assert found.memory["activations"] == 4 * 100 * (50 + 50)
    assert found.memory["inputs"] == 4 * 100 * 48
    assert found.memory["gradients"] == found.memory["optimizer"] == found.memory["temporaries"] == 0
    assert found.peak == sum(found.memory.values())
    assert found.flops == 2 * 100 * (48 * 50 + 50 * 10)
    # Two layers (input, weights, biases, result) and a ReLU between them (input, result).
    layers = 100 * 48 + 48 * 50 + 50 + 100 * 50 + 100 * 50 + 50 * 10 + 10 + 100 * 10
    assert found.traffic == 4 * (layers + 2 * 100 * 50)
    assert found.intensity == found.flops / found.traffic


@pytest.mark.parametrize("batch_norm", [False, True])
def test_predicted_traffic_is_that_of_a_real_run(batch_norm: bool) -> None:
    """Fake tensors are also asked for their device and layout, which moves nothing."""
    norm = nn.BatchNorm2d(8) if batch_norm else nn.Identity()
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), norm, nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10))
    predicted = predict(model, 16, 10, Way(batch=4)).traffic
    call = workload(model, torch.randn(4, 3, 16, 16), 10, "infer")
    with Traffic() as real:
        call()
    assert predicted == real.bytes


def test_a_training_step_by_hand() -> None:
    found = predict(classifier(5000), 4, 10, Way("train", 1))
    parameters = 4 * (48 * 5000 + 5000 + 5000 * 10 + 10)
    assert found.memory["parameters"] == found.memory["optimizer"] == parameters  # momentum: one buffer each
    # The peak is where the first layer's gradient has just been made, a temporary yet, beside that of its result.
    assert found.memory["gradients"] == 4 * (5000 * 10 + 10)
    assert found.memory["temporaries"] == 4 * (48 * 5000 + 5000 + 5000)
    assert found.flops == 2 * 3 * (48 * 5000 + 5000 * 10) - 2 * 48 * 5000  # no gradient of the images


def test_half_precision_halves_what_is_inferred_with_and_leaves_the_weights_of_training() -> None:
    full, half = predict(classifier(), 4, 10, Way(batch=8)), predict(classifier(), 4, 10, Way(batch=8, dtype="bf16"))
    assert half.memory["parameters"] == full.memory["parameters"] // 2
    assert half.memory["activations"] == full.memory["activations"] // 2
    trained = predict(classifier(), 4, 10, Way("train", 8, "bf16"))
    assert trained.memory["parameters"] == trained.memory["optimizer"] == full.memory["parameters"]


def test_cuda_is_predicted_where_there_is_none() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    model = create_model("aa_resnet50", input_size=64, num_classes=10, device="meta", attention="fused")
    for mode in ("infer", "train"):
        found = predict(model, 64, 10, Way(mode, 4, "fp16", "cuda"))
        assert (found.device, found.memory) == ("cpu", predict(model, 64, 10, Way(mode, 4, "fp16")).memory)


def test_a_huge_point_is_predicted_without_allocating() -> None:
    model = create_model("aa_resnet50", input_size=1024, num_classes=10, device="meta", attention="explicit")
    one_map = 4 * 1024 * 8 * 4096**2  # eight heads of 64 x 64 cells, for 1,024 images
    assert predict(model, 1024, 10, Way("train", 1024)).peak > one_map == 2**39


def test_a_size_too_small_names_the_module() -> None:
    with pytest.raises(AABenchError, match=r"2x2 pixels: 0 \(Conv2d\) on an input of 1x3x2x2 fails"):
        predict(nn.Sequential(nn.Conv2d(3, 4, 3)), 2, 10, Way())


def by_torchs_tracker(model: nn.Module, batch: int, side: int) -> dict[str, int]:
    """The peak of the second training step by kind, as torch.distributed's MemTracker has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing torch.distributed._tools warns of what it imports itself
        from torch.distributed._tools.mem_tracker import MemTracker
    images, labels = torch.empty(batch, 3, side, side), torch.zeros(batch, dtype=torch.long)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step() -> None:
        torch.autograd.backward(F.cross_entropy(model(images), labels))
        optimizer.step()
        optimizer.zero_grad()

    step()
    tracker = MemTracker()
    tracker.track_external(model, optimizer, images)
    with tracker:
        step()
    [snapshot] = tracker.get_tracker_snapshot("peak").values()
    return {str(kind).removeprefix("_MemRefType."): size for kind, size in snapshot.items()}


@pytest.mark.parametrize("attention", ["explicit", "fused"])
def test_torchs_own_tracker_finds_the_same_peak_by_kind(attention: str) -> None:
    arguments = {"input_size": 32, "num_classes": 10, "attention": attention, "depth": 10, "width": 1, "num_heads": 1}
    found = predict(create_model("aa_wide_resnet", device="meta", **arguments), 32, 10, Way("train", 8))
    with FakeTensorMode():
        known = by_torchs_tracker(create_model("aa_wide_resnet", **arguments), 8, 32)
    labels = 8 * 8  # which we hold as an activation, and the tracker does not
    assert found.memory == {
        "parameters": known["PARAM"],
        "buffers": known["BUFFER"],
        "gradients": known["GRAD"],
        "optimizer": known["OPT"],
        "activations": pytest.approx(known["ACT"], abs=labels),
        "temporaries": pytest.approx(known["TEMP"], abs=labels),
        "inputs": known["OTH"],
    }


PAIR = [("resnet50", {}), ("aa-resnet50", {"attention": "explicit"}), ("aa-resnet50", {"attention": "fused"})]


@pytest.mark.parametrize("side", [64, 128, 224])
@pytest.mark.parametrize(("task", "arguments"), PAIR, ids=lambda value: str(value))
def test_training_memory_is_predicted_within_15_percent_of_the_allocators_peak(
    task: str, arguments: dict[str, str], side: int
) -> None:
    known = load_catalog().task(task)
    built = {"input_size": side, "num_classes": 1000, **known.arguments, **arguments}
    predicted = predict(create_model(known.model, device="meta", **built), side, 1000, Way("train", 8))
    call = workload(create_model(known.model, **built), torch.randn(8, 3, side, side), 1000, "train")
    call()
    measured = next(peak for peak in measure_memory(call) if peak.convention == "allocated_peak")
    assert measured.bytes is not None
    assert predicted.peak == pytest.approx(measured.bytes, rel=0.15)
