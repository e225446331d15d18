"""The report's sentence on what it is worth to take the best epoch, chosen on the test set, instead of the last."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from aabench.catalog import Catalog
from aabench.record import Measurement


def selection(rows: Sequence[Measurement], catalog: Catalog) -> list[str]:
    """What the trainings' own curves show, for the tasks of the papers whose claims are judged by the best epoch.

    Trainings with changed settings, which no claim is judged by, are counted apart. Those without two scored epochs
    have nothing to choose from, and are left out.
    """
    papers = {claim.paper for claim in catalog.claims if claim.of_best_epoch}
    tasks = {task.name for task in catalog.tasks.values() if task.paper in papers}
    chosen = [row for row in rows if row.level == "train" and row.status == "ok" and row.task in tasks]
    parts = [
        _worth([gain for row in chosen if bool(row.altered) == altered and (gain := _gain(row)) is not None], of)
        for altered, of in ((False, "by the recipes as they are"), (True, "with changed settings"))
    ]
    found = "; ".join(part for part in parts if part)
    sentence = f"Taking the best epoch, chosen on the test set, instead of the last was worth {found}."
    return [sentence, ""] if found else []


def _gain(row: Measurement) -> float | None:
    """Top-1 of the best scored epoch less that of the last one, in points."""
    curve = [point["top1"] for point in row.detail.get("curve", ()) if point["top1"] is not None]
    return max(curve) - curve[-1] if len(curve) > 1 else None


def _worth(gains: Sequence[float], of: str) -> str:
    if not gains:
        return ""
    if len(gains) == 1:
        return f"{gains[0]:.2f} points of top-1 in the one run {of}"
    spread = f"{min(gains):.2f} to {max(gains):.2f}"
    return f"{fmean(gains):.2f} points of top-1 on average ({spread}) over the {len(gains)} runs {of}"
