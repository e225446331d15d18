"""Weights that torchvision publishes, for the networks whose names and shapes are its own."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.models import get_model_weights

from aabench.errors import AABenchError


def fetch_torchvision(model: str, file: Path) -> None:
    """Download one of torchvision's weights, unless it is there. Its hash is checked against the file's name.

    Args:
        model: torchvision's name of the network, such as ``resnet50``.
        file: where to put it; its name is the published file's.

    Raises:
        AABenchError: torchvision publishes no such file, or the download failed.
    """
    if file.is_file():
        return
    url = _url(model, file.name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        prefix = file.stem.rpartition("-")[2]
        torch.hub.download_url_to_file(url, str(file), hash_prefix=prefix, progress=False)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise AABenchError(
            f"cannot download {url} to {file} ({reason}); fetch it elsewhere, and put it there or give it with "
            "--checkpoint"
        ) from error


def _url(model: str, name: str) -> str:
    try:
        urls = [weights.url for weights in get_model_weights(model)]
    except ValueError as error:
        raise AABenchError(f"torchvision has no network {model!r}, and so no weights {name} of it") from error
    for url in urls:
        if url.endswith(f"/{name}"):
            return str(url)
    raise AABenchError(f"torchvision publishes no weights {name} of {model}; it has {', '.join(urls)}")
