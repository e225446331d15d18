"""What a call will take, found without running it: fake tensors have shapes and no memory, on any device.

The peak of live tensors is that of the operators' inputs, results and saved tensors. Scratch space that a kernel takes
and gives back inside itself is not seen, nor is what an allocator keeps or rounds up to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from aabench.profile.counters import flop_counter
from aabench.profile.live import LiveBytes
from aabench.profile.meta import naming_the_module, shadow
from aabench.profile.traffic import Traffic
from aabench.profile.way import Way
from aabench.profile.workload import DTYPES, workload

KINDS = ("parameters", "buffers", "gradients", "optimizer", "activations", "temporaries", "inputs")


@dataclass(frozen=True)
class Prediction:
    """Of one call in a way: a forward pass of a batch, in either mode, or a whole training step.

    Attributes:
        device: whose kernels it is for: the way's own, or cpu, see :func:`predict`.
        memory: kind -> bytes live at the peak, for each of KINDS.
        flops: executed, 2 a multiply-add.
        traffic: bytes read and written, operator by operator.
    """

    device: str
    memory: Mapping[str, int]
    flops: int
    traffic: int

    @property
    def peak(self) -> int:
        """Bytes of live tensors at the peak."""
        return sum(self.memory.values())

    @property
    def intensity(self) -> float:
        """FLOPs per byte moved."""
        return self.flops / self.traffic


def predict(model: nn.Module, side: int, num_classes: int, way: Way) -> Prediction:
    """Predict a call of a model, built on meta or anywhere, in eager execution; the model is left as it is.

    A training step is the second one, when the optimizer's buffers are there. Without a CUDA device here, one is
    predicted with the kernels of the CPU: torch then runs no autograd on fake CUDA tensors, and takes fused attention
    apart into one with all its logits. Fused attention is then the CPU's, over chunks, without padding.

    Raises:
        AABenchError: the network does not run at this size.
    """
    device = way.device if torch.cuda.is_available() else "cpu"
    model = shadow(model).to(dtype=DTYPES[way.dtype] if way.mode == "infer" else torch.float32)
    memory_format = torch.channels_last if way.channels_last else torch.contiguous_format
    model = model.to(memory_format=memory_format)
    with FakeTensorMode(allow_non_fake_inputs=True):
        fake = shadow(model, device)
        x = torch.empty(way.batch, 3, side, side, device=device, memory_format=memory_format)
        call = workload(fake, x, num_classes, way.mode, way.dtype)
        with naming_the_module(fake, (side, side)), LiveBytes() as live:
            live.hold_model(fake)
            live.hold("inputs", [x])
            if way.mode == "train":
                call()
            with Traffic() as traffic, flop_counter() as counter:
                call()
    memory = {kind: live.peak_by_kind.get(kind, 0) for kind in KINDS}
    return Prediction(device, memory, int(counter.get_total_flops()), traffic.bytes)
