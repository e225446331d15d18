"""A small paper with a plain and an augmented network, and rows as a log would hold them."""

import base64
import itertools
import zlib
from typing import Any

import numpy as np
import pytest

from aabench.catalog import Catalog, Claim, Paper, Task
from aabench.record import Measurement, Value

clock = itertools.count()


def row(task: str, level: str, *values: Value, **fields: Any) -> Measurement:
    """The next row of a log."""
    number = next(clock)
    time = f"2026-01-01T00:00:00.{number:06d}Z"
    content = {"id": f"r{number}", "time": time, "task": task, "level": level, "status": "ok", "values": values}
    return Measurement(**{**content, **fields})


def structure(task: str, params: int, **flops: float) -> Measurement:
    """A structure row; FLOPs by convention, with _ for -."""
    counted = [
        Value(metric="flops", value=value, unit="FLOPs", convention=name.replace("_", "-"))
        for name, value in flops.items()
    ]
    return row(task, "structure", Value(metric="params", value=params, unit="parameters"), *counted)


def run(
    task: str, top1: float, *, level: str = "train", images: int = 10_000, mask: Any = None, **fields: Any
) -> Measurement:
    """A training run (best epoch half a point above the last one), or an evaluation, of the test set."""
    values = [Value(metric="images", value=images, unit="images")]
    if level == "train":
        values.append(Value(metric="top1", value=top1 + 0.5, unit="%", convention="best"))
        values.append(Value(metric="top1", value=top1, unit="%", convention="last"))
    else:
        values.append(Value(metric="top1", value=top1, unit="%"))
        values.append(Value(metric="correct", value=round(top1 * images / 100), unit="images"))
    detail = {} if mask is None else {"correct_mask": packed(mask)}
    return row(task, level, *values, detail=detail, **fields)


def packed(mask: Any) -> str:
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode()


@pytest.fixture
def make() -> type:
    """``make.row``, ``make.structure``, ``make.run`` build rows; ``make.claim`` a claim on ``aa-net``."""

    class Make:
        row = staticmethod(row)
        structure = staticmethod(structure)
        run = staticmethod(run)
        claim = staticmethod(claim)
        pack = staticmethod(packed)

    return Make


def claim(metric: str, value: str | None, task: str = "aa-net", **fields: Any) -> Claim:
    content = {
        "id": f"paper/table-1/{task}/{metric}",
        "paper": "paper",
        "table": "Table 1",
        "row": "AA",
        "tag": "printed",
    }
    return Claim(**{**content, "task": task, "metric": metric, "value": value, **fields})


@pytest.fixture
def catalog() -> Catalog:
    """plain-net (80.3 %), aa-net (81.6 %), known-net (calibration) and detector (blocked)."""
    source = dict.fromkeys(["model", "input_size", "normalisation", "depth", "kappa"], "ours")
    common: dict[str, Any] = {"paper": "paper", "input_size": 32, "normalisation": "cifar100", "source": source}
    tasks = [
        Task(name="plain-net", model="net", arguments={"depth": 28}, data="cifar100", **common),
        Task(name="aa-net", model="aa_net", arguments={"depth": 28, "kappa": 0.2}, data="cifar100", **common),
        Task(name="known-net", model="known", data="cifar10", checkpoint="known.th", calibration=True, **common),
        Task(name="detector", model="detector", data="coco", blocked="no detector in this version", **common),
    ]
    claims = (claim("top1", "80.3 %", task="plain-net"), claim("top1", "81.6 %"))
    paper = Paper(name="paper", title="A paper", authors="A", venue="V", sheet="paper.md")
    return Catalog(papers={"paper": paper}, recipes={}, tasks={task.name: task for task in tasks}, claims=claims)
