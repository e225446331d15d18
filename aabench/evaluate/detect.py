"""From a detector and a data set to COCO's average precision, each image exactly once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from aabench.data.batch import Unreadable, none_readable, reading
from aabench.data.coco import CocoFiles
from aabench.data.detection import DetectionBatch
from aabench.errors import AABenchError
from aabench.evaluate.classify import Precision, check_each_once, eval_mode
from aabench.evaluate.coco import DetectionScores, coco_scores
from aabench.models.detector import Detector, NotFinite
from aabench.terms import Found, Size

BATCH = {"square": 8, "shorter-side": 1}
"""Images a forward pass: with canvases of their own, one, so that nothing depends on its neighbours' sizes."""

Detect = Callable[[Tensor, Sequence[Size]], list[Found]]
"""What :meth:`aabench.models.detector.Detector.detect` is."""


class Detections(NamedTuple):
    """What a detector finds in a data set.

    Attributes:
        results: a COCO results list: dicts with ``image_id``, ``category_id``, ``bbox`` (x y width height, in pixels of
            the file) and ``score``; images in the order of the data set, best first in each. What a detector takes
            for a category that the data set does not have (COCO uses 80 of its 90 ids) is left out: COCO's precision
            is a mean over the categories that there are, and its evaluator refuses others.
        unreadable: images that could not be decoded, and have no detection.
    """

    results: list[dict[str, Any]]
    unreadable: tuple[Unreadable, ...]

    @property
    def digest(self) -> str:
        """Of the results, to tell equal ones."""
        return hashlib.sha256(json.dumps(self.results).encode()).hexdigest()[:16]


def evaluate_detector(model: Detector, data: CocoFiles, **how: Any) -> DetectionScores:
    """Score a detector; its train or eval mode is what it was before. Arguments are those of :func:`detect_all`.

    Raises:
        AABenchError: as :func:`detect_all` and :func:`aabench.evaluate.coco_scores`.
    """
    return score_detections(detect_all(model, data, **how), data)


def score_detections(found: Detections, data: CocoFiles) -> DetectionScores:
    """Judge what was found in a data set by its own annotations. An image that could not be read is one without
    detections.
    """
    scores = coco_scores(data.ground_truth(), found.results)
    unreadable = {image.name: image.reason for image in found.unreadable}
    return replace(scores, unreadable=unreadable, digest=found.digest)


def detect_all(
    model: Detector,
    data: CocoFiles,
    *,
    transform: Callable[[DetectionBatch], Tensor],
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
    channels_last: bool = False,
    on_batch: Callable[[int], None] | None = None,
    detect: Detect | None = None,
) -> Detections:
    """Look for objects in every image; the model's train or eval mode is what it was before.

    Args:
        model: on ``device``.
        data: the images.
        transform: a batch as stored -> the model's input.
        device: where the model is.
        precision: ``bf16`` runs the forward pass under autocast.
        channels_last: memory format of the model's input.
        on_batch: called after each batch with the number of images done.
        detect: in the place of the model's own, to watch it.

    Raises:
        AABenchError: no image, or none that can be read; an output that is not finite.
    """
    if len(data) == 0:
        raise AABenchError(f"{data.source} holds no image; give a set that does")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    amp = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")
    detect, done = detect or model.detect, 0
    results: list[dict[str, Any]] = []
    unreadable: list[Unreadable] = []
    seen: list[Tensor] = []
    with eval_mode(model), torch.no_grad(), amp, reading(data.once(BATCH[data.frame.framing])) as batches:
        for batch in batches:
            unreadable += batch.unreadable
            seen.append(batch.indices)
            if len(batch.indices):
                x = transform(batch.to(device)).contiguous(memory_format=layout)
                results += _as_results(_finite(detect, x, batch, data), batch, data)
            done += len(batch.indices) + len(batch.unreadable)
            if on_batch is not None:
                on_batch(done)
    lost = torch.tensor([image.position for image in unreadable], dtype=torch.int64)
    check_each_once(torch.cat([*seen, lost]), len(data))
    if len(unreadable) == len(data):
        raise none_readable(unreadable, f"images of {data.source}")
    return Detections(results, tuple(unreadable))


def _finite(detect: Detect, x: Tensor, batch: DetectionBatch, data: CocoFiles) -> list[Found]:
    """What is found in a batch's images ``x``, or an error that names them."""
    try:
        return detect(x, batch.sizes)
    except NotFinite as error:
        ids = ", ".join(str(data.image_ids[index]) for index in batch.indices.tolist())
        raise AABenchError(
            f"the network's output is not finite for the batch of image ids {ids}: its weights are broken, "
            "take an earlier checkpoint"
        ) from error


def _as_results(found: Sequence[Found], batch: DetectionBatch, data: CocoFiles) -> list[dict[str, Any]]:
    """Entries of a COCO results list: boxes from the canvas back to pixels of the file."""
    results, known = [], set(data.categories)
    for index, one, (height, width), original in zip(
        batch.indices.tolist(), found, batch.sizes, batch.originals, strict=True
    ):
        scores = one["scores"].double().cpu()
        scale = torch.tensor([original[1] / width, original[0] / height] * 2, dtype=torch.float64)
        boxes = one["boxes"].double().cpu() * scale
        boxes[:, 2:] -= boxes[:, :2]
        for box, score, label in zip(boxes.tolist(), scores.tolist(), one["labels"].tolist(), strict=True):
            if label in known:
                entry = {"image_id": data.image_ids[index], "category_id": label, "bbox": box, "score": score}
                results.append(entry)
    return results
