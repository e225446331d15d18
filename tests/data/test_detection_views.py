"""What a detector is shown: sizes, and boxes that stay with their pixels."""

import pytest
import torch

from aabench.data.detection_views import Frame, View

HEIGHT, WIDTH = 300, 400
X1, Y1, X2, Y2 = 120, 80, 260, 200
VIVID = 200


def painted():
    """Black, with one white box."""
    pixels = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    pixels[:, Y1:Y2, X1:X2] = 255
    return View(pixels, torch.tensor([[X1, Y1, X2, Y2]], dtype=torch.float32), torch.tensor([7]))


def found(view):
    """Corners of what is white."""
    rows, columns = (view.pixels[0] > 127).nonzero(as_tuple=True)
    return [columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1]


@pytest.mark.parametrize(
    ("original", "size", "fitted"),
    [
        ((480, 640), 800, (800, 1067)),  # 640 * 800 / 480 = 1066.7
        ((640, 480), 800, (1067, 800)),
        ((300, 600), 800, (666, 1333)),  # the longer side decides: 300 * 1333 / 600 = 666.5, to even
        ((240, 320), 400, (400, 533)),
        ((200, 600), 400, (222, 666)),  # 400 * 1333 / 800 = 666.5, to even
        ((500, 500), 800, (800, 800)),
    ],
)
def test_the_shorter_side_becomes_size_and_the_longer_at_most_five_thirds(original, size, fitted):
    assert Frame("shorter-side", size).fitted(original) == fitted


def test_the_longer_side_becomes_the_square():
    assert Frame("square", 640).fitted((480, 640)) == (480, 640)
    assert Frame("square", 640).fitted((500, 333)) == (640, 426)  # 333 * 640 / 500 = 426.2
    assert Frame("square", 10).fitted((2, 400)) == (1, 10), "never less than a pixel"


def test_a_canvas_has_room_for_all_and_sides_of_whole_strides():
    assert Frame("shorter-side", 800).canvas([(480, 640), (640, 640)]) == (800, 1088)
    assert Frame("shorter-side", 800).canvas([(480, 640), (640, 480)]) == (1088, 1088)
    assert Frame("square", 100).canvas([(480, 640), (640, 480)]) == (100, 100)


@pytest.mark.parametrize("frame", [Frame("square", 160), Frame("square", 640), Frame("shorter-side", 200)])
def test_boxes_follow_pixels_when_all_of_an_image_is_shown(frame):
    view = frame.whole(painted())
    assert view.boxes[0].tolist() == pytest.approx(found(view), abs=1)
    assert view.size == frame.fitted((HEIGHT, WIDTH))


@pytest.mark.parametrize("frame", [Frame("square", 160), Frame("square", 640), Frame("shorter-side", 200)])
def test_boxes_follow_pixels_through_every_draw(frame):
    views = [frame.drawn(painted(), seed=0, epoch=0, index=index) for index in range(40)]
    for view in views:
        assert view.labels.tolist() == [7]
        assert view.boxes[0].tolist() == pytest.approx(found(view), abs=1)
    # Mirrored: the box is 20 pixels left of the middle in the picture, and right of it in its mirror.
    centres = [((view.boxes[0, 0] + view.boxes[0, 2]) / 2 / view.size[1]).item() for view in views]
    assert 8 < sum(centre > 0.5 for centre in centres) < 32


def test_a_square_jitters_scale_and_crops_what_is_too_large():
    frame = Frame("square", 160)
    views = [frame.drawn(painted(), seed=0, epoch=0, index=index) for index in range(200)]
    # The box is 120 of 300 pixels high; the whole image would be 120 high in the square, 96 to 144 with the jitter.
    heights = [view.boxes[0, 3] - view.boxes[0, 1] for view in views]
    assert 38 < min(heights) < 40
    assert 56 < max(heights) < 58
    widths = [view.size[1] for view in views]
    assert 128 <= min(widths) < 131
    assert max(widths) == 160
    # Cropped ones start at any of the columns that were left over: up to 32 of them.
    lefts = {round(view.boxes[0, 0].item()) for view in views if view.size[1] == 160}
    assert max(lefts) - min(lefts) > 25


def test_only_shorter_sides_flip():
    sizes = {Frame("shorter-side", 200).drawn(painted(), seed=0, epoch=0, index=index).size for index in range(20)}
    assert sizes == {(200, 267)}


def test_boxes_are_clipped_to_the_crop_and_slivers_go():
    pixels = torch.zeros(3, 100, 100, dtype=torch.uint8)
    boxes = torch.tensor([[0, 0, 100, 100], [0, 0, 1.1, 100], [40, 40, 60, 60]], dtype=torch.float32)
    image = View(pixels, boxes, torch.tensor([1, 2, 3]))
    shown = [Frame("square", 100).drawn(image, seed=0, epoch=0, index=index) for index in range(100)]
    for view in shown:
        assert view.labels.tolist() in ([1, 3], [1, 2, 3])
        assert view.boxes[0].tolist() == [0, 0, view.size[1], view.size[0]]
        assert (view.boxes[:, 2:] - view.boxes[:, :2]).min() >= 1
    assert {len(view.labels) for view in shown} == {2, 3}


@pytest.mark.parametrize("framing", ["square", "shorter-side"])
def test_an_image_without_objects(framing):
    empty = View(painted().pixels, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    for view in (Frame(framing, 160).whole(empty), Frame(framing, 160).drawn(empty, seed=0, epoch=0, index=0)):
        assert view.boxes.shape == (0, 4)
        assert view.labels.shape == (0,)


def test_what_is_drawn_depends_on_seed_epoch_and_image_alone():
    frame, before = Frame("square", 160), torch.get_rng_state()
    first = frame.drawn(painted(), seed=1, epoch=2, index=3)
    torch.rand(7)
    again = frame.drawn(painted(), seed=1, epoch=2, index=3)
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.boxes, again.boxes)
    others = [
        frame.drawn(painted(), **{"seed": 1, "epoch": 2, "index": 3, **other})
        for other in ({"seed": 2}, {"epoch": 3}, {"index": 4})
    ]
    assert len({tuple(view.boxes[0].tolist()) for view in [first, *others]}) == 4
    torch.set_rng_state(before)
    frame.drawn(painted(), seed=1, epoch=2, index=3)
    assert torch.equal(torch.get_rng_state(), before)
