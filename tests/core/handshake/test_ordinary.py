"""``_handshake/ordinary.py``: heads recognized whole, and what they are held against: ``head`` and h11."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsproto_core._config import Limits
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._events import Request
from wsproto_core._handshake.http11 import RequestReader
from wsproto_core._handshake.ordinary import read_ordinary

LIMITS = Limits()
TARGET_SIZE = 8192
HEAD = (
    b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Cookie: a=b; c=d\r\n\r\n"
)
HOST = b"GET / HTTP/1.1\r\nHost: h\r\n"

Outcome = tuple[Request | None, bytes] | tuple[object, str]


def with_care(data: bytes, limits: Limits) -> Outcome:
    """What comes of ``data`` where it comes byte by byte, so that no head is there at once."""
    reader = RequestReader(limits)
    try:
        for at in range(len(data)):
            request = reader.feed(data[at : at + 1])
            if request is not None:
                return request, data[at + 1 :]
    except RemoteProtocolError as offence:
        return offence.violation, offence.detail
    return None, b""


def test_an_ordinary_head() -> None:
    read = read_ordinary(HEAD + b"\x81\x80", LIMITS, TARGET_SIZE)
    assert read is not None
    request, rest = read
    assert (request.method, request.target, request.http_version, rest) == ("GET", "/chat?room=1", "1.1", b"\x81\x80")
    assert request.headers.lines() == (
        ("Host", "example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Cookie", "a=b; c=d"),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD[:-1],
        b"\r\n" + HEAD,
        HEAD.replace(b"GET", b"POST"),
        HEAD.replace(b"1.1", b"1.0"),
        HEAD.replace(b"\r\n", b"\n"),
        b"GET / HTTP/1.1\r\n\r\n",
        HOST + b"Host: h\r\n\r\n",
        HOST + b"X:y\r\n\r\n",
        HOST + b"X:  y\r\n\r\n",
        HOST + b"X: y \r\n\r\n",
        HOST + b"X: \r\n\r\n",
        HOST + b"X: y\r\n z\r\n\r\n",
        HOST + b"X: \xe9\r\n\r\n",
        HOST + b"X: y\x00\r\n\r\n",
        HOST + b"X Y: z\r\n\r\n",
        HOST + b"Content-Length: 0\r\n\r\n",
        HOST + b"TRANSFER-ENCODING: chunked\r\n\r\n",
    ],
)
def test_what_is_not_ordinary(data: bytes) -> None:
    assert read_ordinary(data, LIMITS, TARGET_SIZE) is None


def test_limits_are_inclusive() -> None:
    assert read_ordinary(HEAD, Limits(header_size=len(HEAD)), TARGET_SIZE) is not None
    assert read_ordinary(HEAD, Limits(header_size=len(HEAD) - 1), TARGET_SIZE) is None
    assert read_ordinary(HEAD, Limits(max_headers=4), TARGET_SIZE) is not None
    assert read_ordinary(HEAD, Limits(max_headers=3), TARGET_SIZE) is None
    assert read_ordinary(HEAD, LIMITS, len("/chat?room=1")) is not None
    assert read_ordinary(HEAD, LIMITS, len("/chat?room=1") - 1) is None


names = st.sampled_from(["Host", "Upgrade", "content-length", "Transfer-Encoding", "X_y-1", "x!", "é", "", "X "])
values = st.one_of(
    st.sampled_from(["h", "websocket", "0", "chunked", "a, b", ": ", " y", "y ", "", "\t", "y\r\n z", "\x00", "\xe9"]),
    st.text(st.characters(max_codepoint=0xFF), max_size=4),
)
fields = st.builds("{}{}{}\r\n".format, names, st.sampled_from([": ", ":", " : ", ""]), values)
first_lines = st.builds(
    "{} {} {}\r\n".format,
    st.sampled_from(["GET", "GET", "get", "POST"]),
    st.sampled_from(["/", "/", "*", "", "/ x", "/\xe9", "/" + "a" * 60]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http/1.1"]),
)
heads = st.builds(
    lambda first, host, rest, end: "".join([first, host, *rest, end]).encode("latin-1"),
    first_lines,
    st.sampled_from(["Host: h\r\n", "Host: h\r\n", ""]),
    st.lists(fields, max_size=4),
    st.sampled_from(["\r\n", "\r\n", "\r\n\x81\x80", "\n", ""]),
)
bounds = st.builds(Limits, header_size=st.integers(1, 120), max_headers=st.integers(1, 5)) | st.just(LIMITS)


@given(heads, bounds)
@example(HEAD, LIMITS)
def test_whatever_is_ordinary_would_be_read_alike_with_care(data: bytes, limits: Limits) -> None:
    read = read_ordinary(data, limits, min(TARGET_SIZE, limits.header_size))
    assert read is None or read == with_care(data, limits)
