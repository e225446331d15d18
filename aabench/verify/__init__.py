"""Verdicts: the claims of the catalog judged by the rows of a log. Imports no torch, measures nothing."""

from aabench.verify.accuracy import MARGIN
from aabench.verify.effect import Effect, SeedPlan, claimed_effect, plan_seeds
from aabench.verify.judge import judge, judge_all
from aabench.verify.latency import LATENCY_MARGIN
from aabench.verify.protocol import protocol_runs
from aabench.verify.verdict import JUDGEMENTS, Judgement, Verdict, exit_code

__all__ = [
    "JUDGEMENTS",
    "LATENCY_MARGIN",
    "MARGIN",
    "Effect",
    "Judgement",
    "SeedPlan",
    "Verdict",
    "claimed_effect",
    "exit_code",
    "judge",
    "judge_all",
    "plan_seeds",
    "protocol_runs",
]
