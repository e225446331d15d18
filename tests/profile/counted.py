"""Counts of the catalog's tasks, each made once a session."""

from functools import cache

from torch import nn

from aabench.catalog import load_catalog
from aabench.models import create_model
from aabench.profile import Count, count


def on_meta(name: str, side: int) -> nn.Module:
    """A task's network at a size."""
    task = load_catalog().task(name)
    return create_model(task.model, input_size=side, num_classes=task.num_classes, device="meta", **task.arguments)


@cache
def counted(name: str, side: int) -> Count:
    """The count of a task at a size."""
    return count(on_meta(name, side), side)
