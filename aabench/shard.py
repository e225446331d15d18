"""``--shard i/n``: the share of a long work that one of n processes does. Their logs merge with ``cat``."""

from __future__ import annotations

from typing import TypeVar

from aabench.errors import AABenchError

_Item = TypeVar("_Item")


def share(items: list[_Item], shard: str | None) -> list[_Item]:
    """Every n-th item, from the i-th on (from 1); all of them without a shard.

    Raises:
        AABenchError: a shard that is not i/n with i from 1 to n.
    """
    if shard is None:
        return items
    first, _, of = shard.partition("/")
    if not (first.isdecimal() and of.isdecimal() and 1 <= int(first) <= int(of)):
        raise AABenchError(f"a shard is i/n with i from 1 to n, such as 1/4, not {shard!r}")
    return items[int(first) - 1 :: int(of)]
