"""What detections take on real images: their cost depends on what is in them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from torch import Tensor

from aabench.models.detector import Detector
from aabench.profile.counters import flop_counter
from aabench.record import Value
from aabench.terms import Found, Size


class CountedDetector:
    """Detects, and counts what was executed for it, 2 a multiply-add.

    Attributes:
        flops: of each image, in order; an image's share of its batch.
    """

    def __init__(self, model: Detector) -> None:
        self._model = model
        self.flops: list[float] = []

    def __call__(self, images: Tensor, sizes: Sequence[Size]) -> list[Found]:
        """As :meth:`aabench.models.detector.Detector.detect`."""
        with flop_counter() as counter:
            found = self._model.detect(images, sizes)
        self.flops += [counter.get_total_flops() / len(sizes)] * len(sizes)
        return found

    def values(self) -> tuple[Value, ...]:
        """Mean, standard deviation, least and most of the images so far."""
        summary = {
            "mean": statistics.fmean(self.flops),
            "deviation": statistics.pstdev(self.flops),
            "least": min(self.flops),
            "most": max(self.flops),
        }
        return tuple(
            Value(metric="image_flops", value=value, unit="FLOPs", convention=name) for name, value in summary.items()
        )
