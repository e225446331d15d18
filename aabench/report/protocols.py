"""The report's section on protocols: what each network reached over the seeds, under each setting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
import pandas as pd

from aabench.catalog import Catalog
from aabench.catalog.schema import Setting
from aabench.record import Measurement
from aabench.report.markdown import code, table
from aabench.report.numbers import MISSING
from aabench.verify import protocol_runs

_INTRO = (
    "Networks trained with the same seeds: with each, all see the same images in the same order and augmentation. "
    "`±` is the standard deviation over the seeds of runs that did not diverge, all of the last epoch. "
    "The claims on them are judged above, seed by seed."
)


def protocols(rows: Sequence[Measurement], catalog: Catalog) -> list[str]:
    """A table for each protocol and setting that was begun; a scaled-down one is named as such."""
    lines: list[str] = []
    for protocol in catalog.protocols.values():
        for setting in get_args(Setting):
            found = protocol_runs(protocol, setting, catalog, rows)
            if any(found.values()):
                title = "full" if setting == "full" else protocol.scaled.title
                frame = pd.DataFrame([_line(name, own.values()) for name, own in found.items()], dtype=object)
                lines += [f"### {protocol.name} ({title})", "", *table(frame, right=list(frame.columns)[1:]), ""]
    return ["## Protocols", "", _INTRO, "", *lines] if lines else []


def _line(task: str, runs: Iterable[Measurement]) -> dict[str, object]:
    runs = list(runs)
    ended = [row for row in runs if row.status == "ok"]
    return {
        "network": code(task),
        "seeds": len(runs),
        "top-1, %": _over_seeds(ended, "top1", 2),
        "training loss": _over_seeds(ended, "train_loss", 4),
        "test loss": _over_seeds(ended, "loss", 4),
        "diverged": len(runs) - len(ended),
    }


def _over_seeds(rows: Sequence[Measurement], metric: str, digits: int) -> str:
    values = [row.number(metric, "last") for row in rows]
    if not values:
        return MISSING
    deviation = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{deviation}"
