"""Schemes: the published ones, both ways of writing them, and what is refused."""

import pytest

from aabench.models.scheme import all_connected, bits, flags, integers, parse_scheme

DEPTHS = (3, 4, 6, 3)


@pytest.mark.parametrize(
    ("module", "written", "stages", "connected"),
    [
        ("SGE", "100 1011 010011 011", "4,11,19,3", 9),
        ("DIA", "110 0011 110010 011", "6,3,50,3", 9),
        ("SE", "010 0010 110011 001", "2,2,51,1", 7),
    ],
)
def test_published_schemes_read_both_ways(module, written, stages, connected):
    scheme = parse_scheme(written, DEPTHS)
    assert scheme == parse_scheme(stages, DEPTHS) == parse_scheme(written.replace(" ", ""), DEPTHS)
    assert (bits(scheme), integers(scheme), sum(flags(scheme))) == (written, stages, connected)


def test_the_first_block_is_the_most_significant_bit():
    assert parse_scheme("4,1", (3, 2)) == ((True, False, False), (False, True))


def test_all():
    assert parse_scheme("all", (1, 2)) == all_connected((1, 2)) == ((True,), (True, True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1011", "'1011' has 4 bits, and the network 16 blocks"),
        ("100 1011 01001 1011", "stages of 3, 4, 5, 4, and the network of 3, 4, 6, 3"),
        ("4,11,64,3", "64 is too large for stage 3, whose 6 blocks take 0 to 63"),
        ("4,11,19", "one integer for each of the 4 stages"),
        ("4,-1,19,3", "one integer for each of the 4 stages"),
        ("4,,19,3", "one integer for each of the 4 stages"),
        ("yes", "write bits .100 1000 100000 100., or one integer a stage"),
        ("", "'' has 0 bits"),
        ("unspecified", "unspecified, here as in the paper: `aabench search` finds one"),
    ],
)
def test_what_is_no_scheme_says_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        parse_scheme(text, DEPTHS)
