"""Measure a task at a level: structure, smoke, eval or train, a file each."""

from aabench.reproduce.attempt import Outcome, attempt
from aabench.reproduce.job import Job, Reporter
from aabench.reproduce.sets import fetch
from aabench.reproduce.training import training_plan

__all__ = ["Job", "Outcome", "Reporter", "attempt", "fetch", "training_plan"]
