"""The packed mask of images that were right."""

import base64
import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aabench.evaluate import pack_mask, unpack_mask


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_what_is_packed_comes_back(bits):
    mask = torch.tensor(bits)
    assert torch.equal(unpack_mask(pack_mask(mask), len(bits)), mask)


def test_the_format_is_base64_of_zlib_of_bits_first_image_first():
    mask = torch.tensor([True, False, False, False, False, False, False, True, True])
    assert zlib.decompress(base64.b64decode(pack_mask(mask))) == bytes([0b10000001, 0b10000000])


def test_a_test_sets_mask_is_short_enough_for_a_log():
    generator = torch.Generator().manual_seed(0)
    assert len(pack_mask(torch.rand(10_000, generator=generator) < 0.8)) < 2000


@pytest.mark.parametrize(
    "packed", ["not base64!", base64.b64encode(b"no zlib").decode(), pack_mask(torch.ones(80) > 0)]
)
def test_what_is_no_mask_of_so_many_images_is_refused(packed):
    with pytest.raises(ValueError, match=r"base64|no packed mask|a mask of 80 bits"):
        unpack_mask(packed, 9)
