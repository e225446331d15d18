"""Flags, Score, Evaluator: what a search knows of schemes. It is independent of networks: it is given an evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aabench.models.scheme import bits, parse_scheme

Flags = tuple[bool, ...]
"""A scheme of L blocks in one row: whether each one is connected."""


@dataclass(frozen=True)
class Score:
    """How good a scheme is on the held-out images.

    Attributes:
        accuracy: what is rewarded, in percent.
        top1: images that are right, in percent; the same where that is rewarded.
        image_forwards: whole networks that were run to find it, times images; shares of networks where work was shared
            with other schemes of the call.
    """

    accuracy: float
    top1: float
    image_forwards: float


class Evaluator(Protocol):
    """Scores schemes."""

    def __call__(self, schemes: Sequence[Flags]) -> Mapping[Flags, Score]:
        """The scores of the schemes, which all differ, and of any others that come with them.

        They depend on these schemes alone, whatever was called before: else a search that is resumed ends otherwise
        than one that is not.
        """


def as_bits(flags: Flags) -> str:
    """``1001011``."""
    return bits((flags,))


def as_flags(row: str) -> Flags:
    """What :func:`as_bits` wrote."""
    return parse_scheme(row, (len(row),))[0]
