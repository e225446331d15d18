"""reproduce, for detectors: what is logged, saved and resumed, where the backbone starts, and what wrong input gets."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from aabench.catalog import load_catalog
from aabench.cli.console import Console
from aabench.cli.progress import Bar
from aabench.data import write_synthetic_coco
from aabench.evaluate.coco import METRICS
from aabench.models import create_model
from aabench.record import Measurement, read
from aabench.reproduce import training
from aabench.train import LAST, train
from tests.cli.run import aabench
from tests.train.small import plan, sets

TASK, BACKBONE = "faster-rcnn-resnet50-fpn-awconv", "resnet50-awconv"
NETWORK = {"width": 8, "channels": 16, "input_size": 64}
CHANGES = {**NETWORK, "regions": 16, "representation": 32}
TRAINING = {"epochs": 1, "warmup_epochs": 0, "batch_size": 4}
PARTIAL = {"train_set": "12 of 118,287 images", "test_set": "6 of 5,000 images"}


@pytest.fixture(scope="module", autouse=True)
def _no_predictions():
    """What is told of a training before it starts takes longer than these do, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "tune_allocator", lambda plan: "as the environment has it")
        patch.setattr(Console, "training", lambda *_: None)
        for name in ("AABENCH_DATA", "AABENCH_LOG"):
            patch.delenv(name, raising=False)
        yield


def changed(content: dict[str, object]) -> list[str]:
    return [part for key, value in content.items() for part in ("--set", f"{key}={value}")]


def annotations(root: Path, split: str = "val2017") -> Path:
    return root / "coco" / "annotations" / f"instances_{split}.json"


def rewrite(file: Path, change) -> None:
    """Change what a JSON file holds, in place."""
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """12 images to train on and 6 to be scored on, with all of COCO's ids: what an untrained network finds counts."""
    root = tmp_path_factory.mktemp("coco")
    write_synthetic_coco(root, train=12, val=6)
    for split in ("train2017", "val2017"):
        rewrite(annotations(root, split), lambda content: content.update(categories=[{"id": i + 1} for i in range(90)]))
    return root


def run(root: Path, folder: Path, *options: str, task: str = TASK, **changes: object) -> tuple[int, Measurement]:
    """Train, or what the options say: the exit code, and the last row of the log in the folder."""
    level = () if "--level" in options else ("--level", "train")
    settings = changed({**CHANGES, **TRAINING, **changes})
    log = folder / "log.jsonl"
    code = aabench("reproduce", task, *level, *settings, "--data", str(root), "--log", str(log), *options)
    return code, read(log).rows[-1]


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory) -> tuple[Path, Measurement]:
    """A finished training: the folder of its log, and its row."""
    folder = tmp_path_factory.mktemp("runs")
    code, row = run(root, folder, "--backbone", "none")
    assert (code, row.status) == (3, "ok")  # altered, so nothing is judged
    return folder, row


def checkpoint(folder: Path) -> Path:
    (file,) = folder.glob(f"*/{LAST}")
    return file


def twelve(row: Measurement, convention: str | None) -> dict[str, float | None]:
    return {
        value.metric: value.value for value in row.values if value.metric in METRICS and value.convention == convention
    }


def test_a_trainings_row(trained):
    _, row = trained
    assert (row.task, row.level, row.seed) == (TASK, "train", 0)
    assert row.altered == {**CHANGES, **TRAINING, **PARTIAL, "backbone": f"started anew, not from {BACKBONE}"}
    scores = twelve(row, "last")
    assert list(scores) == list(METRICS)
    assert scores == twelve(row, "best")
    assert scores["AP_large"] is None  # the images are of 128 pixels, and no patch of more than 64
    assert 0 <= scores["AP"] <= scores["AP50"] <= 100
    assert (row.number("images", "last"), row.number("steps")) == (6, 3)
    assert row.number("detections", "last") > 100
    (point,) = row.detail["curve"]
    assert (point["AP"], point["AP50"]) == (scores["AP"], scores["AP50"])
    assert (point["train_top1"], point["top1"]) == (None, None)
    assert row.settings["recipe"]["augmentation"] == "flip"
    assert "backbone" not in row.settings


