"""``_handshake/head.py``: the head of a message, line by line."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsproto_core._errors import RemoteProtocolError
from wsproto_core._handshake.head import HeadOffences, HeadReader
from wsproto_core._violations import Violation

OFFENCES = HeadOffences(
    malformed=Violation.BAD_REQUEST,
    first_line_too_long=Violation.TARGET_TOO_LONG,
    too_big=Violation.HEADERS_TOO_BIG,
    too_many_lines=Violation.TOO_MANY_HEADERS,
)


class Refused(Exception):
    pass


def refuse_bang(line: bytes) -> None:
    if line == b"!":
        raise Refused


def reader(size: int = 40, first_line_size: int = 10, max_headers: int = 3) -> HeadReader:
    return HeadReader(
        size=size,
        first_line_size=first_line_size,
        max_headers=max_headers,
        offences=OFFENCES,
        check_first_line=refuse_bang,
    )


def outcome(data: bytes, cuts: list[int]) -> object:
    """What one head after the other gives, as facts that can be compared."""
    head = reader()
    heads: list[bytes] = []
    rest = b""
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            found = head.feed(rest + data[start:end])
            rest = b""
            if found is not None:
                heads.append(b"\r\n".join([*head.take(), b"", b""]))
                return heads, found + data[end:]
    except RemoteProtocolError as error:
        return error.violation
    except Refused:
        return "refused"
    return "incomplete", head.pending


@pytest.mark.parametrize(
    ("data", "head", "rest"),
    [
        (b"one\r\n\r\n", b"one\r\n\r\n", b""),
        (b"one\r\na: b\r\n\r\nrest\x00", b"one\r\na: b\r\n\r\n", b"rest\x00"),
        (b"one\na: b\n\nrest", b"one\r\na: b\r\n\r\n", b"rest"),
        (b"one\r\n\r\n" + bytes(99), b"one\r\n\r\n", bytes(99)),
        (b"\xff\ta\r\n\r\n", b"\xff\ta\r\n\r\n", b""),
        (b"a" * 9 + b"\r\n\r\n", b"a" * 9 + b"\r\n\r\n", b""),
        (b"a\r\nb\r\nc\r\nd\r\n\r\n", b"a\r\nb\r\nc\r\nd\r\n\r\n", b""),
        (b"a\r\n" + b"b" * 33 + b"\r\n\r\n", b"a\r\n" + b"b" * 33 + b"\r\n\r\n", b""),
        (b"\r\na\r\n\r\n", b"\r\na\r\n\r\n", b""),
    ],
)
def test_heads_whole_and_byte_by_byte(data: bytes, head: bytes, rest: bytes) -> None:
    assert outcome(data, []) == ([head], rest)
    assert outcome(data, list(range(1, len(data)))) == ([head], rest)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ("incomplete", False)),
        (b"a", ("incomplete", True)),
        (b"a\r\n", ("incomplete", True)),
        (b"\x16\x03\x01", Violation.BAD_REQUEST),
        (b"a\r\nb\x00", Violation.BAD_REQUEST),
        (b"a\x7f", Violation.BAD_REQUEST),
        (b"a\rb\r\n", Violation.BAD_REQUEST),
        (b"a\r\nb\r\r\n", Violation.BAD_REQUEST),
        (b"a" * 11, Violation.TARGET_TOO_LONG),
        (b"a" * 11 + b"\r\n\r\n", Violation.TARGET_TOO_LONG),
        (b"a" * 11 + b"\x00", Violation.TARGET_TOO_LONG),
        (b"a" * 10 + b"\x00", Violation.BAD_REQUEST),
        (b"!\r\n", "refused"),
        (b"a\r\nb\r\nc\r\nd\r\ne\r\n", Violation.TOO_MANY_HEADERS),
        (b"a\r\nb\r\nc\r\nd\r\ne", ("incomplete", True)),
        (b"a\r\n" + b"b" * 36, ("incomplete", True)),
        (b"a\r\n" + b"b" * 37, Violation.HEADERS_TOO_BIG),
        (b"a\r\n" + b"b" * 37 + b"\x00", Violation.HEADERS_TOO_BIG),
        (b"a\r\n" + b"b" * 34 + b"\r\n\r\n", Violation.HEADERS_TOO_BIG),
    ],
)
def test_offences_whole_and_byte_by_byte(data: bytes, expected: object) -> None:
    assert outcome(data, []) == expected
    assert outcome(data, list(range(1, len(data)))) == expected


def test_without_a_first_line_the_whole_room_is_the_first_lines() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        reader(size=8, first_line_size=10).feed(b"a" * 8)
    assert caught.value.violation is Violation.TARGET_TOO_LONG


def test_several_heads_share_the_room() -> None:
    head = reader(size=20)
    for _ in range(2):
        assert head.feed(b"one\r\na\r\n\r\n") == b""
        assert head.take() == [b"one", b"a"]
        assert not head.pending
    with pytest.raises(RemoteProtocolError):
        head.feed(b"one")


@example(b"a\rbbbbbbbb\r\n", [1, 2, 3])
@given(
    st.lists(st.sampled_from([b"a", b"!", b": ", b"\r", b"\n", b"\r\n", b"\x00", b"bbbbbbbb"]), max_size=30).map(
        b"".join
    ),
    st.lists(st.integers(0, 250), max_size=8, unique=True),
)
def test_cutting_changes_nothing(data: bytes, cuts: list[int]) -> None:
    assert outcome(data, sorted(cut for cut in cuts if cut <= len(data))) == outcome(data, [])
