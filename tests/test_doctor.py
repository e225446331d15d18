"""What the doctor finds: nothing at hand, a corrupt or partial data root, the real one."""

import hashlib
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aabench.cli.doctor import doctor
from aabench.data.imagenet import IMAGES
from aabench.doctor import Examination, examine

TRAIN_MD5 = "16019d7e3df5f24257cddd939b257f8d"  # of cifar-100-python/train, as torchvision lists it


def states(found: Examination) -> dict[str, str]:
    assert found.root is not None
    return {part.name: part.state for part in found.root.sets}


def detail(found: Examination, name: str) -> str:
    assert found.root is not None
    return next(part.detail for part in found.root.sets if part.name == name)


def run(*arguments: str):
    """`aabench doctor`, on a terminal that is wide enough."""
    app = typer.Typer()
    app.command()(doctor)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "400", "AABENCH_DATA": "", "AABENCH_LOG": ""})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "log.jsonl"


def test_with_nothing_at_hand(log):
    found = examine(None, log)
    assert found.root is None
    assert (found.devices.no_cuda is None) == bool(found.devices.cuda)
    assert found.environment["threads"] >= 1
    assert found.packages["torch"] == found.environment["torch"] is not None
    assert 0 < found.memory.available <= found.memory.total
    assert found.log.fault is None
    assert found.log.free_bytes > 0
    assert not log.parent.exists(), "looking makes nothing"
    by_paper = {(group.paper, group.level, group.on) for group in found.reach}
    assert ("aanet", "smoke", "synthetic images") in by_paper
    assert ("calibration", "structure", None) in by_paper
    assert sum(len(group.tasks) for group in found.reach if group.paper == "calibration") == 3


def test_a_corrupt_file_is_named_with_both_md5(tmp_path, log):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name in ("train", "test", "meta"):
        (folder / name).write_bytes(b"not what it should be")
    found = examine(tmp_path, log)
    assert states(found)["CIFAR-100"] == "corrupt"
    wrong = hashlib.md5(b"not what it should be").hexdigest()
    assert detail(found, "CIFAR-100").startswith(f"{folder / 'train'}: found md5 {wrong}, expected md5 {TRAIN_MD5}")
    assert "cifar-100-python/meta" in detail(found, "CIFAR-100")
    done = run("--data", str(tmp_path), "--log", str(log))
    assert done.exit_code == 2
    assert TRAIN_MD5 in done.output


def test_an_empty_root_is_no_fault(tmp_path, log):
    assert set(states(examine(tmp_path, log)).values()) == {"absent"}
    assert run("--data", str(tmp_path), "--log", str(log)).exit_code == 0


@pytest.mark.parametrize(("make", "fault"), [(False, "is not there"), (True, "is not a folder")])
def test_a_root_that_is_no_folder(tmp_path, log, make, fault):
    root = tmp_path / "root"
    if make:
        root.touch()
    done = run("--data", str(root), "--log", str(log))
    assert done.exit_code == 2
    assert f"{root}: {fault}" in done.output


@pytest.mark.parametrize(("full", "state"), [((2, 6), "whole"), ((1_000, 50_000), "partial"), ((2, 5), "partial")])
def test_imagenet_is_counted_as_it_would_be_read(tmp_path, log, monkeypatch, full, state):
    monkeypatch.setattr("aabench.data.imagenet.synsets", lambda: [f"n{i:08}" for i in range(full[0])])
    monkeypatch.setitem(IMAGES, "val", full[1])
    for name in ("n01440764", "n01443537"):
        folder = tmp_path / "imagenet1000" / "val" / name
        folder.mkdir(parents=True)
        for image in range(3):
            (folder / f"{image}.JPEG").touch()
        (folder / ".DS_Store").touch()
    (tmp_path / "imagenet1000" / "val" / ".cache").mkdir()
    found = examine(tmp_path, log)
    assert states(found)["ImageNet (imagenet1000/val)"] == state
    assert detail(found, "ImageNet (imagenet1000/val)").startswith("2 classes, 6 images")


def test_a_root_of_imagenet_itself_is_counted(tmp_path, log, monkeypatch):
    monkeypatch.setattr("aabench.data.imagenet.synsets", lambda: ["n01440764"])
    monkeypatch.setitem(IMAGES, "train", 1)
    (tmp_path / "train" / "n01440764").mkdir(parents=True)
    (tmp_path / "train" / "n01440764" / "0.JPEG").touch()
    found = examine(tmp_path, log)
    assert (states(found)["ImageNet train"], states(found)["ImageNet val"]) == ("whole", "absent")


def test_coco_is_counted_where_it_is_annotated(tmp_path, log):
    for split in ("train2017", "val2017"):
        (tmp_path / "coco" / split).mkdir(parents=True)
        (tmp_path / "coco" / split / "1.jpg").touch()
    assert states(examine(tmp_path, log))["COCO"] == "absent"
    (tmp_path / "coco" / "annotations").mkdir()
    (tmp_path / "coco" / "annotations" / "instances_val2017.json").touch()
    found = examine(tmp_path, log)
    assert (states(found)["COCO"], detail(found, "COCO")) == ("partial", "val2017 1 of 5,000 images")


@pytest.mark.parametrize("place", ["folder", "below a file"])
def test_a_log_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").touch()
    log, fault = {
        "folder": (tmp_path, "is a folder; give a file"),
        "below a file": (tmp_path / "file" / "log.jsonl", f"{tmp_path / 'file'} is not a folder"),
    }[place]
    assert examine(None, log).log.fault == fault


def test_json_holds_the_whole_examination(tmp_path, log):
    done = run("--json", "--log", str(log))
    assert done.exit_code == 0
    content = json.loads(done.stdout)
    assert Examination.model_validate(content).log.path == str(log)
    assert content["root"] is None


@pytest.mark.data
def test_the_real_data_root(data_root, log):
    found = examine(data_root, log)
    assert states(found) == {
        "CIFAR-100": "whole",
        "CIFAR-10": "partial",
        "ImageNet train": "absent",
        "ImageNet val": "absent",
        "ImageNet (imagenet1000/val)": "partial",
        "COCO": "partial",
        "checkpoints": "partial",
    }
    assert detail(found, "CIFAR-10") == "test split only: cifar-10-batches-py/data_batch_1 is not there"
    assert detail(found, "ImageNet (imagenet1000/val)").startswith("1,000 classes, 1,000 images; ")
    assert detail(found, "COCO") == "train2017 50 of 118,287 images, val2017 50 of 5,000 images"
    reach = {name: group for group in found.reach for name in group.tasks}
    assert detail(found, "checkpoints").startswith("3 of the 7 files that tasks name; no checkpoints/torchvision/")
    assert reach["resnet20-cifar10"].level == reach["squeezenet1-0-imagenet1000"].level == "eval"
    assert reach["aa-resnet50"].level == "smoke"
    assert (reach["aa-resnet50"].on, reach["aa-resnet50"].next) == ("CIFAR-100", "eval")
    assert reach["aa-resnet50"].missing.startswith("weights (--checkpoint FILE) and the ImageNet test split (")
