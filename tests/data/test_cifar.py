"""CIFAR: torchvision reads it, once every file has the published md5."""

import hashlib
import pickle
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR100

from aabench.data import check_cifar, load_cifar
from aabench.errors import AABenchError


@pytest.fixture
def tiny_root(tmp_path, monkeypatch):
    """A whole CIFAR-100 of 3 + 2 images, which torchvision is told to take for the real one."""
    folder = tmp_path / "root" / "cifar-100-python"
    folder.mkdir(parents=True)
    pixels = np.arange(5 * 3072, dtype=np.int64) % 251
    contents = {
        "train": {"data": pixels[: 3 * 3072].astype(np.uint8).reshape(3, 3072), "fine_labels": [1, 0, 1]},
        "test": {"data": pixels[3 * 3072 :].astype(np.uint8).reshape(2, 3072), "fine_labels": [0, 1]},
        "meta": {"fine_label_names": ["apple", "baby"]},
    }
    md5 = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        md5[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR100, "train_list", [["train", md5["train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", md5["test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": md5["meta"]})
    return tmp_path / "root"


def test_pixels_and_labels_keep_their_places(tiny_root):
    train = load_cifar("cifar100", tiny_root, "train")
    assert train.images.shape == (3, 3, 32, 32)
    assert train.images.dtype == torch.uint8
    # Stored row by row, red, green, blue: pixel (channel 1, row 2, column 3) of image 0 is number 1024 + 64 + 3.
    assert train.images[0, 1, 2, 3] == (1024 + 64 + 3) % 251
    assert train.labels.tolist() == [1, 0, 1]
    assert train.labels.dtype == torch.int64
    assert (train.num_classes, len(train), train.source) == (2, 3, "CIFAR-100 train")


def test_only_the_files_of_the_wanted_split_are_needed(tiny_root):
    (tiny_root / "cifar-100-python" / "train").unlink()
    assert load_cifar("cifar100", tiny_root, "test").labels.tolist() == [0, 1]


def test_a_missing_file_is_named_with_what_to_do(tiny_root):
    path = tiny_root / "cifar-100-python" / "train"
    path.unlink()
    with pytest.raises(AABenchError) as caught:
        load_cifar("cifar100", tiny_root, "train")
    message = str(caught.value)
    assert message.startswith(f"{path}: there is no such file, expected md5 {CIFAR100.train_list[0][1]}; ")
    assert "--data" in message
    assert "--download" in message
    assert "\n" not in message


def test_an_empty_root_is_an_error_that_counts_its_files(tmp_path):
    with pytest.raises(AABenchError, match=r"cifar-100-python/test: there is no such file.* \(and 1 more\)"):
        load_cifar("cifar100", tmp_path, "test")


def test_a_corrupt_file_is_named_with_both_sums_and_never_unpickled(tiny_root, tmp_path):
    class Planted:
        def __reduce__(self):
            return Path.touch, (tmp_path / "it-ran",)

    path = tiny_root / "cifar-100-python" / "test"
    path.write_bytes(pickle.dumps(Planted()))
    found = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(AABenchError, match=f"{path}: found md5 {found}, expected md5 {CIFAR100.test_list[0][1]}"):
        load_cifar("cifar100", tiny_root, "test")
    assert not (tmp_path / "it-ran").exists()


def test_the_label_names_are_checked_too(tiny_root):
    (tiny_root / "cifar-100-python" / "meta").write_bytes(b"nothing of the kind")
    with pytest.raises(AABenchError, match=r"cifar-100-python/meta: found md5"):
        load_cifar("cifar100", tiny_root, "train")


def test_check_lists_every_fault_of_both_splits(tiny_root):
    assert check_cifar("cifar100", tiny_root) == []
    folder = tiny_root / "cifar-100-python"
    (folder / "train").unlink()
    (folder / "test").write_bytes(b"cut")
    missing, corrupt = check_cifar("cifar100", tiny_root)
    assert missing.startswith(f"{folder / 'train'}: there is no such file")
    assert corrupt.startswith(f"{folder / 'test'}: found md5 {hashlib.md5(b'cut').hexdigest()}")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def archive(tiny_root, tmp_path, monkeypatch):
    """The tiny data set as an archive for torchvision to download; the root itself is moved away."""
    packed = tmp_path / "cifar.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(tiny_root / "cifar-100-python", "cifar-100-python")
    monkeypatch.setattr(CIFAR100, "tgz_md5", hashlib.md5(packed.read_bytes()).hexdigest())
    tiny_root.rename(tmp_path / "away")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(CIFAR100, "url", f"http://127.0.0.1:{server.server_port}/cifar.tar.gz")
        yield packed
        server.shutdown()
        thread.join()


# Python 3.12 and 3.13 announce how later versions unpack; torchvision does the unpacking.
@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
def test_download_happens_only_when_asked_for_and_needed(archive, tmp_path):
    fresh = tmp_path / "fresh" / "root"
    with pytest.raises(AABenchError, match="there is no such file"):
        load_cifar("cifar100", fresh, "test")
    assert load_cifar("cifar100", fresh, "test", download=True).labels.tolist() == [0, 1]
    archive.unlink()
    assert len(load_cifar("cifar100", fresh, "train", download=True)) == 3  # all is there: nothing is fetched


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
@pytest.mark.parametrize("broken", ["train", "meta"])
def test_download_mends_a_broken_file(archive, tmp_path, broken):
    root = tmp_path / "away"
    (root / "cifar-100-python" / broken).write_bytes(b"cut")
    assert len(load_cifar("cifar100", root, "train", download=True)) == 3
    assert check_cifar("cifar100", root) == []


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR100, "url", "http://127.0.0.1:1/cifar.tar.gz")  # nobody listens there
    with pytest.raises(AABenchError, match=r"cannot download http:.*refused.*--data") as caught:
        load_cifar("cifar100", tmp_path / "fresh", "train", download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.data
def test_cifar100_of_the_bundle(data_root):
    train, test = (load_cifar("cifar100", data_root, split) for split in ("train", "test"))
    assert train.images.shape == (50_000, 3, 32, 32)
    assert test.images.shape == (10_000, 3, 32, 32)
    assert train.labels.bincount().tolist() == [500] * 100
    assert test.labels.bincount().tolist() == [100] * 100
    # The first images: cattle (19) in the training set, mountain (49) in the test set.
    assert (train.labels[0], test.labels[0], train.num_classes) == (19, 49, 100)
    assert check_cifar("cifar100", data_root) == []


@pytest.mark.data
def test_cifar10_of_the_bundle_has_a_test_split_only(data_root):
    test = load_cifar("cifar10", data_root, "test")
    assert test.labels.bincount().tolist() == [1000] * 10
    assert test.labels[:4].tolist() == [3, 8, 8, 0]  # cat, ship, ship, airplane
    with pytest.raises(AABenchError, match=r"data_batch_1: there is no such file.*\(and 4 more\)"):
        load_cifar("cifar10", data_root, "train")
    assert len(check_cifar("cifar10", data_root)) == 5