def test_the_checkpoint_evaluates_to_the_trainings_last_scores(root, trained, tmp_path, capsys):
    folder, of_training = trained
    saved = tmp_path / "found" / "detections.json"
    options = ("--level", "eval", "--checkpoint", str(checkpoint(folder)), "--save-detections", str(saved))
    code, row = run(root, tmp_path, *options)
    assert (code, row.status, row.altered["test_set"]) == (3, "ok", PARTIAL["test_set"])
    assert twelve(row, None) == twelve(of_training, "last")
    assert row.detail["detections"] == of_training.detail["detections"]
    mean, deviation = row.number("image_flops", "mean"), row.number("image_flops", "deviation")
    assert f"({row.number('detections'):,.0f} detections in 6 images; " in capsys.readouterr().out
    assert row.number("image_flops", "least") <= mean <= row.number("image_flops", "most")
    assert deviation >= 0
    assert aabench("evaluate-detections", str(saved), "--annotations", str(annotations(root)), "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["images"], content["results"]) == (6, row.number("detections"))
    assert {k: None if v is None else 100 * v for k, v in content["metrics"].items()} == twelve(row, None)


def test_detections_that_cannot_be_saved_show_before_the_evaluation(root, trained, tmp_path, capsys):
    (tmp_path / "file").touch()
    options = ("--level", "eval", "--checkpoint", str(checkpoint(trained[0])), "--save-detections")
    code, row = run(root, tmp_path, *options, str(tmp_path / "file" / "found.json"))
    assert (code, row.status, row.values) == (2, "failed", ())
    assert "cannot write the detections to" in row.error
    assert "evaluating" not in capsys.readouterr().err


def test_a_retinanet_takes_the_same_for_every_image(root, tmp_path, capsys):
    task, changes = "retinanet-resnet50", {**NETWORK, "head_convs": 1}
    given = [*changed(changes), "--data", str(root), "--log", str(tmp_path / "log.jsonl")]
    assert aabench("reproduce", task, "--level", "train", *changed({**TRAINING, "lr": 0.01}), *given) == 3
    capsys.readouterr()
    assert aabench("reproduce", task, "--level", "eval", "--checkpoint", str(checkpoint(tmp_path)), *given) == 3
    structure, row = read(tmp_path / "log.jsonl").rows[-2:]
    counted = structure.number("flops", "flops")
    assert [row.number("image_flops", name) for name in ("mean", "least", "most", "deviation")] == [*[counted] * 3, 0]
    assert f"{counted / 1e9:.1f} GFLOPs an image as run, standard deviation 0.0)" in capsys.readouterr().out


def test_stopped_within_an_epoch_and_resumed_it_finds_the_same(root, trained, tmp_path, monkeypatch, capsys):
    step = Bar.step

    def stopping(self, number, *told):
        step(self, number, *told)
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Bar, "step", stopping)
        code, row = run(root, tmp_path, "--backbone", "none")
    assert (code, row.status) == (143, "interrupted")
    assert "go on with --resume" in row.error
    assert "Traceback" not in capsys.readouterr().err
    code, row = run(root, tmp_path, "--backbone", "none", "--resume")
    assert (code, row.status, row.number("steps")) == (3, "ok", 3)
    assert row.detail["detections"] == trained[1].detail["detections"]


