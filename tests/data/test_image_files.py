"""Images in files: what is decoded, what is cut out, and what becomes of those that cannot be read."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from aabench.data.batch import Batch, reading
from aabench.data.crops import centre_crop, inception_crop
from aabench.data.decode import CannotDecode, read_image
from aabench.data.imagenet import list_images, load_imagenet, synsets
from aabench.errors import AABenchError
from tests.data.pictures import CLASSES, jpeg, picture, write_folder


def kept(batches: Iterable[Batch]) -> list[Batch]:
    """All of them, with images of their own: a batch's are valid until the next one is taken."""
    return [batch._replace(images=batch.images.clone()) for batch in batches]


def listed(folder, **changes):
    return replace(list_images(folder, CLASSES, "pictures", size=16, shorter_side=18), **{"workers": 2, **changes})


# --- decoding


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_colour_mode_becomes_the_rgb_that_pillow_gives(tmp_path, mode):
    file = tmp_path / "image.JPEG"
    picture().convert(mode).save(file, "JPEG")
    with Image.open(file) as image:
        assert image.mode == mode
        expected = F.pil_to_tensor(image.convert("RGB"))
    assert torch.equal(read_image(file), expected)


def test_a_png_called_jpeg_is_read(tmp_path):
    file = tmp_path / "n02105855_2933.JPEG"  # ImageNet has one
    picture().save(file, "PNG")
    assert torch.equal(read_image(file), F.pil_to_tensor(picture()))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_and_palettes_become_rgb(tmp_path, mode):
    plain = Image.new("RGB", (20, 12), (230, 120, 30))
    (plain.quantize(4) if mode == "P" else plain.convert(mode)).save(tmp_path / "image.png")
    image = read_image(tmp_path / "image.png")
    assert image.shape == (3, 12, 20)
    assert (image.int() - torch.tensor([230, 120, 30])[:, None, None]).abs().max() <= 2


def test_an_animation_shows_its_first_picture(tmp_path):
    first, second = Image.new("RGB", (4, 4), (250, 0, 0)), Image.new("RGB", (4, 4))
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "moving.gif")[:, 0, 0].tolist() == [250, 0, 0]


def test_a_picture_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    picture().save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(CannotDecode, match="exceeds limit"):
        read_image(tmp_path / "huge.png")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (jpeg(picture())[:-300], "truncated"),
        (jpeg(picture())[:50], "Truncated|truncated|no image"),
        (b"no image at all", "no image that Pillow knows"),
        (b"", "no image that Pillow knows"),
        (None, "No such file"),
    ],
    ids=["truncated", "head only", "text", "empty", "missing"],
)
def test_what_cannot_be_decoded_says_why(tmp_path, content, reason):
    file = tmp_path / "image.JPEG"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CannotDecode, match=reason) as caught:
        read_image(file)
    assert ".cpp" not in str(caught.value)


# --- crops


def test_the_centre_of_an_image_that_needs_no_resizing():
    image = torch.arange(6 * 9).view(1, 6, 9).expand(3, 6, 9).to(torch.uint8)
    # 9 columns, 4 wanted: 2 are left out at the left and 3 at the right; 1 row at the top and at the bottom.
    assert torch.equal(centre_crop(image, 6, 4), image[:, 1:5, 2:6])


@pytest.mark.parametrize(
    ("height", "width", "resized"), [(100, 151, (50, 76)), (151, 100, (76, 50)), (20, 33, (50, 82))]
)
def test_the_longer_side_is_rounded(height, width, resized):
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    whole = F.resize(image, resized, antialias=True)
    top, left = (resized[0] - 50) // 2, (resized[1] - 50) // 2
    assert torch.equal(centre_crop(image, 50, 50), whole[:, top : top + 50, left : left + 50])


def test_what_is_drawn_depends_on_seed_epoch_and_image_alone():
    image = F.pil_to_tensor(picture(width=96, height=80))
    before = torch.get_rng_state()
    first = inception_crop(image, 16, seed=1, epoch=2, index=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert torch.equal(inception_crop(image, 16, seed=1, epoch=2, index=3), first)
    others = [{"seed": 2}, {"epoch": 3}, {"index": 4}]
    drawn = [inception_crop(image, 16, **{"seed": 1, "epoch": 2, "index": 3, **other}) for other in others]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations([first, *drawn], 2))


def test_half_of_the_crops_are_mirrored_and_their_areas_vary():
    ramp = torch.arange(256, dtype=torch.uint8).expand(3, 256, 256)
    crops = [inception_crop(ramp, 32, seed=0, epoch=0, index=index)[0, 0].int() for index in range(400)]
    rising = sum(bool(row[-1] > row[0]) for row in crops)
    spans = [int((row[-1] - row[0]).abs()) for row in crops]  # width of the crop, nearly
    assert 160 < rising < 240
    # 8 % of the area at aspect 3/4 is 62 pixels wide, all of it 256.
    assert 50 < min(spans) < 90
    assert max(spans) > 215


