"""``_handshake/ordinary.py``: heads recognized whole, and what they are held against: ``head`` and h11."""

from __future__ import annotations

import pytest
from hypothesis import given
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


names = st.from_regex(r"[A-Za-z0-9_\-]{1,5}", fullmatch=True).filter(lambda name: name.lower() != "host")
values = st.from_regex(r"[!-~](?:[ -~]{0,4}[!-~])?", fullmatch=True)
fields = st.builds("{}: {}".format, names, values)
heads = st.builds(
    lambda target, before, after: "\r\n".join([f"GET {target} HTTP/1.1", *before, "Host: h", *after, "", ""]).encode(),
    st.from_regex(r"[!-~]{1,5}", fullmatch=True),
    st.lists(fields, max_size=2),
    st.lists(fields, max_size=2),
)
SCRAPS = [
    b"", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b": ", b"\x00", b"\x7f", b"\xe9", b"2", b"HTTP/1.1", b"\r\n\r\n",
    b"X: y\r\n", b"X:y\r\n", b"X: y \r\n", b"Host: h\r\n", b"CONTENT-length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
]  # fmt: skip
scraps = st.sampled_from(SCRAPS)
bounds = st.just(LIMITS) | st.builds(Limits, header_size=st.integers(20, 120), max_headers=st.integers(1, 5))


@given(heads, st.binary(max_size=3))
def test_a_head_of_the_usual_shape_is_ordinary_and_read_as_with_care(data: bytes, rest: bytes) -> None:
    read = read_ordinary(data + rest, LIMITS, TARGET_SIZE)
    assert read is not None
    assert read == with_care(data + rest, LIMITS)


@given(heads, scraps, st.data(), bounds)
def test_what_is_changed_is_read_as_with_care_or_not_at_all(
    data: bytes, scrap: bytes, choice: st.DataObject, limits: Limits
) -> None:
    start = choice.draw(st.integers(0, len(data)))
    changed = data[:start] + scrap + data[choice.draw(st.integers(start, min(start + 3, len(data)))) :]
    read = read_ordinary(changed, limits, min(TARGET_SIZE, limits.header_size))
    assert read is None or read == with_care(changed, limits)
