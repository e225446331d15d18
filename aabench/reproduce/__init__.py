"""Measure a task at a level: structure, smoke, eval or train, a file each; or search for its scheme."""

from aabench.reproduce.attempt import Outcome, attempt
from aabench.reproduce.job import Job, Reporter
from aabench.reproduce.search import SearchJob, search_job, search_scheme, train_supernet
from aabench.reproduce.sets import fetch
from aabench.reproduce.training import training_plan

__all__ = [
    "Job",
    "Outcome",
    "Reporter",
    "SearchJob",
    "attempt",
    "fetch",
    "search_job",
    "search_scheme",
    "train_supernet",
    "training_plan",
]
