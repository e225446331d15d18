"""Whole networks, by name."""

from aabench.models.registry import create_model, list_models

__all__ = ["create_model", "list_models"]
