"""The leaves, against naive references."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import KEY, frame, xor
from tests.core.twins import Leaves

SIZES = [*range(601), 1023, 4096, 65535, 65536, 1_000_003]
NOISE = random.Random(6455).randbytes(max(SIZES) + 16)


# --- masking (RFC 6455 §5.3) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, bytes(4), b"\xff\x00\x80\x01"], ids=bytes.hex)
def test_masking_is_xor_with_the_repeated_key(leaves: Leaves, key: bytes) -> None:
    for size in SIZES:
        assert leaves.apply_mask(NOISE[:size], key) == xor(NOISE[:size], key), size


def test_unmasking_begins_with_the_first_byte_of_the_key_at_any_offset(leaves: Leaves) -> None:
    for size, start in product(SIZES[:-1], range(9)):
        expected = xor(NOISE[start : start + size], KEY)
        assert leaves.unmask(NOISE, start, start + size, KEY, 0) == expected, (size, start)


def test_masking_twice_gives_the_payload_back(leaves: Leaves) -> None:
    for size in SIZES:
        assert leaves.apply_mask(leaves.apply_mask(NOISE[:size], KEY), KEY) == NOISE[:size]


def test_the_masked_example_of_the_rfc(leaves: Leaves) -> None:
    assert leaves.apply_mask(bytes.fromhex("7f9f4d5158"), KEY) == b"Hello"


# --- headers (RFC 6455 §5.2) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "8100"),
        (125, "817d"),
        (126, "817e007e"),
        (127, "817e007f"),
        (256, "817e0100"),
        (0xFFFF, "817effff"),
        (0x10000, "817f0000000000010000"),
        (2**63 - 1, "817f7fffffffffffffff"),
    ],
)
def test_lengths_take_the_fewest_bytes(leaves: Leaves, length: int, expected: str) -> None:
    plain = bytes.fromhex(expected)
    assert leaves.encode_header(0x81, length, None) == plain
    assert leaves.encode_header(0x81, length, KEY) == bytes([0x81, plain[1] | 0x80]) + plain[2:] + KEY


@pytest.mark.parametrize("size", [0, 1, 125, 126, 511, 512, 65535, 65536])
def test_a_frame_is_its_header_and_its_payload(leaves: Leaves, size: int) -> None:
    assert leaves.encode_frame(0x82, NOISE[:size], None) == frame(0x82, NOISE[:size], masked=False)
    assert leaves.encode_frame(0x82, NOISE[:size], KEY) == frame(0x82, NOISE[:size], masked=True)


# --- UTF-8 (RFC 3629) -------------------------------------------------------------------------------------------------

SCALARS = [chr(point) for point in range(0, 0x110000, 64) if not 0xD800 <= point <= 0xDFFF]
#: Everything that is the beginning of some character, and not all of it: the last six bits never matter.
BEGINNINGS = {char.encode()[:size] for char in SCALARS for size in range(1, len(char.encode()))}


def reference(data: bytes) -> int | None:
    """How many bytes are complete characters; ``None`` if no continuation can make ``data`` valid."""
    position = 0
    while position < len(data):
        size = next((n for n in range(1, 5) if is_character(data[position : position + n])), None)
        if size is None:
            return position if data[position:] in BEGINNINGS else None
        position += size
    return position


def is_character(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


def complete(leaves: Leaves, data: bytes) -> int | None:
    try:
        return leaves.complete_utf8(data)
    except UnicodeDecodeError:
        return None


def test_every_one_and_two_bytes_are_judged_at_once(leaves: Leaves) -> None:
    for data in map(bytes, [*product(range(256)), *product(range(256), repeat=2)]):
        assert complete(leaves, data) == reference(data), data


EDGES = (0x00, 0x41, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xED, 0xF0, 0xFF)


def test_three_and_four_bytes_are_judged_at_once(leaves: Leaves) -> None:
    leads = (0x41, *range(0xDF, 0xF8))
    for data in map(bytes, [*product(leads, EDGES, EDGES), *product(leads, EDGES, EDGES, EDGES)]):
        assert complete(leaves, data) == reference(data), data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"ab", 2),
        ("é".encode(), 2),
        (b"ab\xc3", 2),
        (b"\xe2\x82", 0),
        ("€".encode() + b"\xf0\x9f\x98", 3),
        (b"\xed\x9f", 0),
        (b"a\xed", 1),
    ],
)
def test_an_unfinished_character_is_left(leaves: Leaves, data: bytes, expected: int) -> None:
    assert leaves.complete_utf8(data) == expected
    assert leaves.complete_utf8(bytearray(data)) == expected


@pytest.mark.parametrize(
    "data",
    [b"\x80", b"ab\xff", b"\xc0", b"\xe0\x80", b"a\xed\xa0", b"\xed\xbf", b"\xf0\x80", b"\xf4\x90", b"\xf5", b"\xc3A"],
    ids=bytes.hex,
)
def test_the_first_impossible_byte_is_refused(leaves: Leaves, data: bytes) -> None:
    leaves.complete_utf8(data[:-1])
    for wrong in (data, bytearray(data)):
        with pytest.raises(UnicodeDecodeError):
            leaves.complete_utf8(wrong)


@settings(deadline=None)
@given(text=st.text(), position=st.integers(0, 1000))
def test_text_may_be_cut_anywhere(leaves: Leaves, text: str, position: int) -> None:
    data = text.encode()[:position]
    assert leaves.complete_utf8(data) == len(data.decode(errors="ignore").encode())
