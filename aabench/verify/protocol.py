"""Verdicts on a protocol's claims: its networks compared seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aabench.catalog import Catalog, Claim, Protocol
from aabench.catalog.schema import Setting
from aabench.record import DIVERGED, Measurement
from aabench.verify.paired import best_of, log_spreads, newcombe, pairs_needed, seeds_for_shares
from aabench.verify.statistics import ALPHA, Interval, student
from aabench.verify.verdict import Judgement, Verdict

Runs = dict[int, Measurement]
"""One network's run of each seed."""


class _Estimate(NamedTuple):
    """What the seeds give: above ``nothing`` if the claim holds."""

    value: float | None
    interval: Interval | None
    unit: str
    text: str
    """What was found, and how, in words: goes before ``lies above ...``."""
    more: str
    """What would decide it, if this does not; empty where nothing is known of that."""
    nothing: float = 0.0
    """The value of no difference."""


def protocol_runs(
    protocol: Protocol, setting: Setting, catalog: Catalog, rows: Sequence[Measurement]
) -> dict[str, Runs]:
    """The newest finished run of each task and seed under a setting. A diverged run is a finished one."""
    found: dict[str, Runs] = {name: {} for name in protocol.tasks}
    altered = {name: protocol.altered(setting, catalog.tasks[name]) for name in protocol.tasks}
    for row in sorted(rows, key=lambda row: row.time):
        finished = row.status == "ok" or DIVERGED in row.detail
        if row.level == "train" and row.seed is not None and finished and row.altered == altered.get(row.task):
            found[row.task][row.seed] = row
    return found


def judge_protocol(claim: Claim, rows: Sequence[Measurement], catalog: Catalog) -> Verdict:
    """Judge a claim on a protocol, by the runs of the claim's setting alone.

    Seeds count that every network of the protocol has finished. ``top1`` is about the best of the candidates, the other
    metrics about all networks but the baseline: the training loss after equal epochs (last epoch), how much it spreads
    over seeds, and the share of runs that diverged.
    """
    protocol = catalog.protocols[claim.task]
    runs = protocol_runs(protocol, claim.setting, catalog, rows)
    seeds = sorted(set.intersection(*(set(own) for own in runs.values())))
    if not seeds:
        return _not_run(claim, runs)
    paired = {name: {seed: own[seed] for seed in seeds} for name, own in runs.items()}
    comparison = _Comparison(protocol, claim.baseline or "", paired, seeds)
    estimate = _ESTIMATES[claim.metric](comparison)
    status, why = _place(estimate, len(seeds))
    under = f"under the {protocol.scaled.title}: " if claim.setting == "scaled" else ""
    interval = estimate.interval
    return Verdict(
        claim=claim,
        status=status,
        reason=f"{under}{estimate.text} {why}{comparison.aside(claim.metric)}",
        measured=estimate.value,
        unit=estimate.unit,
        convention=None if claim.metric == "diverged" else "last",
        interval=(interval.low, interval.high) if interval else None,
        n=len(seeds),
        n_of="seeds",
        rows=tuple(row.id for own in paired.values() for row in own.values()),
    )


def _not_run(claim: Claim, runs: dict[str, Runs]) -> Verdict:
    begun = sorted(set().union(*runs.values()))
    command = f"aabench reproduce {claim.task} --protocol {claim.setting}"
    reason = f"`{command} --seeds 3` measures it"
    if begun:
        lacking = [name for name, own in runs.items() if begun[0] not in own]
        reason = f"seed {begun[0]} lacks {', '.join(lacking)}: `{command} --seed {begun[0]} --seeds 3 --resume` goes on"
    return Verdict(claim=claim, status="not-run", reason=reason)


def _place(estimate: _Estimate, seeds: int) -> tuple[Judgement, str]:
    interval, nothing = estimate.interval, f"{estimate.nothing:g}"
    if interval is None:
        one = "one seed has no interval" if seeds == 1 else "these seeds give no interval"
        return "underpowered", "; ".join(filter(None, (f"decides nothing: {one}", estimate.more)))
    if interval.low > estimate.nothing:
        return "verified", f"lies above {nothing}"
    if interval.high < estimate.nothing:
        return "contradicted", f"lies below {nothing}"
    return "underpowered", f"holds {nothing}; {estimate.more}"


@dataclass(frozen=True)
class _Comparison:
    """The runs of a protocol's networks, all of the same seeds, against one of its baselines."""

    protocol: Protocol
    baseline: str
    runs: dict[str, Runs]
    seeds: list[int]

    @property
    def augmented(self) -> list[str]:
        """All networks but the baseline."""
        return [name for name in self.protocol.tasks if name != self.baseline]

    def values(self, name: str, metric: str) -> dict[int, float]:
        """Of the runs that did not diverge, by seed."""
        own = {seed: row for seed, row in self.runs[name].items() if row.status == "ok"}
        return {seed: float(row.number(metric, "last")) for seed, row in own.items()}

    def differences(self, name: str, metric: str) -> list[float]:
        """To the baseline, seed by seed."""
        own, base = self.values(name, metric), self.values(self.baseline, metric)
        return [own[seed] - base[seed] for seed in self.seeds if seed in own and seed in base]

    def diverged(self, names: Sequence[str]) -> int:
        """Runs of these networks that diverged."""
        return sum(row.status != "ok" for name in names for row in self.runs[name].values())

    def aside(self, metric: str) -> str:
        """What the numbers leave out."""
        count = self.diverged(self.protocol.tasks)
        return f" (left out: {count} diverged run{'s' if count > 1 else ''})" if count and metric != "diverged" else ""


