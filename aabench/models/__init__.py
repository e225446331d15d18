"""Whole networks, by name."""

# They enter their networks.
from aabench.models import cifar_resnet, eaa_resnet, mnasnet, resnet, squeezenet, wide_resnet  # noqa: F401
from aabench.models.registry import create_model, list_models

__all__ = ["create_model", "list_models"]
