"""torchvision's weights in our networks, and how they come into the data root."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import get_model, get_weight

from aabench.catalog import load_catalog
from aabench.errors import AABenchError
from aabench.models import create_model
from aabench.train import check_published, fetch_weights, load_weights, published_name, torchvision_weights

NAME = "ResNet50_Weights.IMAGENET1K_V1"


def published() -> nn.Module:
    """Stands for what torchvision publishes: statistics too are such as a training leaves, and no two alike."""
    torch.manual_seed(0)
    model = get_model("resnet50")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def test_a_file_of_torchvisions_gives_its_logits(tmp_path):
    oracle = published().eval()
    torch.save(oracle.state_dict(), tmp_path / "resnet50.pth")
    model = create_model("resnet50", input_size=64, num_classes=1000).eval()
    assert load_weights(model, tmp_path / "resnet50.pth") == "state dict"
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), oracle(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet101", "resnet152", "squeezenet1_0"])
def test_names_and_shapes_are_torchvisions(name):
    with torch.device("meta"):
        theirs = get_model(name).state_dict()
    ours = create_model(name, input_size=224, num_classes=1000, device="meta").state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_resnet34_says_why_torchvisions_does_not_fit(tmp_path):
    task = load_catalog().task("resnet34")
    file = tmp_path / "resnet34.pth"
    torch.save(get_model("resnet34").state_dict(), file)
    model = create_model(task.model, input_size=224, num_classes=1000, **task.arguments)
    with pytest.raises(AABenchError, match=r"a projection shortcut in layer1\.0 where .* has none \(extra_projection"):
        load_weights(model, file)
    load_weights(create_model(task.model, input_size=224, num_classes=1000, extra_projection=False), file)


def test_another_missing_projection_gets_no_such_advice(tmp_path):
    model, file = create_model("resnet18", input_size=64, num_classes=10, width=8), tmp_path / "resnet18.pth"
    torch.save({name: t for name, t in model.state_dict().items() if not name.startswith("layer2.0.down")}, file)
    with pytest.raises(AABenchError, match="missing") as refused:
        load_weights(model, file)
    assert "extra_projection" not in str(refused.value)


def test_other_misfits_are_not_put_down_to_shortcuts(tmp_path):
    weights = get_model("resnet18").state_dict()
    del weights["fc.bias"], weights["layer2.0.downsample.0.weight"]
    torch.save(weights, tmp_path / "w.pth")
    with pytest.raises(AABenchError, match=r"2 missing") as caught:
        load_weights(create_model("resnet18", input_size=64, num_classes=1000), tmp_path / "w.pth")
    assert "shortcut" not in str(caught.value)


def test_which_tasks_have_torchvisions_and_where():
    tasks = [task for task in load_catalog().tasks.values() if task.torchvision_weights is not None]
    assert {task.name for task in tasks} == {"resnet18", "resnet50", "resnet101", "resnet152"}
    for task in tasks:
        weights = get_weight(task.torchvision_weights)
        assert Path(task.checkpoint) == Path("checkpoints/torchvision") / Path(weights.url).name
        assert (task.model, task.input_size) == (str(weights).split("_")[0].lower(), weights.transforms().crop_size[0])


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file for torchvision to fetch, named by its hash as torchvision names its own."""
    content = b"some weights"
    file = tmp_path / f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    file.write_bytes(content)
    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: SimpleNamespace(url=file.as_uri()))
    return file


def test_fetches_once(source, tmp_path):
    target = tmp_path / "root" / "checkpoints" / source.name
    fetch_weights(NAME, target)
    assert target.read_bytes() == b"some weights"
    source.unlink()
    fetch_weights(NAME, target)  # all is there: nothing is fetched


def test_fetching_mends_a_broken_file(source, tmp_path):
    target = tmp_path / "w.pth"
    target.write_bytes(b"cut")
    fetch_weights(NAME, target)
    assert target.read_bytes() == b"some weights"


def test_another_hash_is_refused_and_leaves_nothing(source, tmp_path):
    source.write_bytes(b"other weights")
    target = tmp_path / "root" / "w.pth"
    with pytest.raises(AABenchError, match=r"cannot download file:.*invalid hash value .*--checkpoint FILE"):
        fetch_weights(NAME, target)
    assert list(target.parent.iterdir()) == []


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    url = "http://127.0.0.1:1/net-01234567.pth"  # nobody listens there
    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: SimpleNamespace(url=url))
    with pytest.raises(AABenchError, match=r"cannot download http:.*refused") as caught:
        fetch_weights(NAME, tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["ResNet50_Weights.IMAGENET1K_V9", "ResNet51_Weights.IMAGENET1K_V1", "resnet50"])
def test_weights_that_torchvision_does_not_have(tmp_path, name):
    with pytest.raises(AABenchError, match=f"has no weights '{name}'"):
        fetch_weights(name, tmp_path / "w.pth")


def test_a_file_is_known_by_its_hash(tmp_path, monkeypatch):
    file = tmp_path / "renamed.pt"
    file.write_bytes(b"some weights")
    assert published_name(file) is None
    with pytest.raises(AABenchError, match=f"should be torchvision's {NAME} and is no file that torchvision published"):
        check_published(NAME, file)
    digest = hashlib.sha256(b"some weights").hexdigest()
    monkeypatch.setattr(torchvision_weights, "_published", lambda: {digest[:8]: NAME})
    assert published_name(file) == NAME
    check_published(NAME, file)
    with pytest.raises(AABenchError, match=f"and is torchvision's {NAME}: "):
        check_published("ResNet18_Weights.IMAGENET1K_V1", file)


def test_all_of_torchvisions_classifiers_are_known():
    known = torchvision_weights._published()
    assert known["0676ba61"] == "ResNet50_Weights.IMAGENET1K_V1"
    assert known["11ad3fa6"] == "ResNet50_Weights.IMAGENET1K_V2"
    assert known["f37072fd"] == "ResNet18_Weights.IMAGENET1K_V1"
