"""torchvision's published weights: fetched into the data root, and known by their hash wherever they lie."""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch.hub
import torchvision

from aabench.errors import AABenchError

_HASH = re.compile(r"-([0-9a-f]{8,})\.pth$")
"""The end of a file's name: the first digits of its SHA-256."""


def fetch_weights(name: str, file: Path) -> None:
    """Download weights, unless the file is there and whole.

    Args:
        name: as torchvision's ``get_weight`` takes it, such as ``ResNet50_Weights.IMAGENET1K_V1``.
        file: where to put them; its folder is made. Nothing is left there of a download that fails.

    Raises:
        AABenchError: torchvision has no such weights, or the download failed or has another hash.
    """
    url = _weights(name).url
    found = _HASH.search(url)
    if found is None:
        raise AABenchError(f"{url} has no hash in its name, so that what is fetched could not be checked")
    if file.is_file() and _sha256(file).startswith(found[1]):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # What load_state_dict_from_url fetches with; that one would also take a broken file that is there already.
        torch.hub.download_url_to_file(url, str(file), hash_prefix=found[1], progress=sys.stderr.isatty())
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise AABenchError(
            f"cannot download {url} to {file} ({reason}); fetch it elsewhere and put it there, "
            "or give --checkpoint FILE"
        ) from error


def published_name(file: Path) -> str | None:
    """torchvision's name of the weights in a file, told by its SHA-256; None if it published no such file.

    Raises:
        AABenchError: the file cannot be read.
    """
    digest = _sha256(file)
    return next((name for prefix, name in _published().items() if digest.startswith(prefix)), None)


def check_published(name: str, file: Path) -> None:
    """Check that a file is what torchvision published under a name.

    Raises:
        AABenchError: it is not, or cannot be read.
    """
    found = published_name(file)
    if found != name:
        kind = f"torchvision's {found}" if found else "no file that torchvision published"
        raise AABenchError(
            f"{file} should be torchvision's {name} and is {kind}: fetch it again with --download, or give it as "
            "--checkpoint if you mean to evaluate it"
        )


def _weights(name: str) -> Any:
    try:
        return torchvision.models.get_weight(name)
    except (KeyError, ValueError) as error:
        raise AABenchError(f"torchvision {torchvision.__version__} has no weights {name!r}") from error


@cache
def _published() -> dict[str, str]:
    """Hash prefix -> name, of every classifier of torchvision's."""
    models = torchvision.models.list_models(torchvision.models)
    named = [weights for model in models for weights in torchvision.models.get_model_weights(model)]
    found = [(_HASH.search(weights.url), str(weights)) for weights in named]
    return {match[1]: name for match, name in found if match is not None}


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise AABenchError(f"cannot read the checkpoint {file} ({error.strerror or error})") from error
