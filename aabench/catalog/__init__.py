"""Paper, Claim, Task, Recipe, SchemeSearch, Sweep, Protocol: what ``tasks/*.toml`` says, checked. Imports no torch."""

from aabench.catalog.catalog import Catalog
from aabench.catalog.load import Fault, load_catalog, read_catalog, tasks_folder
from aabench.catalog.protocol import Protocol
from aabench.catalog.recipe import Recipe, Smoke
from aabench.catalog.schema import Claim, Paper, Quantity, Task
from aabench.catalog.search import SchemeSearch
from aabench.catalog.sweep import Sweep

__all__ = [
    "Catalog",
    "Claim",
    "Fault",
    "Paper",
    "Protocol",
    "Quantity",
    "Recipe",
    "SchemeSearch",
    "Smoke",
    "Sweep",
    "Task",
    "load_catalog",
    "read_catalog",
    "tasks_folder",
]
