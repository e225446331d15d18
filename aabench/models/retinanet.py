"""RetinaNet (Lin et al., 1708.02002) as AA trains it: Tables 5 and 8; aanet.md, section 2, RetinaNet.

The sheet gives 640x640 pixels, 90 classes, 6 anchors a location, P3..P7, 256 channels, heads of 4 + 4 shared
convolutions with normalisation per level. Unspecified there and ours: the anchors' 2 scales and 3 ratios and their
size (``anchor_scale``), alpha and gamma of the focal loss, the prior that classes begin with, the box loss, the
thresholds of matching and detection, and where biases and normalisation stand (:mod:`aabench.models.pyramid`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes, sigmoid_focal_loss

from aabench.models.anchors import PyramidAnchors
from aabench.models.backbone import BACKBONES, Backbone, OnBackbone, build_backbone
from aabench.models.detector import DETECTIONS, Detector
from aabench.models.parts import Network
from aabench.models.pyramid import LEVELS, Head, Pyramid
from aabench.terms import Found, Size, Target

STRIDES = tuple(8 * 2**level for level in range(LEVELS))
RATIOS = (0.5, 1.0, 2.0)
SCALES = (1.0, 2**0.5)
ANCHORS = len(RATIOS) * len(SCALES)
"""Of a cell."""
PRIOR = 0.01
"""Probability that every class begins with."""
ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss."""
MATCHED, UNMATCHED = 0.5, 0.4
"""An anchor learns an object that it overlaps with this IoU or more, and background below the other."""
BETA = 1 / 9
"""Of the smooth L1 loss: Faster R-CNN's in torchvision."""
LEAST_SCORE = 0.05
CANDIDATES = 1000
"""The most detections of a level before NMS."""
NMS = 0.5
LEAST_SIDE = 1e-2
"""Pixels; thinner boxes are dropped, such as those that lay beyond the image."""
STAND_IN_POSITIVES = 64
"""Anchors of an image that learn an object in the stand-in loss: ours; training's depend on the image."""


class Assignment(NamedTuple):
    """What the anchors of one image learn.

    Attributes:
        labels: (A,) int64: the category, 0 for background, -1 for nothing.
        boxes: (A, 4), the object's box where there is one.
    """

    labels: Tensor
    boxes: Tensor


def assign(anchors: Tensor, target: Target) -> Assignment:
    """To each anchor (A, 4) the object it overlaps most, if enough; to each object its best anchors in any case."""
    if len(target["boxes"]) == 0:
        return Assignment(
            torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device), torch.zeros_like(anchors)
        )
    matched = Matcher(MATCHED, UNMATCHED, allow_low_quality_matches=True)(box_iou(target["boxes"], anchors))
    labels = target["labels"][matched.clamp(min=0)]
    labels = labels.where(matched != Matcher.BELOW_LOW_THRESHOLD, 0).where(matched != Matcher.BETWEEN_THRESHOLDS, -1)
    return Assignment(labels, target["boxes"][matched.clamp(min=0)])


