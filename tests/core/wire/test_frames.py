"""Single frames, right and wrong, through the public door ``wsproto_core.frames``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.kit import KEY, frame
from wsproto_core.frames import Frame, Opcode, describe_header, parse_frames

#: RFC 6455 §5.7, and what the RFC forbids.
ROWS: list[tuple[str, Frame, str]] = [
    ("unmasked text", Frame(Opcode.TEXT, b"Hello"), "810548656c6c6f"),
    ("masked text", Frame(Opcode.TEXT, b"Hello", mask=KEY), "818537fa213d7f9f4d5158"),
    ("first fragment", Frame(Opcode.TEXT, b"Hel", final=False), "010348656c"),
    ("last fragment", Frame(Opcode.CONTINUATION, b"lo"), "80026c6f"),
    ("ping", Frame(Opcode.PING, b"Hello"), "890548656c6c6f"),
    ("masked pong", Frame(Opcode.PONG, b"Hello", mask=KEY), "8a8537fa213d7f9f4d5158"),
    ("256 bytes", Frame(Opcode.BINARY, bytes(256)), "827e0100" + "00" * 256),
    ("64 KiB", Frame(Opcode.BINARY, bytes(65536)), "827f0000000000010000" + "00" * 65536),
    ("no payload", Frame(Opcode.CLOSE), "8800"),
    ("masked nothing", Frame(Opcode.CLOSE, mask=KEY), "888037fa213d"),
    ("reserved opcode", Frame(0xF, b"x"), "8f0178"),
    ("reserved bits", Frame(1, b"x", reserved=4), "c10178"),
    ("all reserved bits", Frame(1, b"x", reserved=7, final=False), "710178"),
    ("16-bit length for nothing", Frame(1, length_size=2), "817e0000"),
    ("64-bit length for 126 bytes", Frame(2, bytes(126), length_size=8), "827f000000000000007e" + "00" * 126),
    ("long ping", Frame(9, bytes(126)), "897e007e" + "00" * 126),
]
PARAMETERS = pytest.mark.parametrize(("one", "wire"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])


@PARAMETERS
def test_on_the_wire(one: Frame, wire: str) -> None:
    assert bytes(one).hex() == wire


@PARAMETERS
def test_back_from_the_wire(one: Frame, wire: str) -> None:
    assert list(parse_frames(bytes.fromhex(wire))) == [one]


@PARAMETERS
def test_an_incomplete_frame_at_the_end_is_left_out(one: Frame, wire: str) -> None:
    data = bytes.fromhex(wire)
    for size in {*range(min(len(data), 20)), len(data) - 1}:
        assert list(parse_frames(frame(0x82, b"a", masked=True) + data[:size])) == [Frame(2, b"a", mask=KEY)]


def test_frames_come_in_order() -> None:
    made = [one for _, one, _ in ROWS]
    assert list(parse_frames(b"".join(map(bytes, made)))) == made


def test_an_impossible_length_is_an_incomplete_frame() -> None:
    assert list(parse_frames(b"\x82\x7f" + b"\xff" * 100)) == []


@pytest.mark.parametrize(
    ("argument", "fields"),
    [
        ("opcode", {"opcode": 16}),
        ("opcode", {"opcode": -1}),
        ("reserved", {"opcode": 1, "reserved": 8}),
        ("reserved", {"opcode": 1, "reserved": -1}),
        ("mask", {"opcode": 1, "mask": b"abc"}),
        ("mask", {"opcode": 1, "mask": b""}),
        ("length_size", {"opcode": 1, "length_size": 1}),
        ("length_size", {"opcode": 1, "payload": bytes(126), "length_size": 0}),
        ("length_size", {"opcode": 1, "payload": bytes(65536), "length_size": 2}),
    ],
)
def test_what_the_format_has_no_room_for_is_refused(argument: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument} "):
        Frame(**fields)


@given(
    made=st.lists(
        st.builds(
            Frame,
            opcode=st.integers(0, 15),
            payload=st.binary(max_size=125),
            final=st.booleans(),
            reserved=st.integers(0, 7),
            mask=st.none() | st.binary(min_size=4, max_size=4),
            length_size=st.sampled_from([None, 2, 8]),
        ),
        max_size=5,
    ),
    rest=st.binary(max_size=20),
)
def test_every_frame_survives_the_way_there_and_back(made: list[Frame], rest: bytes) -> None:
    data = b"".join(map(bytes, made))
    assert list(parse_frames(data)) == made
    parsed = list(parse_frames(data + rest))
    assert parsed[: len(made)] == made
    assert (data + rest).startswith(b"".join(map(bytes, parsed)))


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Frame(Opcode.TEXT, b"x"), "TEXT fin"),
        (Frame(Opcode.CONTINUATION, final=False, mask=KEY), "CONTINUATION more masked"),
        (Frame(Opcode.BINARY, reserved=4), "BINARY fin rsv1"),
        (Frame(3, reserved=3), "opcode 0x3 fin rsv2 rsv3"),
    ],
)
def test_a_header_in_words(one: Frame, words: str) -> None:
    told = describe_header(one.opcode, final=one.final, reserved=one.reserved, masked=one.mask is not None)
    assert told == words
