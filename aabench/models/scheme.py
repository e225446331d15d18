"""Scheme: which blocks of a network its attention is plugged into. Imports no torch.

Written as bits, one a block, stages apart by a space (``100 1011 010011 011``), or as one integer a stage with commas,
the first block being the most significant bit (``4,11,19,3``); ``all`` connects every block.
"""

from __future__ import annotations

from collections.abc import Sequence

Scheme = tuple[tuple[bool, ...], ...]
"""One flag a block, stage by stage: whether the attention is plugged in there."""


def parse_scheme(text: str, depths: Sequence[int]) -> Scheme:
    """Read a scheme for stages of so many blocks.

    Raises:
        ValueError: it is none for these stages; says what was expected.
    """
    if text == "all":
        return all_connected(depths)
    if text == "unspecified":
        raise ValueError(
            "the scheme is unspecified, here as in the paper: `aabench search` finds one, and --scheme (or "
            "--set scheme=) takes it"
        )
    return _from_integers(text, depths) if "," in text else _from_bits(text, depths)


def all_connected(depths: Sequence[int]) -> Scheme:
    """The scheme that connects every block."""
    return tuple((True,) * depth for depth in depths)


def from_flags(flags: Sequence[bool], depths: Sequence[int]) -> Scheme:
    """Flags of all blocks in one row -> the scheme."""
    rest = iter(flags)
    return tuple(tuple(bool(next(rest)) for _ in range(depth)) for depth in depths)


def flags(scheme: Scheme) -> tuple[bool, ...]:
    """The flags of all blocks in one row."""
    return tuple(flag for stage in scheme for flag in stage)


def bits(scheme: Scheme) -> str:
    """``100 1011 010011 011``."""
    return " ".join("".join(str(int(flag)) for flag in stage) for stage in scheme)


def integers(scheme: Scheme) -> str:
    """``4,11,19,3``."""
    return ",".join(str(int(stage, 2)) for stage in bits(scheme).split())


def _from_bits(text: str, depths: Sequence[int]) -> Scheme:
    row = "".join(text.split())
    if set(row) - {"0", "1"}:
        raise ValueError(f"scheme {text!r}: write bits ({_example(depths)}), or one integer a stage with commas")
    if len(row) != sum(depths):
        raise ValueError(
            f"scheme {text!r} has {len(row)} bits, and the network {sum(depths)} blocks "
            f"(stages of {', '.join(map(str, depths))})"
        )
    given = text.split()
    if len(given) > 1 and [len(stage) for stage in given] != list(depths):
        lengths = ", ".join(str(len(stage)) for stage in given)
        raise ValueError(f"scheme {text!r} has stages of {lengths}, and the network of {', '.join(map(str, depths))}")
    return from_flags([bit == "1" for bit in row], depths)


def _from_integers(text: str, depths: Sequence[int]) -> Scheme:
    numbers = [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() for number in numbers) or len(numbers) != len(depths):
        raise ValueError(f"scheme {text!r}: write one integer for each of the {len(depths)} stages, with commas")
    stages = []
    for stage, (number, depth) in enumerate(zip(numbers, depths, strict=True), start=1):
        if int(number) >= 2**depth:
            raise ValueError(
                f"scheme {text!r}: {number} is too large for stage {stage}, whose {depth} blocks take 0 to "
                f"{2**depth - 1}"
            )
        stages.append(f"{int(number):0{depth}b}")
    return tuple(tuple(bit == "1" for bit in stage) for stage in stages)


def _example(depths: Sequence[int]) -> str:
    return bits(tuple(tuple(block == 0 for block in range(depth)) for depth in depths))
