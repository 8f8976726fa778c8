"""The leaves, against naive references."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import KEY, frame, header, length_bytes, xor
from tests.core.twins import Leaves, compiled
from wsproto_core._types import Buffer

ROOT = Path(__file__).parents[3]
SIZES = [*range(601), 1023, 4096, 65535, 65536, 1_000_003]
NOISE = random.Random(6455).randbytes(max(SIZES) + 16)


NOT_TEXT: Any = b"text"


class Text(str):
    """Somebody's own."""


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


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_data_are_read_where_they_are(leaves: Leaves, kind: Callable[[bytes], Buffer]) -> None:
    for size in (5, 600):
        data, message, frames = kind(NOISE[: size + 2]), leaves.MessageBuffer(False), leaves.FrameBuffer()
        plain = xor(NOISE[1 : size + 1], KEY)
        assert leaves.unmask(data, 1, size + 1, KEY, 0) == plain
        assert leaves.unmask(data, 1, size + 1, b"", 0) == NOISE[1 : size + 1]
        message.add(data, 1, size + 1, KEY, 0, 0)
        assert message.take(True) == plain
        frames.add(0x82, data, 1, size + 1, KEY, 0)
        frames.add_bytes(data)
        assert frames.take() == header(0x82, length_bytes(size), KEY) + plain + NOISE[: size + 2]
    assert leaves.unmask_text(kind(b"-abc-"), 1, 4, b"", 0) == "abc"


# --- the message that is being received -------------------------------------------------------------------------------

PIECES = st.lists(st.binary(max_size=20) | st.text(max_size=9).map(str.encode) | st.just(b"x" * 300), max_size=8)


@settings(max_examples=300)
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


# --- frames that are to be sent (RFC 6455 §5.2) -----------------------------------------------------------------------


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
    frames, plain = leaves.FrameBuffer(), bytes.fromhex(expected)
    assert frames.add_header(0x81, length) == frames.size == len(plain)
    assert frames.take() == plain


def test_a_frame_is_its_header_and_its_payload(leaves: Leaves) -> None:
    for size in SIZES:
        for first, key_in in ((0x82, b""), (0x00, KEY)):
            frames, expected = leaves.FrameBuffer(), frame(first, NOISE[:size], masked=bool(key_in))
            assert frames.add(first, NOISE, 0, size, key_in, 0) == frames.size == len(expected)
            assert frames.take() == expected, size


def test_a_payload_and_its_key_may_stand_anywhere(leaves: Leaves) -> None:
    frames = leaves.FrameBuffer()
    for size, start, key_at in product([*range(20), 125, 126, 511, 512, 65_536], range(9), range(9)):
        payload, key = NOISE[start : start + size], NOISE[key_at : key_at + 4]
        frames.add(0x82, NOISE, start, start + size, NOISE, key_at)
        assert frames.take() == header(0x82, length_bytes(size), key) + xor(payload, key), (size, start, key_at)


WIDTHS = ["", "a", "\x7f", "é", "ÿ" * 99, "€", "😀", "größer €😀", "a" * 99 + "😀", "\x00", "x" * 70_000, "é" * 70_000]


@pytest.mark.parametrize("text", WIDTHS, ids=lambda text: ascii(text[-10:]))
def test_a_frame_of_text(leaves: Leaves, text: str) -> None:
    frames, payload = leaves.FrameBuffer(), text.encode()
    for key_at in range(5):
        key = NOISE[key_at : key_at + 4]
        plain = frame(0x81, payload, masked=False)
        masked = header(0x01, length_bytes(len(payload)), key) + xor(payload, key)
        assert frames.add_text(0x81, text, b"", -4) == len(plain)
        assert frames.add_text(0x01, text, NOISE, key_at) == len(masked)
        assert frames.take() == plain + masked


