"""The leaves, against naive references."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import KEY, frame, xor
from tests.core.twins import Leaves, compiled

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


def test_the_key_is_found_where_it_stands(leaves: Leaves) -> None:
    for at, size in product(range(9), range(20)):
        key = NOISE[at : at + 4]
        assert leaves.unmask(NOISE, 100, 100 + size, NOISE, at) == xor(NOISE[100 : 100 + size], key)


def test_without_a_key_bytes_are_as_they_are(leaves: Leaves) -> None:
    for size, start in product(SIZES[:-1], range(9)):
        assert leaves.unmask(NOISE, start, start + size, b"", -4) == NOISE[start : start + size]


def test_masking_twice_gives_the_payload_back(leaves: Leaves) -> None:
    for size in SIZES:
        assert leaves.apply_mask(leaves.apply_mask(NOISE[:size], KEY), KEY) == NOISE[:size]


def test_the_masked_example_of_the_rfc(leaves: Leaves) -> None:
    assert leaves.apply_mask(bytes.fromhex("7f9f4d5158"), KEY) == b"Hello"


# --- text (RFC 6455 §5.6) ---------------------------------------------------------------------------------------------

TEXTS = [b"", b"a", b"\x7f" * 64, b"x" * 65_536, "é".encode(), "größer €😀".encode() * 9, b"x" * 100 + "€".encode()]
WRONG = [
    b"\x80",
    b"a\xff",
    b"x" * 64 + b"\xc3",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80" + b"x" * 99,
]


@pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "masked"])
@pytest.mark.parametrize("offset", range(9))
def test_text_is_unmasked_and_decoded(leaves: Leaves, key: bytes, offset: int) -> None:
    for content in TEXTS:
        data = NOISE[:offset] + (xor(content, key) if key else content) + NOISE[:3]
        text = leaves.unmask_text(data, offset, offset + len(content), key, 0)
        assert text == content.decode()
        assert text.isascii() is content.isascii()
        assert hash(text) == hash(content.decode())


@pytest.mark.parametrize("content", WRONG, ids=lambda content: content[-8:].hex())
@pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "masked"])
def test_what_is_no_text_is_refused_as_python_refuses_it(leaves: Leaves, key: bytes, content: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as expected:
        content.decode()
    with pytest.raises(UnicodeDecodeError) as refused:
        leaves.unmask_text(xor(content, key) if key else content, 0, len(content), key, 0)
    assert refused.value.args == expected.value.args


# --- the message that is being received -------------------------------------------------------------------------------

PIECES = st.lists(st.binary(max_size=20) | st.text(max_size=9).map(str.encode) | st.just(b"x" * 300), max_size=8)


@settings(deadline=None, max_examples=300)
@given(pieces=PIECES, takes=st.sets(st.integers(0, 7)), is_text=st.booleans(), keys=st.sampled_from([b"", KEY * 2]))
def test_a_message_is_its_pieces(
    leaves: Leaves, pieces: list[bytes], takes: set[int], is_text: bool, keys: bytes
) -> None:
    """Whatever is taken on the way: a character that is cut in two comes when it is whole."""
    message, whole = leaves.MessageBuffer(is_text), b"".join(pieces)
    taken: list[str | bytes] = []
    try:
        for index, piece in enumerate(pieces):
            data = b"-" + (xor(piece, keys[3:7]) if keys else piece)
            message.add(data, 1, len(data), keys, 3, sum(map(len, pieces[index + 1 :])))
            message.check()
            if index in takes:
                taken.append(message.take(False))
        taken.append(message.take(True))
    except UnicodeDecodeError:
        assert is_text
        with pytest.raises(UnicodeDecodeError):
            whole.decode()
        return
    assert {type(part) for part in taken} == {str if is_text else bytes}
    assert b"".join(part.encode() if isinstance(part, str) else part for part in taken) == whole
    assert message.take(True) == ("" if is_text else b"")


def test_what_was_taken_stays_as_it_is(leaves: Leaves) -> None:
    """The native one gathers in the object that it hands over: never in one that somebody holds."""
    for is_text, content in [
        (True, b"a"),
        (True, "é".encode()),
        (False, b"a"),
        (False, b"\xff" * 9),
        (True, b"a" * 99),
    ]:
        message = leaves.MessageBuffer(is_text)
        message.add(content, 0, len(content), b"", 0, 0)
        taken = message.take(False)
        message.add(b"zz", 0, 2, b"", 0, 0)
        message.add(b"\xc3\xa9" * 50, 0, 100, b"", 0, 0)
        assert taken == (content.decode() if is_text else content)
        assert (bytes([0x61]), chr(0x61), bytes([0xC3])) == (b"a", "a", b"\xc3")  # the interpreter shares these


def test_text_is_checked_as_it_comes(leaves: Leaves) -> None:
    message = leaves.MessageBuffer(True)
    for piece in (b"abc", b"\xe2", b"\x82", b"\xac", b"d\xed"):
        message.add(piece, 0, len(piece), b"", 0, 0)
        message.check()
    message.add(b"\xa0", 0, 1, b"", 0, 0)
    with pytest.raises(UnicodeDecodeError, match="surrogates not allowed"):
        message.check()


# --- what only C has to fear ------------------------------------------------------------------------------------------

OUTSIDE = [
    (0, 6, KEY, 0),
    (-1, 3, KEY, 0),
    (3, 2, KEY, 0),
    (0, 5, KEY, 1),
    (0, 5, KEY, -1),
    (0, 5, b"abc", 0),
    (6, 6, b"", 0),
]


@pytest.mark.parametrize(("start", "stop", "key_in", "key_at"), OUTSIDE)
def test_the_native_ones_read_nothing_but_what_they_were_given(
    start: int, stop: int, key_in: bytes, key_at: int
) -> None:
    native = compiled().leaves
    for call in (native.unmask, native.unmask_text):
        with pytest.raises(IndexError):
            call(b"12345", start, stop, key_in, key_at)
    for is_text in (True, False):
        with pytest.raises(IndexError):
            native.MessageBuffer(is_text).add(b"12345", start, stop, key_in, key_at, 0)


def test_the_native_ones_take_nothing_but_bytes() -> None:
    native = compiled().leaves
    calls: list[Callable[[Any], object]] = [
        lambda value: native.unmask(value, 0, 0, b"", 0),
        lambda value: native.unmask_text(b"", 0, 0, value, 0),
        lambda value: native.MessageBuffer(True).add(value, 0, 0, b"", 0, 0),
        lambda value: native.apply_mask(value, KEY),
        lambda value: native.encode_frame(0x81, value, None),
        lambda value: native.encode_header(0x81, 0, value),
        native.complete_utf8,
    ]
    for call, value in product(calls, ["text", 5, memoryview(b"1234")]):
        with pytest.raises(TypeError):
            call(value)


def test_a_key_has_four_bytes() -> None:
    native = compiled().leaves
    for key in (b"", b"abc"):
        with pytest.raises(IndexError):
            native.encode_frame(0x81, b"a", key)
        with pytest.raises(IndexError):
            native.encode_header(0x81, 1, key)


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
