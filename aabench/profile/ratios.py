"""How much longer one network of an interleaved run takes than another: the ratio in each round. Imports no torch."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from aabench.profile.median import median_interval
from aabench.record import Measurement


class Ratio(NamedTuple):
    """Of the times of two networks, round by round."""

    median: float
    interval: tuple[float, float] | None
    """95 % interval of the median, distribution-free; None for fewer than 6 rounds.

    It is over the rounds of one process. What a process keeps for its life, such as where its memory came to lie, is
    not in it: about a percent (:mod:`aabench.compare.timing`).
    """
    rounds: int


def run_of(row: Measurement) -> str | None:
    """The id of the interleaved run that a row's times are of; None for a row of another kind, or without times."""
    run: str | None = row.detail.get("interleaved", {}).get("run")
    return run if "latency" in row.detail else None


def paired_ratio(ours: Measurement, theirs: Measurement) -> Ratio:
    """The median of ours over theirs, over the rounds that count.

    Raises:
        ValueError: the two are not of one interleaved run.
    """
    if run_of(ours) is None or run_of(ours) != run_of(theirs):
        raise ValueError(f"rows {ours.id} and {theirs.id} are not of one interleaved run")
    own, other = (row.detail["latency"]["samples_ms"] for row in (ours, theirs))
    ratios = [own[i] / other[i] for i in ours.detail["interleaved"]["counted"]]
    return Ratio(statistics.median(ratios), median_interval(ratios), len(ratios))