@pytest.mark.parametrize("text", ["\ud800", "ab\udfff", "\ud83d\ude00", "a" * 99 + "\udc80" + "b" * 99], ids=ascii)
@pytest.mark.parametrize("before", [b"", b"whatever was there"])
def test_text_that_is_not_unicode_is_refused_as_python_refuses_it(leaves: Leaves, before: bytes, text: str) -> None:
    frames = leaves.FrameBuffer()
    frames.add_bytes(before)
    with pytest.raises(UnicodeEncodeError) as expected:
        text.encode()
    with pytest.raises(UnicodeEncodeError) as refused:
        frames.add_text(0x81, text, KEY, 0)
    assert refused.value.args == expected.value.args
    assert frames.size == len(before)
    assert frames.take() == before


@pytest.mark.parametrize("text", [*WIDTHS, "x" * 4095, "x" * 4096], ids=lambda text: ascii(text[-10:]))
def test_the_bytes_of_a_text(leaves: Leaves, text: str) -> None:
    payload, expected = leaves.utf8_of(text), text.encode()
    assert (bytes(payload), len(payload)) == (expected, len(expected))
    assert bytes(payload[3:5]) == expected[3:5]
    assert memoryview(payload).readonly
    assert leaves.utf8_of(Text(text)) == expected


def test_the_bytes_of_a_long_text_are_the_text() -> None:
    """They are not copied, and outlive whoever else holds it."""
    text = "".join(["x"] * 4096)
    before = sys.getrefcount(text)
    payload = compiled().leaves.utf8_of(text)
    assert sys.getrefcount(text) == before + 1
    del text
    assert bytes(payload) == b"x" * 4096


@pytest.mark.parametrize("text", ["\ud800", "ab\udfff" * 2000], ids=len)
def test_text_that_is_not_unicode_has_no_bytes(leaves: Leaves, text: str) -> None:
    with pytest.raises(UnicodeEncodeError) as expected:
        text.encode()
    with pytest.raises(UnicodeEncodeError) as refused:
        leaves.utf8_of(text)
    assert refused.value.args == expected.value.args


def test_frames_stand_one_behind_the_other(leaves: Leaves) -> None:
    """However small or large: the buffer grows under what it holds."""
    for sizes in ([0] * 9, [1] * 3000, [100] * 700, [0, 5000, 1], [65_536, 1, 65_536], [*range(300)]):
        frames, expected = leaves.FrameBuffer(), [frame(0x82, NOISE[:size], masked=True) for size in sizes]
        assert [frames.add(0x82, NOISE, 0, size, KEY, 0) for size in sizes] == [*map(len, expected)]
        assert frames.size == sum(map(len, expected))
        assert frames.take() == b"".join(expected)


@pytest.mark.parametrize("data", [b"", b"a", b"\xff", b"ab", b"x" * 99], ids=lambda data: data[:2].hex())
def test_frames_that_were_taken_stay_as_they_are(leaves: Leaves, data: bytes) -> None:
    """The native one writes into the object that it hands over: never into one that somebody holds."""
    frames = leaves.FrameBuffer()
    assert (frames.take(), frames.size) == (b"", 0)
    frames.add_bytes(data)
    taken = frames.take()
    assert type(taken) is bytes
    assert (frames.take(), frames.size) == (b"", 0)
    frames.add_bytes(b"zz")
    frames.add_text(0x81, "z" * 5000, b"", 0)
    assert taken == data
    assert (bytes([0x61]), bytes([0xFF]), bytes(0)) == (b"a", b"\xff", b"")  # the interpreter shares these
    assert frames.take() == b"zz" + frame(0x81, b"z" * 5000, masked=False)


CONTENTS = st.binary(max_size=300) | st.sampled_from([b"x" * 4094, b"x" * 4096, b"x" * 65_536])
ADDITIONS = st.one_of(
    st.tuples(st.just("add"), CONTENTS, st.integers(0, 9), st.booleans()),
    st.tuples(st.just("add_text"), st.text(max_size=99), st.just(0), st.booleans()),
    st.tuples(st.just("add_header"), st.integers(0, (1 << 64) - 1), st.just(0), st.just(False)),
    st.tuples(st.just("add_bytes"), CONTENTS, st.just(0), st.just(False)),
    st.tuples(st.just("take"), st.none(), st.just(0), st.just(False)),
)