def _best_top1(given: _Comparison) -> _Estimate:
    found = {name: given.differences(name, "top1") for name in given.protocol.candidates}
    found = {name: own for name, own in found.items() if own}  # one that never ended well cannot be the best
    if not found:
        return _Estimate(None, None, "points", "of the candidates, no run ended well together with the baseline's:", "")
    best = max(found, key=lambda name: _mean(found[name]))
    interval = best_of(list(found.values()))
    value = _mean(found[best])
    how = f"{_paired(len(given.seeds))}{', Student' if interval else ''}"
    named = f"{best}:"
    if len(given.protocol.candidates) > 1:
        named = f"the best of {len(found)} is {best},"
        how += f", Bonferroni over {len(found)}" if interval else ""
    text = f"{named} {value:+.2f} points{_bounds(interval, '+.2f')} ({how})"
    more = _would_decide(pairs_needed(found[best], ALPHA / len(found)) if interval else None)
    if few := [name for name, own in found.items() if len(own) < 2]:
        more = f"it takes two seeds that {', '.join(few)} and {given.baseline} end well"
    return _Estimate(value, interval, "points", f"{text} over {given.baseline}", more)


def _training_loss(given: _Comparison) -> _Estimate:
    means = {name: _mean(own) for name in given.augmented if (own := given.differences(name, "train_loss"))}
    differences = list(_mean_differences(given))
    if not differences:
        return _Estimate(None, None, "nats", "no augmented network ended well together with the baseline:", "")
    interval = student(differences) if len(set(differences)) > 1 else None
    least, most = min(means, key=lambda name: means[name]), max(means, key=lambda name: means[name])
    value = _mean(differences)
    text = (
        f"{value:+.3f} nats{_bounds(interval, '+.3f')} over {given.baseline} "
        f"in the mean of {len(means)} augmented networks "
        f"({_paired(len(given.seeds))}{', Student' if interval else ''}; "
        f"from {means[least]:+.3f}, {least}, to {means[most]:+.3f}, {most})"
    )
    return _Estimate(value, interval, "nats", text, _would_decide(pairs_needed(differences)))


def _mean_differences(given: _Comparison) -> Iterator[float]:
    """Of the augmented networks that ended well with a seed, their mean distance to the baseline: one a seed."""
    base = given.values(given.baseline, "train_loss")
    own = [given.values(name, "train_loss") for name in given.augmented]
    for seed in base:
        losses = [values[seed] for values in own if seed in values]
        if losses:
            yield _mean(losses) - base[seed]


def _spread(given: _Comparison) -> _Estimate:
    values = {name: given.values(name, "train_loss") for name in given.protocol.tasks}
    shared = [seed for seed in given.seeds if all(seed in own for own in values.values())]
    ours = [[values[name][seed] for seed in shared] for name in given.augmented]
    logs = log_spreads(ours, [values[given.baseline][seed] for seed in shared])
    if logs is None:
        text = f"the spread of the training loss over {_paired(len(shared))}"
        return _Estimate(None, None, "times", text, "it takes three seeds that all networks end well", 1.0)
    found = student(logs)
    interval = Interval(*(math.exp(end) for end in (found.estimate, found.low, found.high)))
    text = (
        f"the training loss of {len(ours)} augmented networks spreads {interval.estimate:.2f} times "
        f"as much over seeds as that of {given.baseline}, in the geometric mean{_bounds(interval, '.2f')} "
        f"({_paired(len(shared))}, jackknife)"
    )
    more = _would_decide(pairs_needed(logs))
    return _Estimate(interval.estimate, interval, "times", text, more, 1.0)


def _diverged(given: _Comparison) -> _Estimate:
    seeds = len(given.seeds)
    ours, our_runs = given.diverged(given.augmented), len(given.augmented) * seeds
    theirs = given.diverged([given.baseline])
    interval = newcombe(ours, our_runs, theirs, seeds)
    text = (
        f"{ours} of {our_runs} augmented runs diverged and {theirs} of {seeds} of {given.baseline}: "
        f"{100 * interval.estimate:+.1f} points{_bounds(interval.scaled(100), '+.1f')} "
        "(Newcombe, runs taken as independent)"
    )
    more = _would_decide(seeds_for_shares(ours, our_runs, theirs, seeds, seeds))
    return _Estimate(100 * interval.estimate, interval.scaled(100), "points", text, more)


_ESTIMATES = {
    "top1": _best_top1,
    "train_loss": _training_loss,
    "seed_spread": _spread,
    "diverged": _diverged,
}


def _would_decide(seeds: int | None) -> str:
    if seeds is None:
        return "how many seeds would decide, these do not tell"
    return f"{seeds} seeds would decide, if difference and deviation stay as they are"


def _paired(seeds: int) -> str:
    return f"{seeds} paired seed{'' if seeds == 1 else 's'}"


def _bounds(interval: Interval | None, form: str) -> str:
    return f" [{interval.low:{form}}, {interval.high:{form}}]" if interval else ""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
