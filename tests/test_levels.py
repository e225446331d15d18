"""Which level is within reach, from what is at hand: a data root, weights, a device."""

from pathlib import Path

import pytest

from aabench.catalog import load_catalog
from aabench.errors import NotMeasurable
from aabench.levels import reachable

CATALOG = load_catalog()
CIFAR100 = CATALOG.task("aa-wrn-28-10")
IMAGENET = CATALOG.task("aa-resnet50")
DETECTOR = CATALOG.task("faster-rcnn-resnet50-fpn-awconv")
ANEW = CATALOG.task("retinanet-resnet50")
EVALUATED = CATALOG.task("resnet20-cifar10")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with all of CIFAR-100, the test split of CIFAR-10, and one published checkpoint."""
    cifar100 = [f"cifar-100-python/{name}" for name in ("train", "test", "meta")]
    cifar10 = [f"cifar-10-batches-py/{name}" for name in ("test_batch", "batches.meta")]
    for file in (*cifar100, *cifar10, EVALUATED.checkpoint):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


def test_with_nothing_at_hand_smoke_runs_on_the_stand_in():
    reach = reachable(CIFAR100, data_root=None, device="cpu")
    assert (reach.level, reach.real_smoke) == ("smoke", False)
    assert reach.possible == ("structure", "smoke")
    assert reach.next == (
        "eval",
        "weights (--checkpoint FILE) and the CIFAR-100 test split (--data ROOT, or AABENCH_DATA)",
    )


def test_with_data_smoke_is_real_and_the_cpu_trains_only_when_asked(root):
    reach = reachable(CIFAR100, data_root=root, device="cpu")
    assert (reach.level, reach.real_smoke) == ("smoke", True)
    assert reach.possible == ("structure", "smoke", "train")
    assert reach.missing == {
        "eval": "weights (--checkpoint FILE)",
        "train": "a CUDA device (--level train trains on the CPU)",
    }


def test_with_data_and_weights_it_evaluates(root):
    weights = root / EVALUATED.checkpoint
    reach = reachable(CIFAR100, data_root=root, device="cpu", checkpoint=weights)
    assert reach.level == "eval"
    assert reach.next == ("train", "a CUDA device (--level train trains on the CPU)")


def test_with_data_and_cuda_it_trains(root):
    reach = reachable(CIFAR100, data_root=root, device="cuda")
    assert reach.level == "train"
    assert reach.next is None


def test_given_weights_must_be_there(root):
    reach = reachable(CIFAR100, data_root=root, device="cpu", checkpoint=root / "gone.pt")
    assert reach.missing["eval"] == f"weights ({root / 'gone.pt'} is not there)"


def test_a_missing_split_is_named(root):
    (root / "cifar-100-python" / "train").unlink()
    reach = reachable(CIFAR100, data_root=root, device="cuda")
    assert (reach.level, reach.real_smoke) == ("smoke", False)
    where = root / "cifar-100-python" / "train"
    assert reach.missing["train"] == f"the CIFAR-100 train split ({where} is not there; --download fetches it)"


def test_published_weights_are_found_below_the_data_root(root):
    reach = reachable(EVALUATED, data_root=root, device="cpu")
    assert (reach.level, reach.possible) == ("eval", ("structure", "eval"))
    assert reach.next is None, "there is nothing to train"


def test_without_a_root_an_evaluated_task_goes_from_structure_to_eval():
    reach = reachable(EVALUATED, data_root=None, device="cpu")
    assert reach.level == "structure"
    level, missing = reach.next
    assert level == "eval"
    assert "resnet20-12fca82f.th below a data root" in missing


def test_imagenet_says_where_it_looks(root):
    reach = reachable(IMAGENET, data_root=root, device="cuda", checkpoint=root / EVALUATED.checkpoint)
    assert (reach.level, reach.real_smoke) == ("smoke", True)
    assert reach.missing == {
        "eval": f"the ImageNet test split ({root / 'imagenet' / 'val'} is not there)",
        "train": f"the ImageNet train split ({root / 'imagenet' / 'train'} is not there)",
    }


@pytest.mark.parametrize("place", ["imagenet", "."])
def test_imagenet_lies_in_a_folder_of_the_root_or_is_the_root(root, place):
    (root / place / "val").mkdir(parents=True)
    weights = root / EVALUATED.checkpoint
    reach = reachable(IMAGENET, data_root=root, device="cuda", checkpoint=weights)
    assert reach.level == "eval"
    assert reach.missing["train"] == f"the ImageNet train split ({root / place / 'train'} is not there)"
    (root / place / "train").mkdir()
    assert reachable(IMAGENET, data_root=root, device="cuda").level == "train"


def test_training_needs_the_test_split_too(root):
    (root / "imagenet" / "train").mkdir(parents=True)
    reach = reachable(IMAGENET, data_root=root, device="cuda")
    assert reach.missing["train"] == f"the ImageNet test split ({root / 'imagenet' / 'val'} is not there)"


def test_the_bundles_images_are_no_imagenet(root):
    (root / "imagenet1000" / "val").mkdir(parents=True)
    assert "eval" not in reachable(IMAGENET, data_root=root, device="cuda").possible


def test_torchvisions_weights_can_be_fetched(root):
    missing = reachable(CATALOG.task("resnet50"), data_root=root, device="cpu").missing["eval"]
    assert missing.startswith(f"weights ({root / 'checkpoints/torchvision/resnet50-0676ba61.pth'} is not there; ")
    assert "--download fetches it" in missing


@pytest.fixture
def coco(root):
    """Both splits of COCO's files, with nothing in them."""
    for split in ("train2017", "val2017"):
        (root / "coco" / split).mkdir(parents=True)
        (root / "coco" / "annotations").mkdir(exist_ok=True)
        (root / "coco" / "annotations" / f"instances_{split}.json").touch()
    return root


