"""Small stand-ins for the package aabench at two revisions: what takes turns need not be a network of the catalog."""

from pathlib import Path

from aabench.compare.pairs import Work

_MODELS = """
import torch
from torch import nn


class Repeated(nn.Module):
    def __init__(self, times):
        super().__init__()
        self.times = times
        self.network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU())

    def forward(self, x):
        for _ in range(self.times):
            y = self.network(x)
        return y.mean((2, 3))


def create_model(name, *, input_size, num_classes, **arguments):
    {body}
"""
WORK = Work(model="repeated", arguments={}, num_classes=16, input_size=64)


def write_package(folder: Path, forwards: int = 10, body: str | None = None) -> Path:
    """A package aabench whose only network is so many forward passes of the same small one."""
    models = folder / "aabench" / "models"
    models.mkdir(parents=True, exist_ok=True)
    (folder / "aabench" / "__init__.py").touch()
    (models / "__init__.py").write_text(_MODELS.format(body=body or f"return Repeated({forwards})"))
    return folder