class RetinaNet(Detector):
    """Backbone, pyramid, and two heads that classify and move anchors.

    Args:
        backbone: gives the maps of four stages; the last three are used.
        input_size: (H, W) in pixels that it was built for.
        num_classes: categories.
        channels: of the pyramid and the heads.
        head_convs: of each head, before the one that predicts.
        anchor_scale: side of the smaller square anchor, in strides of its level.

    Raises:
        ValueError: an argument that does not fit.
    """

    def __init__(
        self,
        backbone: Backbone,
        input_size: Size,
        num_classes: int,
        *,
        channels: int,
        head_convs: int,
        anchor_scale: float,
    ) -> None:
        super().__init__(backbone, input_size, num_classes)
        if channels < 1 or head_convs < 0 or not anchor_scale > 0:
            raise ValueError(
                f"channels={channels} is at least 1, head_convs={head_convs} at least 0, anchor_scale={anchor_scale} "
                "above 0"
            )
        self.pyramid = Pyramid(backbone.channels[1:], channels)
        self.class_head = Head(channels, head_convs, ANCHORS, num_classes, bias=-math.log((1 - PRIOR) / PRIOR))
        self.box_head = Head(channels, head_convs, ANCHORS, 4)
        sizes = [tuple(anchor_scale * stride * scale for scale in SCALES) for stride in STRIDES]
        self.anchors = PyramidAnchors(sizes, RATIOS, STRIDES)
        self._coder = BoxCoder((1.0, 1.0, 1.0, 1.0))

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """See :class:`Detector`."""
        return self.class_head, self.box_head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """All of the network: class logits (N, A, num_classes) and box deltas (N, A, 4) of the A anchors."""
        levels = self.pyramid(self.backbone(images)[1:])
        return torch.cat(self.class_head(levels), 1), torch.cat(self.box_head(levels), 1)

    def _losses(self, images: Tensor, sizes: Sequence[Size], targets: Sequence[Target]) -> dict[str, Tensor]:
        logits, deltas = self(images)
        anchors = torch.cat(self._anchors(images))
        assigned = [assign(anchors, target) for target in targets]
        labels = torch.stack([each.labels for each in assigned])
        image, anchor = torch.where(labels > 0)
        wanted = torch.stack([each.boxes for each in assigned])[image, anchor]
        codes = self._coder.encode_single(wanted, anchors[anchor])
        objects = (image, anchor, labels[image, anchor] - 1)
        return _losses(logits, deltas, labels >= 0, objects, codes)

    def stand_in_loss(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """The losses for STAND_IN_POSITIVES anchors of the first category an image. Matching is not in it."""
        logits, deltas = outputs
        images, anchors, _ = logits.shape
        anchor = torch.arange(STAND_IN_POSITIVES, device=logits.device).clamp(max=anchors - 1).repeat(images)
        image = torch.arange(images, device=logits.device).repeat_interleave(
            STAND_IN_POSITIVES, output_size=len(anchor)
        )
        codes = torch.zeros(len(anchor), 4, device=logits.device)
        counted = torch.ones(images, anchors, dtype=torch.bool, device=logits.device)
        losses = _losses(logits, deltas, counted, (image, anchor, torch.zeros_like(anchor)), codes)
        return losses["class"] + losses["box"]

    def _detect(self, images: Tensor, sizes: Sequence[Size]) -> list[Found]:
        logits, deltas = self(images)
        anchors = self._anchors(images)
        return [
            self._best(list(self._candidates(of_image.float(), moves.float(), anchors)), size)
            for of_image, moves, size in zip(logits, deltas, sizes, strict=True)
        ]

    def _anchors(self, images: Tensor) -> list[Tensor]:
        height, width = images.shape[-2:]
        return self.anchors.levels((height, width), images.device)

    def _candidates(self, logits: Tensor, deltas: Tensor, anchors: Sequence[Tensor]) -> Iterator[Found]:
        """Of each level, the best that an image's logits (A, num_classes) and deltas (A, 4) give."""
        lengths = [len(of_level) for of_level in anchors]
        for by_class, moves, boxes in zip(
            torch.split(logits, lengths), torch.split(deltas, lengths), anchors, strict=True
        ):
            scores = by_class.sigmoid().flatten()
            (above,) = torch.where(scores > LEAST_SCORE)
            best, order = scores[above].topk(min(CANDIDATES, len(above)))
            index, label = above[order] // self.num_classes, above[order] % self.num_classes
            decoded = self._coder.decode_single(moves[index], boxes[index])
            yield {"boxes": decoded, "scores": best, "labels": label + 1}

    def _best(self, levels: Sequence[Found], size: Size) -> Found:
        """Of all levels, in an image's bounds, without duplicates."""
        found = {name: torch.cat([level[name] for level in levels]) for name in levels[0]}
        found["boxes"] = clip_boxes_to_image(found["boxes"], size)
        kept = remove_small_boxes(found["boxes"], LEAST_SIDE)
        found = {name: value[kept] for name, value in found.items()}
        kept = batched_nms(found["boxes"], found["scores"], found["labels"], NMS)[:DETECTIONS]
        return {name: value[kept] for name, value in found.items()}


def _losses(
    logits: Tensor, deltas: Tensor, counted: Tensor, objects: tuple[Tensor, Tensor, Tensor], codes: Tensor
) -> dict[str, Tensor]:
    """Focal and box loss, both over the number of anchors that have an object.

    Args:
        logits: (N, A, num_classes).
        deltas: (N, A, 4).
        counted: (N, A), the anchors that learn a class or background.
        objects: image, anchor and class from 0, (P,) each.
        codes: (P, 4), what the box deltas of these should be.
    """
    image, anchor, _ = objects
    logits, deltas = logits.float(), deltas.float()
    wanted = torch.zeros_like(logits)
    wanted[objects] = 1
    focal = sigmoid_focal_loss(logits, wanted, ALPHA, GAMMA) * counted.unsqueeze(-1)
    boxes = F.smooth_l1_loss(deltas[image, anchor], codes, reduction="sum", beta=BETA)
    positives = max(1, len(anchor))
    return {"class": focal.sum() / positives, "box": boxes / positives}


def build_retinanet(
    network: Network,
    *,
    input_size: Size,
    num_classes: int,
    norm: str = "batch",
    channels: int = 256,
    head_convs: int = 4,
    anchor_scale: float = 4.0,
    **own: Any,
) -> RetinaNet:
    """RetinaNet on the backbone of a classifier, whose arguments are ``own``; for ``norm`` see Backbone.

    Raises:
        ValueError: an argument that does not fit.
    """
    backbone = build_backbone(network, input_size, norm, own)
    return RetinaNet(
        backbone, input_size, num_classes, channels=channels, head_convs=head_convs, anchor_scale=anchor_scale
    )


NETWORKS: dict[str, Network] = {
    name.replace("resnet", "retinanet_resnet"): OnBackbone(build_retinanet, network)
    for name, network in BACKBONES.items()
}
