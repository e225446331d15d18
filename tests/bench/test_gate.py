"""The timing gate on real processes: it must find a tenth more work, and nothing where nothing changed.

AABENCH_GATE_COMPARISONS says how many comparisons of each kind are made (default 1, which only shows that it runs);
20 decide: at most 1 alarm where nothing changed, at least 19 where HEAD does a tenth more.
"""

import os
import time
from collections import Counter

import pytest

from aabench.compare.rerun import compare_trees
from tests.compare.stand_in import WORK, write_package

COMPARISONS = int(os.environ.get("AABENCH_GATE_COMPARISONS", "1"))
ENOUGH = 20
FORWARDS = 10


@pytest.mark.parametrize(("kind", "forwards"), [("A/A", FORWARDS), ("A/B", FORWARDS + 1)])
def test_gate(benchmark, tmp_path, kind, forwards):
    base, head = write_package(tmp_path / "base", FORWARDS), write_package(tmp_path / "head", forwards)
    found = []

    def compare_all():
        for seed in range(COMPARISONS):
            found.append(compare_trees(base, head, kind, WORK, seconds=0.5, seed=seed))

    start = time.perf_counter()
    benchmark.pedantic(compare_all, rounds=1)
    counts = Counter(finding.judgement for finding in found)
    changes = [finding.change for finding in found]
    benchmark.extra_info.update(
        comparisons=COMPARISONS,
        slower=counts["regression"],
        faster=counts["improvement"],
        least_change=min(changes),
        largest_change=max(changes),
        widest_interval=max(high - low for low, high in (finding.interval for finding in found)),
        seconds_each=(time.perf_counter() - start) / COMPARISONS,
    )
    assert set(counts) <= {"regression", "improvement", "no difference shown"}
    if COMPARISONS >= ENOUGH:
        wrong = COMPARISONS - counts["no difference shown" if kind == "A/A" else "regression"]
        assert wrong <= COMPARISONS // ENOUGH