def test_a_detectors_smoke_is_never_on_cifar(root):
    reach = reachable(ANEW, data_root=root, device="cpu")
    assert (reach.level, reach.real_smoke) == ("smoke", False)
    assert reach.missing["train"].startswith(f"the COCO train split ({root / 'coco' / 'train2017'} is not there)")


def test_a_detector_that_starts_anew_needs_coco_alone(coco):
    assert reachable(ANEW, data_root=coco, device="cuda").level == "train"
    (coco / "coco" / "annotations" / "instances_val2017.json").unlink()
    missing = reachable(ANEW, data_root=coco, device="cuda").missing["train"]
    gone = coco / "coco" / "annotations" / "instances_val2017.json"
    assert missing == f"the COCO test split ({gone} is not there)"


def test_another_needs_its_classifiers_weights_or_leave_to_start_anew(coco):
    reach = reachable(DETECTOR, data_root=coco, device="cuda")
    assert "train" not in reach.possible
    assert reach.missing["train"] == (
        "the weights of resnet50-awconv for its backbone (--backbone FILE; --backbone none starts it anew)"
    )
    for backbone in ("none", coco / EVALUATED.checkpoint):
        assert reachable(DETECTOR, data_root=coco, device="cuda", backbone=backbone).level == "train"
    missing = reachable(DETECTOR, data_root=coco, device="cuda", backbone=coco / "gone.pt").missing["train"]
    assert missing == f"the backbone's weights ({coco / 'gone.pt'} is not there)"


def test_coco_may_be_the_root_itself(coco):
    assert reachable(ANEW, data_root=coco / "coco", device="cuda").level == "train"


def test_a_detector_is_evaluated_without_its_backbones_weights(coco):
    weights = coco / EVALUATED.checkpoint
    assert reachable(DETECTOR, data_root=coco, device="cpu", checkpoint=weights).level == "eval"


def test_a_blocked_task_reaches_nothing():
    blocked = IMAGENET.model_copy(update={"blocked": "the paper does not give its width"})
    reach = reachable(blocked, data_root=None, device="cuda")
    assert (reach.level, reach.possible) == (None, ())
    with pytest.raises(NotMeasurable, match=r"^aa-resnet50 is blocked: the paper does not give its width$"):
        reach.require("structure")


def test_what_cannot_run_is_refused_with_what_is_missing(root):
    reach = reachable(CIFAR100, data_root=root, device="cpu")
    reach.require("train")
    with pytest.raises(NotMeasurable, match=r"^aa-wrn-28-10: level eval needs weights \(--checkpoint FILE\)$"):
        reach.require("eval")