# --- batches


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_each_image_once_in_order_with_a_ragged_last_batch(tmp_path, workers):
    files = listed(write_folder(tmp_path / "val"), workers=workers)
    batches = kept(files.once(5))
    assert [len(batch.labels) for batch in batches] == [5, 5, 5, 1]
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(16))
    assert torch.cat([batch.labels for batch in batches]).tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    expected = centre_crop(read_image(tmp_path / "val" / "n1" / "2.JPEG"), 18, 16)
    assert torch.equal(batches[1].images[1], expected)


def test_the_middle_of_an_epoch_is_the_same_whoever_decodes_it(tmp_path):
    folder = write_folder(tmp_path / "train")
    whole = kept(listed(folder, workers=0).epoch(3, 1, 4, range(4)))
    before = torch.get_rng_state()
    rest = kept(listed(folder, workers=2).epoch(3, 1, 4, range(2, 4)))
    assert torch.equal(torch.get_rng_state(), before), "starting workers draws nothing from torch's generator"
    for ours, theirs in zip(rest, whole[2:], strict=True):
        assert torch.equal(ours.indices, theirs.indices)
        assert torch.equal(ours.images, theirs.images)
    assert sorted(torch.cat([batch.indices for batch in whole]).tolist()) == list(range(16))


def test_unreadable_images_are_named_and_the_others_stay(tmp_path):
    folder = write_folder(tmp_path / "val")
    (folder / "n0" / "1.JPEG").write_bytes(b"")
    (folder / "n2" / "notes.txt").write_text("no image")
    batches = kept(listed(folder).once(17))
    assert [(lost.position, lost.name, lost.reason) for lost in batches[0].unreadable] == [
        (1, "n0/1.JPEG", "no image that Pillow knows"),
        (
            12,
            "n2/notes.txt",
            "no image that Pillow knows",
        ),
    ]
    assert batches[0].indices.tolist() == [i for i in range(17) if i not in (1, 12)]


def test_a_worker_that_dies_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("aabench.data.image_files.read_image", lambda path: os._exit(1))
    files = listed(write_folder(tmp_path / "val"))
    with (
        pytest.raises(AABenchError, match=r"a process that decodes images died .*take a smaller batch"),
        reading(files.once(4)) as batches,
    ):
        list(batches)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_of_which_nothing_can_be_read(tmp_path, workers):
    folder = write_folder(tmp_path / "val")
    (folder / "n0" / "1.JPEG").write_bytes(b"")
    batches = kept(listed(folder, workers=workers).once(1))
    assert [len(batch.labels) for batch in batches] == [1, 0] + [1] * 14
    with pytest.raises(
        AABenchError, match=r"not one of the 1 images of a batch can be read, the first being n0/1.JPEG"
    ):
        batches[1].require_images()


def test_the_first_images(tmp_path):
    few = listed(write_folder(tmp_path / "val")).first(5)
    assert (len(few), few.labels.tolist(), few.source) == (5, [0, 0, 0, 0, 1], "pictures, first 5 of 16 images")


LOOP = """
from dataclasses import replace
from pathlib import Path
from aabench.data.imagenet import list_images
from tests.data.pictures import CLASSES
files = replace(list_images(Path({folder!r}), CLASSES, "pictures", size=16, shorter_side=18), workers=2)
next(batches := files.once(2))
print("reading", flush=True)
input()
"""


def test_workers_end_with_the_process_that_they_decode_for(tmp_path):
    """A kill leaves it no time to end them."""
    code = LOOP.format(folder=str(write_folder(tmp_path / "val")))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        reader.kill()
    deadline = time.monotonic() + 3  # torch's own watch looks every 5 seconds
    while _lives(reader.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(reader.pid)


def _lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


# --- the classes


def test_the_synsets_are_a_thousand_sorted_and_the_known_ones_at_their_places():
    assert len(set(synsets())) == 1000
    assert list(synsets()) == sorted(synsets())
    assert (synsets()[0], synsets()[207], synsets()[999]) == ("n01440764", "n02099601", "n15075141")


def test_missing_empty_and_extra_synsets_are_named(tmp_path):
    for name in synsets():
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.JPEG").touch()
    assert len(load_imagenet(tmp_path, "val", size=224, shorter_side=256)) == 1000
    (tmp_path / "n01440764" / "0.JPEG").unlink()
    (tmp_path / "n02099601").rename(tmp_path / "golden_retriever")
    with pytest.raises(
        AABenchError,
        match=r"1000 classes: 1 missing \(n02099601\); 1 without an image \(n01440764\); 1 extra \(golden_retriever\)",
    ):
        load_imagenet(tmp_path, "val", size=224, shorter_side=256)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(AABenchError, match=r"cannot read .*gone \(No such file or directory\)"):
        load_imagenet(tmp_path / "gone", "val", size=224, shorter_side=256)
