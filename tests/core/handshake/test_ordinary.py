"""``_handshake/ordinary.py``: heads recognized whole, and what they are held against: ``head`` and h11."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.twins import Leaves
from wsproto_core._config import Limits
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._events import Request
from wsproto_core._handshake import ordinary
from wsproto_core._handshake.http11 import RequestReader
from wsproto_core._handshake.ordinary import read_ordinary
from wsproto_core._handshake.policy import SAME_ORIGIN, ServerPolicy
from wsproto_core._handshake.server import MAX_TARGET_SIZE, judge
from wsproto_core._violations import Violation

ANYTHING = ServerPolicy()
STRICT = ServerPolicy(origins=[SAME_ORIGIN], hosts=["h"])
HEAD = (
    b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Cookie: a=b; c=d\r\n\r\n"
)
HOST = b"GET / HTTP/1.1\r\nHost: h\r\n"

Outcome = tuple[Request | None, bytes] | tuple[object, str]


@pytest.fixture(autouse=True, scope="module")
def either_twin(leaves: Leaves) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordinary, "ordinary_head", leaves.ordinary_head)
        yield


def with_care(data: bytes, policy: ServerPolicy) -> Outcome:
    """What comes of ``data`` in the hands of h11."""
    reader = RequestReader(policy.limits)
    try:
        for at in range(len(data)):
            request = reader.feed(data[at : at + 1])
            if request is not None:
                return judge(request, policy), data[at + 1 :]
    except RemoteProtocolError as offence:
        return offence.violation, offence.detail
    return None, b""


def test_an_ordinary_head() -> None:
    read = read_ordinary(HEAD + b"\x81\x80", ANYTHING)
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
    assert read_ordinary(data, ANYTHING) is None


def test_limits_are_inclusive() -> None:
    assert reads(HEAD, Limits(header_size=len(HEAD)))
    assert not reads(HEAD, Limits(header_size=len(HEAD) - 1))
    assert reads(HEAD, Limits(max_headers=4))
    assert not reads(HEAD, Limits(max_headers=3))
    long = HEAD.replace(b"/chat?room=1", b"/" * MAX_TARGET_SIZE)
    assert reads(long, Limits())
    assert not reads(long.replace(b"GET /", b"GET //"), Limits())


def reads(data: bytes, limits: Limits) -> bool:
    return read_ordinary(data, ServerPolicy(limits=limits)) is not None


def test_what_is_read_is_judged() -> None:
    read = read_ordinary(HEAD, ANYTHING)
    assert read is not None
    assert read[0].violation is Violation.UNSUPPORTED_VERSION


def test_a_leaf_looks_no_further_than_it_is_told(leaves: Leaves) -> None:
    def word(text: str, same: str) -> str:
        assert text == same
        return text.upper()

    assert leaves.ordinary_head(HOST + b"\r\nX: y\r\n\r\n", len(HOST) + 2, word) == ("/", [("HOST", "H")])
    for size in range(len(HOST) + 2):
        assert leaves.ordinary_head(HOST + b"\r\n", size, word) is None


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_at_every_place(byte: int) -> None:
    for at in range(len(HOST)):
        changed = b"%b%c%b\r\n" % (HOST[:at], byte, HOST[at + 1 :])
        read = read_ordinary(changed, ANYTHING)
        assert read is None or read == with_care(changed, ANYTHING), at


names = st.from_regex(r"[A-Za-z0-9_\-]{1,5}", fullmatch=True).filter(lambda name: name.lower() != "host")
values = st.from_regex(r"[!-~](?:[ -~]{0,4}[!-~])?", fullmatch=True)
wishes = st.sampled_from(
    [
        "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13", "origin: http://h",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: a b",
        "Sec-WebSocket-Extensions: x", "Authorization: Bearer x",
    ]
)  # fmt: skip
fields = st.builds("{}: {}".format, names, values) | wishes
heads = st.builds(
    lambda target, before, after: "\r\n".join([f"GET {target} HTTP/1.1", *before, "Host: h", *after, "", ""]).encode(),
    st.from_regex(r"[!-~]{1,5}", fullmatch=True),
    st.lists(fields, max_size=4),
    st.lists(fields, max_size=4),
)
SCRAPS = [
    b"", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b": ", b"\x00", b"\x7f", b"\xe9", b"2", b"HTTP/1.1", b"\r\n\r\n",
    b"X: y\r\n", b"X:y\r\n", b"X: y \r\n", b"Host: h\r\n", b"CONTENT-length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
]  # fmt: skip
scraps = st.sampled_from(SCRAPS)
bounds = st.builds(Limits, header_size=st.integers(20, 240), max_headers=st.integers(1, 9))
policies = st.sampled_from([ANYTHING, STRICT])


@given(heads, st.binary(max_size=3), policies)
def test_a_head_of_the_usual_shape_is_ordinary_and_read_as_with_care(
    data: bytes, rest: bytes, policy: ServerPolicy
) -> None:
    read = read_ordinary(data + rest, policy)
    assert read is not None
    assert read == with_care(data + rest, policy)


@given(heads, scraps, st.data(), policies | st.builds(ServerPolicy, limits=bounds))
def test_what_is_changed_is_read_as_with_care_or_not_at_all(
    data: bytes, scrap: bytes, choice: st.DataObject, policy: ServerPolicy
) -> None:
    start = choice.draw(st.integers(0, len(data)))
    changed = data[:start] + scrap + data[choice.draw(st.integers(start, min(start + 3, len(data)))) :]
    read = read_ordinary(changed, policy)
    assert read is None or read == with_care(changed, policy)
