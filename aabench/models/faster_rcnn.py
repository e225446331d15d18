"""Faster R-CNN (Ren et al., 1506.01497) with a feature pyramid (Lin et al., 1612.03144), of torchvision's parts.

AW's detectors are such (awconv.md, section 1); their settings are unspecified. Here they are torchvision's, but that
every stage of the backbone learns: torchvision keeps the weights of the stem and of the first stage as they were, and
we do not (ours). Images arrive resized, normalised and padded: there is no GeneralizedRCNNTransform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead, concat_box_prediction_layers
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, roi_align
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from torchvision.ops.poolers import LevelMapper

from aabench.models.anchors import PyramidAnchors
from aabench.models.backbone import ANY_SIZE, STRIDES, Backbone, OnBackbone, build_backbone
from aabench.models.detector import DETECTIONS, Detector
from aabench.models.parts import Network
from aabench.terms import Found, Size, Target

RATIOS = (0.5, 1.0, 2.0)
PROPOSALS = {"training": 2000, "testing": 1000}
"""Of a level before NMS, and of an image after it."""
SAMPLED_ANCHORS = 256
"""Anchors of an image that the RPN learns from."""
POSITIVE_ANCHORS, POSITIVE_REGIONS = 0.5, 0.25
"""The most of the sampled ones that have an object, as shares."""
BETA = 1 / 9
"""Of the smooth L1 losses."""
POOLED = 7
"""Cells a side that a region is pooled to."""
SAMPLES = 2
"""Points a side of such a cell."""


class Float32RPNHead(RPNHead):  # type: ignore[misc]  # torchvision has no types here
    """Gives fp32 under autocast too: boxes are decoded in the data type of the deltas, and pixels need 32 bits."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Maps of the levels -> objectness (N, 3, H, W) and deltas (N, 12, H, W) of each."""
        logits, deltas = super().forward(x)
        return [each.float() for each in logits], [each.float() for each in deltas]


class Float32Predictor(FastRCNNPredictor):  # type: ignore[misc]  # torchvision has no types here
    """Gives fp32 under autocast too, as the head of the RPN does: these deltas move boxes in pixels as well."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Regions (R, representation) -> class logits (R, classes) and deltas (R, 4 classes)."""
        logits, deltas = super().forward(x)
        return logits.float(), deltas.float()


