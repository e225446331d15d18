"""Resolutions as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aabench.errors import AABenchError
from aabench.profile import parse_resolutions


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("32..512", (32, 64, 96, 128, 192, 224, 256, 384, 512)),
        ("32..128:32", (32, 64, 96, 128)),
        ("32..100:32", (32, 64, 96)),
        ("32,224,512", (32, 224, 512)),
        ("224", (224,)),
        ("100..200", (100, 128, 192, 200)),
        ("64..64", (64,)),
        (" 512 , 32..64 ", (32, 64, 512)),
        ("32..96,64", (32, 64, 96)),
    ],
)
def test_forms(text: str, sides: tuple[int, ...]) -> None:
    assert parse_resolutions(text) == sides


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no side in pixels"),
        ("32,,64", "no side in pixels"),
        ("big", "'big' is no side"),
        ("32...64", "no side"),
        ("-32", "no side"),
        ("32.5", "no side"),
        ("32..", "no side"),
        ("32..64:", "no side"),
        ("512..32", "write 32..512"),
        ("32..64:0", "step by 0"),
        ("0..64", "between 1 and 16384"),
        ("32..99999999999:1", "between 1 and 16384"),
    ],
)
def test_bad_text_is_one_line_that_quotes_it(text: str, says: str) -> None:
    with pytest.raises(AABenchError, match=says) as error:
        parse_resolutions(text)
    assert repr(text) in str(error.value)
    assert "\n" not in str(error.value)


@given(st.integers(1, 16384), st.integers(1, 16384))
def test_a_range_is_ascending_and_keeps_its_ends(first: int, last: int) -> None:
    first, last = sorted((first, last))
    sides = parse_resolutions(f"{first}..{last}")
    assert (sides[0], sides[-1]) == (first, last)
    assert list(sides) == sorted(set(sides))