@settings(max_examples=300)
@given(additions=st.lists(ADDITIONS, max_size=12))
def test_any_frames_in_any_order(leaves: Leaves, additions: list[tuple[str, Any, int, bool]]) -> None:
    frames, expected = leaves.FrameBuffer(), b""
    for name, content, offset, masked in additions:
        key_in = b"--" + KEY if masked else b""
        match name:
            case "add":
                padded = bytes(offset) + content + b"-"
                frames.add(0x82, padded, offset, offset + len(content), key_in, 2)
                expected += frame(0x82, content, masked=masked)
            case "add_text":
                frames.add_text(0x81, content, key_in, 2)
                expected += frame(0x81, content.encode(), masked=masked)
            case "add_header":
                frames.add_header(0x02, content)
                expected += header(0x02, length_bytes(content), None)
            case "add_bytes":
                frames.add_bytes(content)
                expected += content
            case _:
                assert frames.take() == expected
                expected = b""
        assert frames.size == len(expected)
    assert frames.take() == expected


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
    frames = native.FrameBuffer()
    frames.add_bytes(b"what was there")
    with pytest.raises(IndexError):
        frames.add(0x82, b"12345", start, stop, key_in, key_at)
    assert (frames.size, frames.take()) == (14, b"what was there")


@pytest.mark.parametrize(("key_in", "key_at"), [(KEY, 1), (KEY, -1), (b"abc", 0)])
def test_a_key_has_four_bytes(key_in: bytes, key_at: int) -> None:
    frames = compiled().leaves.FrameBuffer()
    for text in ("a", "é"):
        with pytest.raises(IndexError):
            frames.add_text(0x81, text, key_in, key_at)
    assert (frames.size, frames.take()) == (0, b"")


def test_the_native_ones_take_nothing_but_bytes() -> None:
    native = compiled().leaves
    calls: list[Callable[[Any], object]] = [
        lambda value: native.unmask(value, 0, 0, b"", 0),
        lambda value: native.unmask_text(b"", 0, 0, value, 0),
        lambda value: native.MessageBuffer(True).add(value, 0, 0, b"", 0, 0),
        lambda value: native.apply_mask(value, KEY),
        lambda value: native.FrameBuffer().add(0x82, value, 0, 0, b"", 0),
        lambda value: native.FrameBuffer().add(0x82, b"", 0, 0, value, 0),
        lambda value: native.FrameBuffer().add_text(0x81, "", value, 0),
        lambda value: native.FrameBuffer().add_bytes(value),
        native.complete_utf8,
    ]
    for call, value in product(calls, ["text", 5]):
        with pytest.raises(TypeError):
            call(value)
    for call in calls:
        with pytest.raises((TypeError, BufferError), match=r"bytes|contiguous"):
            call(memoryview(b"12345678")[::2])
    with pytest.raises(TypeError):
        native.utf8_of(NOT_TEXT)
    add_text: Any = native.FrameBuffer().add_text
    for value in (b"text", None, 5):
        with pytest.raises(TypeError):
            add_text(0x81, value, b"", 0)


@pytest.mark.skipif(find_spec("_testcapi") is None, reason="this Python does not come with its own tests")
def test_nothing_is_wrong_where_memory_runs_out() -> None:
    compiled()
    command = [sys.executable, "-m", "tests.core.speedups.starving"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


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


@given(text=st.text(), position=st.integers(0, 1000))
def test_text_may_be_cut_anywhere(leaves: Leaves, text: str, position: int) -> None:
    data = text.encode()[:position]
    assert leaves.complete_utf8(data) == len(data.decode(errors="ignore").encode())
