"""Recipes made runnable."""

from aabench.train.checkpoint import BEST, LAST
from aabench.train.cost import Cost, estimate
from aabench.train.engine import Diverged, train
from aabench.train.interrupt import Interrupted
from aabench.train.plan import Plan
from aabench.train.progress import Progress, Silent
from aabench.train.result import CurvePoint, Result
from aabench.train.smoke import Check, SmokeResult, smoke, smoke_images, smoke_plan, smoke_sets
from aabench.train.torchvision_weights import check_published, fetch_weights, published_name
from aabench.train.weights import load_backbone, load_weights

__all__ = [
    "BEST",
    "LAST",
    "Check",
    "Cost",
    "CurvePoint",
    "Diverged",
    "Interrupted",
    "Plan",
    "Progress",
    "Result",
    "Silent",
    "SmokeResult",
    "check_published",
    "estimate",
    "fetch_weights",
    "load_backbone",
    "load_weights",
    "published_name",
    "smoke",
    "smoke_images",
    "smoke_plan",
    "smoke_sets",
    "train",
]
