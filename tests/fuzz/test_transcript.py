"""What a person reads: a line for each frame, in words and in hex."""

from __future__ import annotations

import pytest

from wsproto_core.frames import Frame
from wsproto_fuzz.transcript import (
    Direction,
    Line,
    Transcript,
    describe,
    describe_rest,
    frame_lines,
    in_bytes,
    render,
    shorten_hex,
)
from wsproto_fuzz.wire import RawFrame, binary, close, ping, text

KEY = b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (text("hello"), "TEXT fin 5 bytes 'hello'"),
        (Frame(1, b"hello", mask=KEY), "TEXT fin masked 5 bytes 'hello'"),
        (text("", final=False), "TEXT more 0 bytes"),
        (text(b"a\xff"), "TEXT fin 2 bytes 'a\\\\xff'"),
        (text("x" * 41), f"TEXT fin 41 bytes '{'x' * 40}'…"),
        (binary(b"\x00a"), "BINARY fin 2 bytes b'\\x00a'"),
        (Frame(0, b"x"), "CONTINUATION fin 1 byte 'x'"),
        (ping(), "PING fin 0 bytes"),
        (close(), "CLOSE fin no code"),
        (close(1002, "no"), "CLOSE fin 1002 'no'"),
        (Frame(8, b"\x03"), "CLOSE fin 1 byte '\\x03'"),
        (Frame(1, b"x", reserved=4), "TEXT fin rsv1 1 byte"),
        (Frame(1, b"x", reserved=3), "TEXT fin rsv2 rsv3 1 byte 'x'"),
        (Frame(11), "opcode 0xb fin 0 bytes"),
        (Frame(1, b"x", length_size=8), "TEXT fin length in 8 bytes 1 byte 'x'"),
        (RawFrame(1, b"x", claimed_size=9), "TEXT fin claiming 9 bytes, with 1 byte 'x'"),
    ],
)
def test_a_frame_in_words(frame: Frame, words: str) -> None:
    assert describe(frame) == words


def test_how_a_frame_is_sent_can_be_told_apart_from_the_frame() -> None:
    assert describe(text("a"), masked=True) == "TEXT fin masked 1 byte 'a'"
    assert describe(Frame(1, b"a", mask=KEY), masked=False) == "TEXT fin 1 byte 'a'"


def test_the_beginning_of_a_frame_in_words() -> None:
    assert describe_rest(b"\x81") == "TEXT fin, a part of it: the header is incomplete"
    assert describe_rest(b"\x83\x05He") == "opcode 0x3 fin, a part of it: 4 of 7 bytes"


def test_long_hex_is_shortened_in_the_middle() -> None:
    assert shorten_hex(b"\x81\x00") == "81 00"
    assert shorten_hex(bytes(range(32))) == bytes(range(32)).hex(" ")
    assert shorten_hex(bytes(range(100))) == f"{bytes(range(24)).hex(' ')} … {bytes(range(92, 100)).hex(' ')}"


def test_bytes_are_annotated_frame_by_frame() -> None:
    lines = frame_lines(Direction.SENT, 1.5, bytes(ping(b"a")) + bytes(text("b")) + b"\x81\x05c")
    assert render(lines) == (
        "   1.500 -> PING fin 1 byte 'a'  [89 01 61]\n"
        "   1.500 -> TEXT fin 1 byte 'b'  [81 01 62]\n"
        "   1.500 -> TEXT fin, a part of it: 3 of 7 bytes  [81 05 63]"
    )
    assert [line.size for line in lines] == [3, 3, 3]


def test_a_head_is_indented() -> None:
    assert str(Line(Direction.RECEIVED, 0.0, "one\ntwo")) == "   0.000 <- one\n            two"


def test_a_long_transcript_loses_its_middle() -> None:
    transcript = Transcript()
    for number in range(1000):
        transcript.add(Line(Direction.REMARK, float(number), f"line {number}"))
    lines = transcript.lines()
    assert len(lines) == 201
    assert lines[149].meaning == "line 149"
    assert lines[150] == Line(Direction.REMARK, 950.0, "800 lines left out")
    assert [line.meaning for line in lines[151:]] == [f"line {number}" for number in range(950, 1000)]


def test_a_transcript_at_its_bound_is_whole() -> None:
    transcript = Transcript()
    for number in range(200):
        transcript.add(Line(Direction.REMARK, float(number), f"line {number}"))
    assert [line.meaning for line in transcript.lines()] == [f"line {number}" for number in range(200)]


def test_sizes_in_words() -> None:
    assert (in_bytes(0), in_bytes(1), in_bytes(2)) == ("0 bytes", "1 byte", "2 bytes")
