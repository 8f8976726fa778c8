"""Frames that the format has no room for, parts of frames, close payloads, and the lenient reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core.frames import Frame, Opcode, parse_frames
from wsproto_fuzz.wire import (
    PART_MASK,
    FrameReader,
    Part,
    RawFrame,
    binary,
    close,
    close_fault,
    close_payload,
    continuation,
    encode,
    frame_size,
    parse_close,
    ping,
    pong,
    text,
)

KEY = b"\x01\x02\x03\x04"

MASKS = st.none() | st.binary(min_size=4, max_size=4)
FRAMES = st.builds(
    Frame,
    opcode=st.integers(0, 15),
    payload=st.binary(max_size=300),
    final=st.booleans(),
    reserved=st.integers(0, 7),
    mask=MASKS,
    length_size=st.sampled_from([None, 8]),
)

# -------------------------------------------------------------------------------------------------------------- lies


def test_a_raw_frame_without_a_claim_is_a_frame() -> None:
    assert bytes(RawFrame(1, b"Hello", mask=KEY)) == bytes(Frame(1, b"Hello", mask=KEY))


@pytest.mark.parametrize(
    ("claim", "length_size", "header"),
    [
        (0, None, b"\x82\x00"),
        (125, None, b"\x82\x7d"),
        (126, None, b"\x82\x7e\x00\x7e"),
        (0xFFFF, None, b"\x82\x7e\xff\xff"),
        (0x10000, None, b"\x82\x7f" + (0x10000).to_bytes(8, "big")),
        ((1 << 64) - 1, None, b"\x82\x7f" + b"\xff" * 8),
        (3, 2, b"\x82\x7e\x00\x03"),
        (3, 8, b"\x82\x7f" + bytes(7) + b"\x03"),
    ],
)
def test_the_header_says_what_is_claimed(claim: int, length_size: int | None, header: bytes) -> None:
    assert bytes(RawFrame(2, b"Hello", claimed_size=claim, length_size=length_size)) == header + b"Hello"


def test_the_payload_of_a_lie_is_masked_as_any_other() -> None:
    lie = bytes(RawFrame(2, b"x" * 200, mask=KEY, claimed_size=1))
    assert lie[:6] == b"\x82\x81" + KEY
    assert lie[6:] == bytes(Frame(2, b"x" * 200, mask=KEY))[-200:]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"opcode": 16}, "opcode"),
        ({"opcode": 16, "claimed_size": 1}, "opcode"),
        ({"reserved": 8, "claimed_size": 1}, "reserved"),
        ({"mask": b"abc", "claimed_size": 1}, "mask"),
        ({"length_size": 3, "claimed_size": 1}, "length_size"),
        ({"length_size": 0, "claimed_size": 126}, "length_size"),
        ({"length_size": 2, "claimed_size": 1 << 16}, "length_size"),
        ({"claimed_size": 1 << 64}, "claimed_size"),
        ({"claimed_size": -1}, "claimed_size"),
    ],
)
def test_a_claim_that_does_not_fit_names_the_argument(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RawFrame(**{"opcode": 1, **arguments})


# ------------------------------------------------------------------------------------------------------------- parts


@given(frame=FRAMES, places=st.lists(st.integers(0, 300), max_size=4))
def test_parts_make_up_the_frame(frame: Frame, places: list[int]) -> None:
    cuts = sorted(min(place, len(frame.payload)) for place in places)
    stops = [*cuts, len(frame.payload)]
    parts = [Part(frame, None if not number else stops[number - 1], stop) for number, stop in enumerate(stops)]
    assert b"".join(map(bytes, parts)) == bytes(frame)


@given(frame=FRAMES)
def test_the_part_before_the_payload_is_the_header(frame: Frame) -> None:
    assert bytes(Part(frame, stop=0)) + bytes(Part(frame, 0))[: len(frame.payload)] == bytes(frame)
    assert len(bytes(Part(frame, stop=0))) == len(bytes(frame)) - len(frame.payload)


def test_all_parts_of_a_frame_are_masked_with_one_key() -> None:
    frame = text("Hello, world")
    whole = encode(Part(frame, stop=5), KEY) + encode(Part(frame, 5), b"\xff" * 4)
    assert whole == bytes(Frame(1, b"Hello, world", mask=PART_MASK))


def test_a_part_of_a_frame_with_a_key_has_that_key() -> None:
    frame = Frame(1, b"Hello", mask=KEY)
    assert encode(Part(frame), b"\xff" * 4) == bytes(frame)


# -------------------------------------------------------------------------------------------------------------- sending


def test_who_sends_masks() -> None:
    assert encode(text("Hello"), KEY) == bytes(Frame(1, b"Hello", mask=KEY))
    assert encode(text("Hello"), None) == bytes(Frame(1, b"Hello"))
    assert encode(RawFrame(1, b"Hello", claimed_size=3), KEY) == bytes(RawFrame(1, b"Hello", mask=KEY, claimed_size=3))
    assert encode(b"as it is", KEY) == b"as it is"


def test_a_key_of_its_own_stays_but_where_nothing_is_masked() -> None:
    frame = Frame(1, b"Hello", mask=KEY)
    assert encode(frame, b"\xff" * 4) == bytes(frame)
    assert encode(frame, None) == bytes(Frame(1, b"Hello"))
    assert encode(Part(frame), None) == bytes(Frame(1, b"Hello"))


def test_short_names() -> None:
    assert text("é", final=False, reserved=4) == Frame(1, b"\xc3\xa9", False, 4)
    assert text("\ud800").payload == b"\xed\xa0\x80"  # a surrogate, which is not UTF-8: that is what testers want
    assert text(b"\xff") == Frame(1, b"\xff")
    assert binary(b"x", final=False) == Frame(2, b"x", False)
    assert continuation("é") == Frame(0, b"\xc3\xa9")
    assert continuation(b"x", final=False, reserved=1) == Frame(0, b"x", False, 1)
    assert (ping(b"x"), pong(b"x")) == (Frame(9, b"x"), Frame(10, b"x"))
    assert close(1000, "bye") == Frame(8, b"\x03\xe8bye")


# --------------------------------------------------------------------------------------------------------------- close


@given(code=st.integers(0, 0xFFFF), reason=st.binary(max_size=200))
def test_close_payloads_come_back(code: int, reason: bytes) -> None:
    content = parse_close(close_payload(code, reason))
    assert (content.code, content.reason) == (code, reason)


def test_a_close_frame_that_says_nothing() -> None:
    assert close_payload() == b""
    assert parse_close(b"").code is None
    assert str(parse_close(b"")) == "no code"
    assert parse_close(b"\x03").code is None
    with pytest.raises(ValueError, match="reason"):
        close_payload(None, "bye")


def test_what_a_close_frame_says_in_words() -> None:
    assert str(parse_close(close_payload(1000))) == "1000"
    assert str(parse_close(close_payload(1002, "no"))) == "1002 'no'"
    assert str(parse_close(close_payload(1002, b"a\xff"))) == "1002 'a\\\\xff'"


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", None),
        (close_payload(1000, "bye"), None),
        (close_payload(4999), None),
        (b"\x03", "one byte"),
        (close_payload(1005), "close code 1005"),
        (close_payload(2999), "close code 2999"),
        (close_payload(1000, b"\xff"), "not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_close_frame(payload: bytes, fault: str | None) -> None:
    found = close_fault(payload)
    assert found == fault if fault is None else found is not None and fault in found


# -------------------------------------------------------------------------------------------------------------- reading


@given(frames=st.lists(FRAMES, max_size=5), sizes=st.lists(st.integers(1, 50)))
def test_frames_come_back_however_they_are_cut(frames: list[Frame], sizes: list[int]) -> None:
    data, reader, found = b"".join(map(bytes, frames)), FrameReader(), []
    for size in sizes:
        found += reader.receive(data[:size])
        data = data[size:]
    found += reader.receive(data)
    assert b"".join(map(bytes, found)) == b"".join(map(bytes, frames))
    assert [frame.payload for frame in found] == [frame.payload for frame in frames]
    assert reader.rest == b""


@given(frame=FRAMES, size=st.integers(0, 300))
def test_an_incomplete_frame_is_the_rest(frame: Frame, size: int) -> None:
    data = bytes(frame)
    size = min(size, len(data) - 1)
    reader = FrameReader()
    assert reader.receive(bytes(ping(b"first")) + data[:size]) == [ping(b"first")]
    assert reader.rest == data[:size]


@given(frame=FRAMES)
def test_the_size_of_a_frame_is_known_from_its_header(frame: Frame) -> None:
    data = bytes(frame)
    header_size = len(data) - len(frame.payload) - (4 if frame.mask else 0)
    assert frame_size(data) == len(data)
    assert frame_size(data[:header_size]) == len(data)
    assert all(frame_size(data[:size]) is None for size in range(header_size))


def test_the_reader_agrees_with_the_parser() -> None:
    data = bytes(text("Hello")) + bytes(Frame(Opcode.BINARY, bytes(70_000), mask=KEY)) + bytes(Frame(15, length_size=8))
    assert FrameReader().receive(data) == list(parse_frames(data))
