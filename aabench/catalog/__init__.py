"""Paper, Claim, Task, Recipe, Sweep, Protocol: what ``tasks/*.toml`` says, checked. Imports no torch."""

from aabench.catalog.load import Catalog, Fault, load_catalog, read_catalog, tasks_folder
from aabench.catalog.protocol import Protocol
from aabench.catalog.schema import Claim, Paper, Quantity, Recipe, Smoke, Task
from aabench.catalog.sweep import Sweep

__all__ = [
    "Catalog",
    "Claim",
    "Fault",
    "Paper",
    "Protocol",
    "Quantity",
    "Recipe",
    "Smoke",
    "Sweep",
    "Task",
    "load_catalog",
    "read_catalog",
    "tasks_folder",
]