def pretend_whole(content):
    """The checkpoint of a training that did all that the catalog's task and recipe say."""
    catalog = load_catalog()
    classifier = catalog.task(BACKBONE)
    recipe = catalog.recipe_of(classifier)
    names = ("model", "arguments", "input_size", "normalisation")
    recipe_settings = recipe.model_dump(mode="json", exclude={"source", "smoke"})
    own = {name: getattr(classifier, name) for name in names} | {"num_classes": 1000, "recipe": recipe_settings}
    content["settings"] |= own | {"train_set": "ImageNet train (1281167 images)", "max_steps": None}
    content["step"] = 100 * (1_281_167 // 256)


def pretend_begun(content):
    """The same, stopped after five steps."""
    pretend_whole(content)
    content["step"] = 5


@pytest.mark.parametrize(
    ("of", "change", "altered"),
    [
        (BACKBONE, pretend_whole, None),
        (BACKBONE, pretend_begun, "5 of 500,400 steps"),
        (BACKBONE, lambda content: None, "arguments.width: 8 before, None now"),
        ("resnet50", lambda content: None, f"weights of resnet50, not {BACKBONE}"),
    ],
)
def test_the_backbone_starts_from_a_classifier_trained_here(root, tmp_path, of, change, altered):
    train_set, test_set = sets()
    classifier = plan(task=of, model="resnet50", arguments={"width": 8}, input_size=32, recipe_changes={"epochs": 1})
    result = train(classifier, train_set=train_set, test_set=test_set, directory=tmp_path / "classifier")
    content = torch.load(result.last_checkpoint, weights_only=True)
    change(content)
    torch.save(content, result.last_checkpoint)
    # Not with frozen norms: four steps on noise leave statistics that no detector can be trained on.
    _, row = run(root, tmp_path, "--backbone", str(result.last_checkpoint), norm="batch")
    assert row.status == "ok"
    assert row.settings["backbone"]["file"] == str(result.last_checkpoint)
    if altered is None:
        assert "backbone" not in row.altered
    else:
        assert altered in row.altered["backbone"]


def test_a_backbone_that_is_gone_after_the_training_does_not_cost_it(root, tmp_path, monkeypatch):
    file = tmp_path / "classifier.pt"
    torch.save(create_model("resnet50", input_size=32, num_classes=4, width=8).state_dict(), file)

    def losing(*args, **kwargs):
        result = train(*args, **kwargs)
        file.unlink()
        return result

    monkeypatch.setattr("aabench.train.train", losing)
    _, row = run(root, tmp_path, "--backbone", str(file), norm="batch")
    assert (row.status, row.altered["backbone"]) == ("ok", f"weights of unknown origin, not {BACKBONE}")


def test_faults_of_the_data_are_named_and_the_rest_is_used(root, tmp_path, capsys):
    shutil.copytree(root, tmp_path / "root")
    for split, number in (("train2017", 3), ("val2017", 15)):
        (tmp_path / "root" / "coco" / split / f"{number:012}.jpg").write_bytes(b"no image")
    for split, box in (("train2017", [9, 9, 0, 5]), ("val2017", [100, 100, 60, 20])):
        rewrite(
            annotations(tmp_path / "root", split), lambda content, box=box: content["annotations"][0].update(bbox=box)
        )
    _, row = run(tmp_path / "root", tmp_path, "--backbone", "none")
    assert row.status == "ok"
    out = capsys.readouterr().out
    reason = "no image that Pillow knows"
    for split, number, fate in (("train", 3, "left out"), ("test", 15, "without detections")):
        name, told = f"{number:012}.jpg", f"image id {number}: {reason}"
        assert row.detail["unreadable"][split] == {"count": 1, "images": {name: told}}
        assert f"1 {split} image could not be read, {fate}:\n              {name}: {told}\n" in out
    faults = {
        "train": "the box of annotation 1 of image 1 is 0 x 5 pixels large; it is no target",
        "test": "the box of annotation 1 of image 13 (x 100, y 100, 60 x 20) goes beyond the image's 128 x 128 pixels; "
        "it was clipped",
    }
    for split, fault in faults.items():
        assert row.detail["annotations"][split] == {"count": 1, "first": [fault]}
        assert f"1 fault in the {split} split's annotations:\n              {fault}\n" in out


def strange_category(content):
    content["annotations"][3]["category_id"] = 91


def missing_image(content):
    content["images"].append({"id": 77, "file_name": "gone.jpg", "height": 8, "width": 8})


def image_twice(content):
    content["images"].append(content["images"][0])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (strange_category, "annotations have a category_id that is not 1 to 90: 4 (category_id 91);"),
        (missing_image, "{folder}: 77 ('gone.jpg');"),
        (image_twice, "ids of images occur more than once: 1 (2 times);"),
    ],
)
def test_annotations_that_cannot_be_used(root, tmp_path, capsys, fault, said):
    shutil.copytree(root, tmp_path / "root")
    rewrite(annotations(tmp_path / "root", "train2017"), fault)
    code, row = run(tmp_path / "root", tmp_path, "--backbone", "none")
    assert (code, row.status) == (2, "failed")
    assert said.format(folder=tmp_path / "root" / "coco" / "train2017") in row.error
    out, err = capsys.readouterr()
    assert [line for line in out.splitlines() if "failed:" in line] == [f"  train     failed: {row.error}"]
    assert err == ""


@pytest.mark.parametrize(
    ("options", "lacks"),
    [
        ((), f"the weights of {BACKBONE} for its backbone (--backbone FILE; --backbone none starts it anew)"),
        (("--backbone", "gone.pt"), "the backbone's weights (gone.pt is not there)"),
        (("--backbone", "none", "--data", "nowhere"), "(nowhere/coco/train2017 is not there)"),
    ],
)
def test_what_a_training_lacks(root, tmp_path, options, lacks):
    code, row = run(root, tmp_path, *options)
    assert (code, row.status) == (3, "blocked")
    assert lacks in row.error


def test_without_a_data_root(tmp_path):
    log = tmp_path / "log.jsonl"
    assert (
        aabench("reproduce", TASK, "--level", "train", "--backbone", "none", *changed(CHANGES), "--log", str(log)) == 3
    )
    assert "needs the COCO train split (--data ROOT, or AABENCH_DATA)" in read(log).rows[-1].error


def test_a_backbone_of_another_network(root, tmp_path, capsys):
    train_set, test_set = sets()
    result = train(plan(recipe_changes={"epochs": 1}), train_set=train_set, test_set=test_set, directory=tmp_path / "c")
    code, row = run(root, tmp_path, "--backbone", str(result.last_checkpoint))
    assert (code, row.status) == (2, "failed")
    assert f"{result.last_checkpoint} does not fit the model: " in row.error
    assert "give weights of this architecture" in row.error
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet50", "--backbone", "x.pt"], "--backbone does not go with resnet50, which is no detector"),
        ([TASK, "resnet50", "--save-detections", "x"], "--save-detections does not go with resnet50, which is no"),
        ([TASK, "--level", "train", "--save-detections", "x"], "--save-detections goes with level eval, not train"),
        (
            [TASK, "--save-detections", "x"],
            f"with level eval, not smoke, {TASK}'s highest here; ask for it with --level",
        ),
        ([TASK, "retinanet-resnet50", "--save-detections", "x"], "--save-detections goes with one task"),
        ([TASK, "--level", "smoke", "--backbone", "none"], "--backbone goes with level train, not smoke"),
        ([TASK, "--download", "--data", "."], "coco cannot be downloaded by aabench; give --data DIR that holds it"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    assert aabench("reproduce", *arguments, "--log", str(tmp_path / "log.jsonl")) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
