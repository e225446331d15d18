"""Whole networks, by name."""

from aabench.models import cifar_resnet, mnasnet, resnet, wide_resnet  # noqa: F401  (they enter their networks)
from aabench.models.registry import create_model, list_models

__all__ = ["create_model", "list_models"]
