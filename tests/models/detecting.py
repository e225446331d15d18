"""Small detectors, and images made up of squares."""

import torch
from torch import Tensor

from aabench.models import create_model
from aabench.models.detector import Detector

SIDE = 128
SMALL = {
    "retinanet": {"channels": 32, "anchor_scale": 2.0},
    "faster_rcnn": {"channels": 32, "anchor_size": 8, "representation": 64, "regions": 64, "norm": "batch"},
}


def small(name: str, side: int | tuple[int, int] = SIDE, num_classes: int = 3, **arguments: object) -> Detector:
    """A detector of few channels, for small objects."""
    kind = next(kind for kind in SMALL if kind in name)
    model = create_model(name, input_size=side, num_classes=num_classes, **{"width": 16, **SMALL[kind], **arguments})
    assert isinstance(model, Detector)
    return model


def squares(count: int, height: int = 100) -> tuple[Tensor, list[tuple[int, int]], list[dict[str, Tensor]]]:
    """Images of that height and 128 columns on canvases of 128x128, each with a red and a green square on noise.

    Red is category 1 and green 2.
    """
    generator = torch.Generator().manual_seed(0)
    images = 0.1 * torch.randn(count, 3, SIDE, SIDE, generator=generator)
    images[:, :, height:] = 0
    targets = []
    for image in images:
        boxes = []
        for colour in range(2):
            side = int(torch.randint(24, 48, (), generator=generator))
            x, y = (int(torch.randint(0, end - side, (), generator=generator)) for end in (SIDE, height))
            image[colour, y : y + side, x : x + side] += 2
            boxes.append([x, y, x + side, y + side])
        targets.append({"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor([1, 2])})
    return images, [(height, SIDE)] * count, targets


def nothing() -> dict[str, Tensor]:
    """The target of an image without objects."""
    return {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


def total(losses: dict[str, Tensor]) -> Tensor:
    """What is trained."""
    return torch.stack(list(losses.values())).sum()


def gradless(model: Detector) -> list[str]:
    """Parameters without a gradient of finite numbers."""
    return [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


def assert_learns_with_and_without_objects(model: Detector, boxes: tuple[str, ...]) -> None:
    """Without any object the losses of ``boxes`` are 0; with one image of three without, every parameter learns."""
    images, sizes, targets = squares(3)
    losses = model.train().losses(images, sizes, [nothing()] * 3)
    assert {name for name, loss in losses.items() if loss.item() == 0} == set(boxes)
    torch.autograd.backward(total(losses))
    model.zero_grad()
    torch.autograd.backward(total(model.losses(images, sizes, [*targets[:2], nothing()])))
    assert gradless(model) == []


def assert_fp32_under_autocast(model: Detector) -> None:
    """The losses, boxes and scores."""
    images, sizes, targets = squares(2)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.train().losses(images, sizes, targets)
        detections = model.eval().detect(images, sizes)[0]
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert detections["boxes"].dtype == detections["scores"].dtype == torch.float32


def train(model: Detector, steps: int) -> list[float]:
    """The summed loss of each step on four images of squares."""
    images, sizes, targets = squares(4)
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.01, momentum=0.9)
    curve = []
    for _ in range(steps):
        loss = total(model.losses(images, sizes, targets))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        curve.append(loss.item())
    return curve


def found(model: Detector) -> int:
    """How many of the 8 squares have an overlap of 0.5 or more with the best detection of their category."""
    images, sizes, targets = squares(4)
    hits = 0
    for detections, target in zip(model.eval().detect(images, sizes), targets, strict=True):
        for box, label in zip(target["boxes"], target["labels"], strict=True):
            of_label = detections["boxes"][detections["labels"] == label]
            hits += len(of_label) > 0 and overlap(of_label[0], box) >= 0.5
    return hits


def overlap(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two boxes, by hand."""
    sides = [max(0.0, min(a[i + 2], b[i + 2]).item() - max(a[i], b[i]).item()) for i in (0, 1)]
    shared = sides[0] * sides[1]
    areas = [((box[2] - box[0]) * (box[3] - box[1])).item() for box in (a, b)]
    return shared / (sum(areas) - shared)


def assert_in_order(model: Detector) -> None:
    """What an untrained detector finds anywhere is sorted, clipped to its image, and labelled from 1."""
    images, _, _ = squares(2)
    sizes = [(100, 128), (40, 60)]
    for detections, (height, width) in zip(model.eval().detect(images, sizes), sizes, strict=True):
        boxes, scores, labels = (detections[name] for name in ("boxes", "scores", "labels"))
        assert 0 < len(boxes) == len(scores) == len(labels) <= 100
        assert boxes.shape[1] == 4
        assert scores.tolist() == sorted(scores.tolist(), reverse=True)
        assert (scores > 0.05).all()
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= width).all()
        assert (boxes[:, 3] <= height).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert labels.dtype == torch.int64
        assert set(labels.tolist()) <= {1, 2, 3}
        assert len(set(labels.tolist())) > 1