class FasterRCNN(Detector):
    """Backbone, pyramid, proposals, and a head that classifies and moves the best proposals.

    Args:
        backbone: gives the maps of four stages.
        input_size: (H, W) in pixels that it was built for.
        num_classes: categories; background is one more output.
        channels: of the pyramid.
        regions: of an image that the box head learns from.
        representation: width of the box head.
        anchor_size: side of the square anchor of P2 in pixels, doubled from level to level. Regions go to the levels by
            their sizes in anchors.

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
        regions: int,
        representation: int,
        anchor_size: int,
    ) -> None:
        super().__init__(backbone, input_size, num_classes)
        if min(channels, regions, representation, anchor_size) < 1:
            raise ValueError(
                f"channels={channels}, regions={regions}, representation={representation}, anchor_size={anchor_size}: "
                "each is at least 1"
            )
        self.regions = regions
        self.pyramid = FeaturePyramidNetwork(list(backbone.channels), channels, LastLevelMaxPool())
        self.rpn = _rpn(channels, anchor_size)
        self.roi_heads = RoIHeads(
            _pooling(anchor_size),
            TwoMLPHead(channels * POOLED**2, representation),
            Float32Predictor(representation, num_classes + 1),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=regions,
            positive_fraction=POSITIVE_REGIONS,
            bbox_reg_weights=None,
            score_thresh=0.05,
            nms_thresh=0.5,
            detections_per_img=DETECTIONS,
        )

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """See :class:`Detector`."""
        return self.rpn.head, self.roi_heads.box_predictor

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """All of the network, with set regions in the place of proposals.

        They lie on a regular grid, as many on each level: as many in all as proposals are kept in evaluation mode, and
        as many as the box head learns from in train mode. So the cost is that of a detection that has all its
        proposals. Decoding, top-k, NMS and, in training, matching and sampling are not in it.

        Returns:
            Objectness (N A, 1) and deltas (N A, 4) of the A anchors, class logits (N R, num_classes + 1) and deltas
            (N R, 4 (num_classes + 1)) of the R regions.
        """
        features = self._features(images)
        objectness, deltas = concat_box_prediction_layers(*self.rpn.head(list(features.values())))
        count = self.regions if self.training else PROPOSALS["testing"]
        levels = list(features.values())[: len(STRIDES)]
        pooled = torch.cat(
            [
                _pool(level, _grid(images, share, stride), stride)
                for level, stride, share in zip(levels, STRIDES, _shares(count), strict=True)
            ]
        )
        logits, moves = self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))
        return objectness, deltas, logits, moves

    def stand_in_loss(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """The four losses with as many samples as training has at most, all of background or the first category."""
        objectness, deltas, logits, moves = outputs
        images = len(logits) // self.regions
        anchors = min(images * SAMPLED_ANCHORS, len(objectness))
        boxes, regions = int(anchors * POSITIVE_ANCHORS), int(len(logits) * POSITIVE_REGIONS)
        sampled = objectness[:anchors].flatten()
        of_class = moves.reshape(len(moves), -1, 4)[:regions, 1]
        labels = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        return (
            F.binary_cross_entropy_with_logits(sampled, torch.zeros_like(sampled))
            + F.smooth_l1_loss(deltas[:boxes], torch.zeros_like(deltas[:boxes]), beta=BETA)
            + F.cross_entropy(logits, labels)
            + F.smooth_l1_loss(of_class, torch.zeros_like(of_class), beta=BETA)
        )

    def _losses(self, images: Tensor, sizes: Sequence[Size], targets: Sequence[Target]) -> dict[str, Tensor]:
        listed, features = ImageList(images, list(sizes)), self._features(images)
        proposals, of_rpn = self.rpn(listed, features, targets)
        _, of_regions = self.roi_heads(features, proposals, listed.image_sizes, targets)
        return {
            "objectness": of_rpn["loss_objectness"],
            "rpn_box": of_rpn["loss_rpn_box_reg"],
            "class": of_regions["loss_classifier"],
            "box": of_regions["loss_box_reg"],
        }

    def _detect(self, images: Tensor, sizes: Sequence[Size]) -> list[Found]:
        listed, features = ImageList(images, list(sizes)), self._features(images)
        proposals, _ = self.rpn(listed, features)
        found: list[Found]
        found, _ = self.roi_heads(features, proposals, listed.image_sizes)
        return found

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        """P2..P5 as ``0`` to ``3``, and P6 as ``pool``."""
        maps = {str(index): x for index, x in enumerate(self.backbone(images))}
        features: dict[str, Tensor] = self.pyramid(maps)
        return features


def _rpn(channels: int, anchor_size: int) -> RegionProposalNetwork:
    sizes = [(float(anchor_size * 2**level),) for level in range(len(STRIDES) + 1)]
    return RegionProposalNetwork(
        PyramidAnchors(sizes, RATIOS, (*STRIDES, 2 * STRIDES[-1])),
        Float32RPNHead(channels, len(RATIOS)),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=SAMPLED_ANCHORS,
        positive_fraction=POSITIVE_ANCHORS,
        pre_nms_top_n=PROPOSALS,
        post_nms_top_n=PROPOSALS,
        nms_thresh=0.7,
    )


def _pooling(anchor_size: int) -> MultiScaleRoIAlign:
    """Torchvision's, for the true strides: it would find them once and for all from the first batch's largest image,
    and those of images that are much smaller than their canvas are others. A region of 7 anchors' sides goes to P4.
    """
    scale = 7 * anchor_size
    names = [str(index) for index in range(len(STRIDES))]
    pooling = MultiScaleRoIAlign(names, POOLED, SAMPLES, canonical_scale=scale)
    pooling.scales = [1 / stride for stride in STRIDES]
    first, last = (int(math.log2(stride)) for stride in (STRIDES[0], STRIDES[-1]))
    pooling.map_levels = LevelMapper(first, last, canonical_scale=scale)
    return pooling


def _shares(count: int) -> list[int]:
    """As many for each level; the first ones take what is left."""
    whole, rest = divmod(count, len(STRIDES))
    return [whole + (level < rest) for level in range(len(STRIDES))]


def _grid(images: Tensor, count: int, stride: int) -> Tensor:
    """For each image ``count`` regions (N count, 5): its index, and the corners of a box of POOLED strides a side."""
    height, width = images.shape[-2:]
    columns = math.ceil(count**0.5)
    index = torch.arange(count, device=images.device)
    x = (index % columns + 0.5) * (width / columns)
    y = (index // columns + 0.5) * (height / math.ceil(count / columns))
    half = POOLED * stride / 2
    boxes = torch.stack([x - half, y - half, x + half, y + half], dim=1).repeat(len(images), 1)
    image = torch.arange(len(images), device=images.device).repeat_interleave(count, output_size=len(boxes))
    return torch.cat([image[:, None], boxes], dim=1)


def _pool(level: Tensor, regions: Tensor, stride: int) -> Tensor:
    """(N, C, H, W) -> (R, C, POOLED, POOLED) in the level's data type; pooled in fp32, as under autocast."""
    pooled: Tensor = roi_align(level.float(), regions, POOLED, 1 / stride, SAMPLES)
    return pooled.to(level.dtype)


def build_faster_rcnn(
    network: Network,
    *,
    input_size: Size,
    num_classes: int,
    norm: str = "frozen",
    channels: int = 256,
    regions: int = 512,
    representation: int = 1024,
    anchor_size: int = 32,
    **own: Any,
) -> FasterRCNN:
    """Faster R-CNN on the backbone of a classifier, whose arguments are ``own``; for ``norm`` see Backbone.

    Raises:
        ValueError: an argument that does not fit.
    """
    return FasterRCNN(
        build_backbone(network, input_size, norm, own),
        input_size,
        num_classes,
        channels=channels,
        regions=regions,
        representation=representation,
        anchor_size=anchor_size,
    )


NETWORKS: dict[str, Network] = {
    f"{name.replace('resnet', 'faster_rcnn_resnet')}_fpn": OnBackbone(build_faster_rcnn, network)
    for name, network in ANY_SIZE.items()  # the images are of many
}
