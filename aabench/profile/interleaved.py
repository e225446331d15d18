"""The worker's job ``interleaved``: the latency of several networks in one process, round by round."""

from __future__ import annotations

import dataclasses
from statistics import fmean
from typing import Any

import torch

from aabench import allocator
from aabench.profile import machine
from aabench.profile.measure import build_call
from aabench.profile.rounds import take_rounds
from aabench.profile.timer import Timer, timer

CALLS_IN_A_ROW = 20
"""Of a network whose calls nobody waits for, each turn. The device's queue holds about a thousand operators, those of a
few calls: from then on a call takes as long as the device needs, as in a long run of one network (ours)."""


def run(point: dict[str, Any]) -> dict[str, Any]:
    """Build all networks, then time them in turns.

    Args:
        point: ``networks``: the settings of each one's row of level ``profile``; they differ in the network alone.
    """
    first = point["networks"][0]
    tuned = allocator.warm() if first["allocator"] == "warm" else "as the environment has it"
    turns = [_turn(network) for network in point["networks"]]
    before = machine.state(first["device"])
    rounds = take_rounds(
        turns, seconds=first["seconds"], precision=first["precision"], probed=first["device"] != "cuda"
    )
    return {
        "rounds": dataclasses.asdict(rounds),
        "allocator": tuned,
        "threads": torch.get_num_threads(),
        "machine": {"before": before, "after": machine.state(first["device"])},
    }


def _turn(network: dict[str, Any]) -> Timer:
    """What is done of a network in a round: one call, or several in a row where nothing waits for the device."""
    device, synchronised = network["device"], network["synchronised"]
    time_one = timer(build_call(network), device, flush_l2=network["flush_l2"], synchronised=synchronised)
    if device != "cuda" or synchronised:
        return time_one

    def turn() -> float:
        mean = fmean(time_one() for _ in range(CALLS_IN_A_ROW))
        torch.cuda.synchronize()  # or the next network would pay for what is left in the queue
        return mean

    return turn
