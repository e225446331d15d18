"""Claims and the rows of a log, joined to verdicts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aabench.catalog import Catalog, Claim, Sweep
from aabench.record import Measurement
from aabench.verify.accuracy import judge_accuracy
from aabench.verify.growth import judge_growth
from aabench.verify.latency import judge_latency
from aabench.verify.memory import judge_memory
from aabench.verify.protocol import judge_protocol
from aabench.verify.structure import LEVEL_OF, judge_exact
from aabench.verify.unjudged import blocked, unspecified
from aabench.verify.verdict import Verdict


def judge(claim: Claim, rows: Sequence[Measurement], catalog: Catalog) -> Verdict:
    """Judge one claim by the rows of a log.

    Rows of altered or unfinished runs never count, nor do smoke runs. Parameters, FLOPs and exact image counts are
    compared with the interval of the printed value; accuracies by their 95 % interval: over the images of one run
    (Wilson), over seeds (Student), and differences over seeds (Welch) or over the shared images of one pair. Costs and
    their growth are judged by the points of a profile in the claim's sweep; a protocol's claims over paired seeds,
    under its scaled-down setting too: as claims of their own.
    """
    if claim.task in catalog.protocols:
        return judge_protocol(claim, rows, catalog)
    if claim.unspecified:
        return unspecified(claim)
    for name in (claim.task, claim.baseline):
        if name is not None and catalog.tasks[name].obstacle is not None:
            return blocked(claim, name, catalog.tasks[name].obstacle)
    if claim.sweep is not None:
        return _judge_cost(claim, catalog.sweeps[claim.sweep], rows)
    if claim.metric in LEVEL_OF:
        return judge_exact(claim, rows)
    return judge_accuracy(claim, rows, catalog)


def _judge_cost(claim: Claim, sweep: Sweep, rows: Sequence[Measurement]) -> Verdict:
    if claim.kind == "growth":
        return judge_growth(claim, sweep, rows)
    return (judge_latency if claim.metric == "latency_ms" else judge_memory)(claim, sweep, rows)


def judge_all(
    catalog: Catalog, rows: Sequence[Measurement], tasks: Collection[str] | None = None
) -> tuple[Verdict, ...]:
    """Judge the catalog's claims (on ``tasks``, if given), in its order.

    What is tagged ``derived`` is our own count and no claim: it is left out.
    """
    chosen = (claim for claim in catalog.claims if claim.tag != "derived" and (tasks is None or claim.task in tasks))
    return tuple(judge(claim, rows, catalog) for claim in chosen)
