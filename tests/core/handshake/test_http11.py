"""``_handshake/http11.py``: bytes in, requests and responses out, and back."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from itertools import cycle, islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.handshake.fakes import KEY, TOKEN, http1, request_fields, response_fields
from wsproto_core._config import Limits
from wsproto_core._errors import ProxyFailed, RemoteProtocolError
from wsproto_core._events import BasicCredentials, Request
from wsproto_core._handshake import client, server
from wsproto_core._handshake.http11 import (
    RequestReader,
    ResponseReader,
    TunnelReader,
    serialize_request,
    serialize_response,
)
from wsproto_core._handshake.outcome import Agreement, Response
from wsproto_core._handshake.policy import ServerPolicy
from wsproto_core._handshake.proxy import Proxy
from wsproto_core._handshake.tunnel import open_tunnel
from wsproto_core._handshake.uri import parse_uri
from wsproto_core._headers import Headers
from wsproto_core._violations import Violation

Reader = RequestReader | ResponseReader
LIMITS = Limits()


def head(first_line: str, fields: list[tuple[str, str]]) -> bytes:
    return "\r\n".join([first_line, *(f"{name}: {value}" for name, value in fields), "", ""]).encode("latin-1")


def get(target: str = "/chat", version: str = "HTTP/1.1", **changes: str | list[str] | None) -> bytes:
    return head(f"GET {target} {version}", request_fields(**changes))


def whole(data: bytes) -> list[bytes]:
    return [data]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.fixture(params=[whole, bytewise])
def cut(request: pytest.FixtureRequest) -> Callable[[bytes], list[bytes]]:
    function: Callable[[bytes], list[bytes]] = request.param
    return function


Cut = Callable[[bytes], list[bytes]]


def read_request(pieces: list[bytes], limits: Limits = LIMITS) -> tuple[Request | None, bytes]:
    reader = RequestReader(limits)
    for at, piece in enumerate(pieces):
        request = reader.feed(piece)
        if request is not None:
            return request, reader.trailing() + b"".join(pieces[at + 1 :])
    return None, reader.trailing()


def read_response(pieces: list[bytes], limits: Limits = LIMITS) -> tuple[Response | None, bytes]:
    reader = ResponseReader(limits)
    for at, piece in enumerate(pieces):
        response = reader.feed(piece)
        if response is not None:
            return response, reader.trailing() + b"".join(pieces[at + 1 :])
    return None, reader.trailing()


# --- requests ---------------------------------------------------------------------------------------------------------


def test_reading_the_example(cut: Cut) -> None:
    request, trailing = read_request(cut(get() + b"\x81\x00trailing"))
    assert request == http1()
    assert trailing == b"\x81\x00trailing"


def test_an_incomplete_request_waits(cut: Cut) -> None:
    assert read_request(cut(get()[:-1])) == (None, b"")


def test_any_other_request_is_read_too(cut: Cut) -> None:
    request, _ = read_request(cut(b"HEAD /healthz HTTP/1.0\r\n\r\n"))
    assert request == Request(method="HEAD", target="/healthz", http_version="1.0")
    request, trailing = read_request(cut(b"POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 2\r\n\r\nab"))
    assert request is not None
    assert server.judge(request, ServerPolicy()).violation is Violation.METHOD_NOT_GET
    assert trailing == b"ab"


def test_names_keep_their_case_and_values_are_latin_1() -> None:
    request, _ = read_request([b"GET / HTTP/1.1\r\nhOST: h\r\nX-Name: caf\xe9\r\nX-name:\t\xff \r\n\r\n"])
    assert request is not None
    assert request.headers.lines() == (("hOST", "h"), ("X-Name", "caf\xe9"), ("X-name", "\xff"))


def test_bare_line_feeds_and_folded_lines_are_understood() -> None:
    request, trailing = read_request([b"GET / HTTP/1.1\nHost: h\nX: a\n  b\n\nrest"])
    assert request is not None
    assert request.headers.lines() == (("Host", "h"), ("X", "a b"))
    assert trailing == b"rest"


def request_violation(data: bytes, cut: Cut, limits: Limits = LIMITS) -> Violation:
    with pytest.raises(RemoteProtocolError) as caught:
        read_request(cut(data), limits)
    return caught.value.violation


@pytest.mark.parametrize(
    ("violation", "data"),
    [
        (Violation.BAD_REQUEST, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),  # TLS
        (Violation.BAD_REQUEST, b"SSH-2.0-OpenSSH_9.2\r\n"),
        (Violation.BAD_REQUEST, b"\r\n\r\n"),
        (Violation.BAD_REQUEST, b"GET /\r\n"),
        (Violation.BAD_REQUEST, b"GET  / HTTP/1.1\r\n"),
        (Violation.BAD_REQUEST, b"GET / HTTP/1.1 \r\n"),
        (Violation.BAD_REQUEST, b"GET / http/1.1\r\n"),
        (Violation.BAD_REQUEST, b"GET / HTTP/11\r\n"),
        (Violation.BAD_REQUEST, b"G(T / HTTP/1.1\r\nHost: h\r\n\r\n"),
        (Violation.BAD_REQUEST, b"GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n"),
        (Violation.BAD_REQUEST, get().replace(b"\r\n\r\n", b"\r\nX\r\n\r\n")),
        (Violation.BAD_REQUEST, get().replace(b"\r\n\r\n", b"\r\nX : y\r\n\r\n")),
        (Violation.BAD_REQUEST, get().replace(b"\r\n\r\n", b"\r\nX: a\rb\r\n\r\n")),
        (Violation.BAD_REQUEST, b"GET / HTTP/1.1\r\n X: folded\r\nHost: h\r\n\r\n"),
        (Violation.BAD_REQUEST, get(X="\x00")[:-4]),
        (Violation.BAD_REQUEST, get(X="\x01")[:-4]),
        (Violation.BAD_REQUEST, get(Content_Length="x")),
        (Violation.BAD_REQUEST, get(Content_Length=["1", "2"])),
        (Violation.BAD_REQUEST, get(Transfer_Encoding="gzip")),
        (Violation.HTTP_VERSION, b"PRI * HTTP/2.0\r\n"),
        (Violation.HTTP_VERSION, b"GET / HTTP/0.9\r\n"),
        (Violation.BAD_HOST, get(Host=None)),
        (Violation.BAD_HOST, get(Host=["a", "b"])),
        (Violation.BAD_HOST, get(version="HTTP/1.0", Host=["a", "b"])),
        (Violation.TARGET_TOO_LONG, b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n"),
        (Violation.TARGET_TOO_LONG, b"GET /" + b"a" * 8300),
        (Violation.HEADERS_TOO_BIG, get()[:-2] + b"X: " + b"a" * 16384),
        (Violation.HEADERS_TOO_BIG, get(X="a" * 16300)),
        (Violation.TOO_MANY_HEADERS, get(X=["a"] * 96)[:-2]),
    ],
)
def test_every_violation_of_a_request(violation: Violation, data: bytes, cut: Cut) -> None:
    assert request_violation(data, cut) is violation


def test_the_longest_target(cut: Cut) -> None:
    request, _ = read_request(cut(get("/" + "a" * 8191)))
    assert request is not None
    assert len(request.target) == 8192


def test_the_target_is_bounded_by_header_size_too(cut: Cut) -> None:
    limits = Limits(header_size=300)
    assert request_violation(b"GET /" + b"a" * 300, cut, limits) is Violation.TARGET_TOO_LONG
    assert request_violation(get(X="a" * 300), cut, limits) is Violation.HEADERS_TOO_BIG


def test_as_many_headers_as_allowed(cut: Cut) -> None:
    limits = Limits(max_headers=5)
    assert read_request(cut(get()), limits)[0] == http1()
    assert request_violation(get(X="y"), cut, limits) is Violation.TOO_MANY_HEADERS


@pytest.mark.parametrize("line", [b"authorization secret", b"my secret: x", b"'my secret: x"])
def test_the_detail_does_not_repeat_the_bytes(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        RequestReader(LIMITS).feed(get().replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n"))
    assert "secret" not in caught.value.detail
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("end", [b"\x00", b"\x7f", b"\x0b", b"\rx"])
def test_blanks_before_a_control_character_take_no_time(end: bytes) -> None:
    # In h11 alone a line of this length would run into the suite's timeout.
    reader = RequestReader(Limits(header_size=2_000_000))
    with pytest.raises(RemoteProtocolError):
        reader.feed(b"GET / HTTP/1.1\r\nHost: h\r\nX:" + b" " * 1_000_000 + end + b"\r\n\r\n")


def test_one_empty_line_before_a_request_is_ignored(cut: Cut) -> None:
    """RFC 9112 §2.2."""
    assert read_request(cut(b"\r\n" + get() + b"rest")) == read_request(cut(get() + b"rest"))
    with pytest.raises(RemoteProtocolError, match="not a request line"):
        read_request(cut(b"\r\n\r\n" + get()))


@pytest.mark.parametrize("data", [b"", b"\r\n"])
def test_the_end_before_a_request(data: bytes) -> None:
    reader = RequestReader(LIMITS)
    assert reader.feed(data) is None
    reader.feed_eof()  # a port scan: nobody to answer


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\n", get()[:-1]])
def test_the_end_within_a_request(data: bytes) -> None:
    reader = RequestReader(LIMITS)
    assert reader.feed(data) is None
    with pytest.raises(RemoteProtocolError) as caught:
        reader.feed_eof()
    assert caught.value.violation is Violation.BAD_REQUEST


# --- responses --------------------------------------------------------------------------------------------------------


def ok(status_line: str = "HTTP/1.1 101 Switching Protocols", **changes: str | list[str] | None) -> bytes:
    return head(status_line, response_fields(**changes))


def test_reading_the_answer(cut: Cut) -> None:
    response, trailing = read_response(cut(ok() + b"\x81\x02hi"))
    assert response == Response(status=101, headers=Headers(response_fields()))
    assert trailing == b"\x81\x02hi"


@pytest.mark.parametrize("line", ["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 null", "HTTP/1.1 101 \xe9"])
def test_the_reason_does_not_matter(line: str) -> None:
    response, _ = read_response([ok(line)])
    assert response is not None
    assert response.status == 101


def test_an_incomplete_response_waits(cut: Cut) -> None:
    assert read_response(cut(ok()[:-1])) == (None, b"")


def test_informational_responses_are_skipped(cut: Cut) -> None:
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    response, trailing = read_response(cut(hints + ok() + b"rest"))
    assert response == Response(status=101, headers=Headers(response_fields()))
    assert trailing == b"rest"


REFUSAL = b"HTTP/1.1 403 Forbidden\r\n"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (REFUSAL + b"Content-Length: 0\r\n\r\n", b""),
        (REFUSAL + b"Content-Length: 4\r\n\r\nbody", b"body"),
        (REFUSAL + b"Content-Length: 4\r\n\r\nbody, and more", b"body"),
        (REFUSAL + b"Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n3;x=y\r\nody\r\n0\r\nTrailer: x\r\n\r\n", b"body"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
    ],
)
def test_bodies_that_say_where_they_end(data: bytes, body: bytes, cut: Cut) -> None:
    response, _ = read_response(cut(data))
    assert response is not None
    assert response.body == body


@pytest.mark.parametrize("header", [b"", b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_the_end_of_the_connection_ends_a_body(header: bytes, cut: Cut) -> None:
    reader = ResponseReader(LIMITS)
    sent = b"4\r\nbody\r\n" if header.startswith(b"Transfer") else b"body"
    assert all(reader.feed(piece) is None for piece in cut(REFUSAL + header + b"\r\n" + sent))
    response = reader.feed_eof()
    assert response is not None
    assert (response.status, response.body) == (403, b"body")
    assert reader.trailing() == b""


@pytest.mark.parametrize("header", [b"", b"Content-Length: 999999\r\n"])
@pytest.mark.parametrize("size", [1000, 10_000, 200_000])
def test_a_long_body_is_cut(header: bytes, size: int) -> None:
    sent = b"".join(at.to_bytes(4, "big") for at in range(50_000))
    reader = ResponseReader(LIMITS)
    assert reader.feed(REFUSAL + header + b"\r\n") is None
    responses = (reader.feed(sent[at : at + size]) for at in range(0, len(sent), size))
    response = next(response for response in responses if response is not None)
    assert response.body == sent[: 64 * 1024]


@pytest.mark.parametrize(
    ("violation", "data"),
    [
        (Violation.BAD_RESPONSE, b"SSH-2.0-OpenSSH_9.2\r\n"),
        (Violation.BAD_RESPONSE, b"\x15\x03\x03\x00\x02"),  # a TLS alert
        (Violation.BAD_RESPONSE, b"\r\n"),
        (Violation.BAD_RESPONSE, b"HTTP/2.0 101 Switching\r\n"),
        (Violation.BAD_RESPONSE, b"HTTP/1.0 101 Switching\r\n"),  # RFC 9110 §15.2
        (Violation.BAD_RESPONSE, b"HTTP/1.1 1O1\r\n\r\n"),
        (Violation.BAD_RESPONSE, b"HTTP/1.1 099 x\r\n\r\n"),
        (Violation.BAD_RESPONSE, b"HTTP/1.1 101 x\r\nX\r\n\r\n"),
        (Violation.BAD_RESPONSE, b"HTTP/1.1 101 x\r\nX : y\r\n\r\n"),
        (Violation.BAD_RESPONSE, b"HTTP/1.1 100 x\r\nX : y\r\n\r\n"),
        (Violation.BAD_RESPONSE, ok(X="\x00")),
        (Violation.BAD_RESPONSE, REFUSAL + b"Content-Length: x\r\n\r\n"),
        (Violation.BAD_RESPONSE, REFUSAL + b"Transfer-Encoding: gzip\r\n\r\n"),
        (Violation.BAD_RESPONSE, REFUSAL + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        (Violation.BAD_RESPONSE, REFUSAL + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX"),
        (Violation.BAD_RESPONSE, REFUSAL + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 3000),
        (Violation.RESPONSE_TOO_BIG, ok(X="a" * 16384)),
        (Violation.RESPONSE_TOO_BIG, b"HTTP/1.1 " + b"1" * 16384),
        (Violation.RESPONSE_TOO_BIG, ok(X=["a"] * 98)),
        (Violation.RESPONSE_TOO_BIG, b"HTTP/1.1 100 Continue\r\n\r\n" * 700),
    ],
)
def test_every_violation_of_a_response(violation: Violation, data: bytes, cut: Cut) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_response(cut(data))
    assert caught.value.violation is violation


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_the_end_before_a_response(data: bytes) -> None:
    reader = ResponseReader(LIMITS)
    assert reader.feed(data) is None
    assert reader.feed_eof() is None


@pytest.mark.parametrize("data", [b"H", b"HTTP/1.1 101 x\r\n", ok()[:-1], b"HTTP/1.1 100 x\r\n\r\nHTTP"])
def test_the_end_within_a_response(data: bytes) -> None:
    reader = ResponseReader(LIMITS)
    assert reader.feed(data) is None
    with pytest.raises(RemoteProtocolError) as caught:
        reader.feed_eof()
    assert caught.value.violation is Violation.BAD_RESPONSE


# --- tunnels through a proxy ------------------------------------------------------------------------------------------

PROXY = Proxy("http", "proxy", 3128)
GUARDED = Proxy("http", "::1", 3128, BasicCredentials("user", "secret"))
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
CHALLENGE = b"HTTP/1.1 407 x\r\nProxy-Authenticate: "


def tunnel(
    pieces: Iterable[bytes], proxy: Proxy = PROXY, host: str = "example.com", limits: Limits = LIMITS
) -> tuple[bytes, bytes]:
    """What was sent, and what came out of the tunnel; the end of ``pieces`` is the end of the connection."""
    conversation = open_tunnel(proxy, host, 443, limits=limits)
    incoming = iter(pieces)
    sent = next(conversation)
    assert sent is not None
    try:
        assert conversation.send(b"") is None
        while True:
            assert conversation.send(next(incoming, b"")) is None
    except StopIteration as done:
        rest: bytes = done.value
        return sent, rest + b"".join(incoming)


@pytest.mark.parametrize(
    "answer",
    [
        TUNNEL,
        b"HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11\r\n\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + TUNNEL,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",  # RFC 9110 §9.3.6: to be ignored
        b"HTTP/1.1 299 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_tunnel_is_open(answer: bytes, cut: Cut) -> None:
    sent, rest = tunnel(cut(answer + b"\x16rest"))
    assert sent == b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
    assert rest == b"\x16rest"


def test_a_tunnel_with_credentials_to_an_address() -> None:
    sent, _ = tunnel([TUNNEL], GUARDED, "2001:db8::1")
    authorization = base64.b64encode(b"user:secret").decode()
    assert sent.decode().split("\r\n") == [
        "CONNECT [2001:db8::1]:443 HTTP/1.1",
        "Host: [2001:db8::1]:443",
        f"Proxy-Authorization: Basic {authorization}",
        "",
        "",
    ]


@pytest.mark.parametrize("host", ["a\r\nX: y", "a b", "", "\u20ac"])
def test_a_host_cannot_become_a_header(host: str) -> None:
    with pytest.raises(ValueError, match=r"host|header|IPv6"):
        next(open_tunnel(PROXY, host, 443))


@pytest.mark.parametrize(
    ("proxy", "answer", "status", "words"),
    [
        (PROXY, b"HTTP/1.1 403 secret\r\n\r\nsecret", 403, r"refused a tunnel to example.com:443 .* 403 \(Forbidden"),
        (PROXY, b"HTTP/1.1 302 Found\r\nLocation: http://secret\r\n\r\n", 302, "302"),
        (PROXY, b"HTTP/1.1 599 \r\n\r\n", 599, "Unknown"),
        (PROXY, CHALLENGE + b'Basic realm="secret"\r\n\r\n', 407, "the proxy proxy:3128 wants credentials"),
        (PROXY, b"HTTP/1.1 407 x\r\n\r\n", 407, "wants credentials"),
        (GUARDED, CHALLENGE + b"Digest a=b, bAsIc\r\n\r\n", 407, r"the proxy \[::1\]:3128 refused the credentials"),
        (GUARDED, CHALLENGE + b"NTLM\r\nProxy-Authenticate: Basic-like\r\n\r\n", 407, "other than Basic"),
        (PROXY, b"", None, "ended the conversation"),
        (PROXY, TUNNEL[:-1], None, "ended the conversation"),
        (PROXY, b"\x05\x00 secret", None, "broke a rule: the response is not well-formed"),
        (PROXY, b"SSH-2.0-secret\r\n", None, "not a status line"),
        (PROXY, b"HTTP/1.1 200 OK\r\nsecret\r\n\r\n", None, "broke a rule"),
        (PROXY, b"HTTP/1.1 101 x\r\nUpgrade: secret\r\n\r\n", None, "broke a rule"),
        (PROXY, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 16384, None, "larger than the limits allow"),
        (PROXY, b"HTTP/1.1 100 x\r\n\r\n" * 1000, None, "larger than the limits allow"),
    ],
)
def test_every_way_to_fail(proxy: Proxy, answer: bytes, status: int | None, words: str, cut: Cut) -> None:
    with pytest.raises(ProxyFailed, match=words) as caught:
        tunnel(cut(answer), proxy)
    assert caught.value.status == status
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_endless_proxy_is_soon_done_with() -> None:
    stream = (bytes([byte]) for byte in cycle(b"HTTP/1.1 100 x\r\n\r\n"))
    with pytest.raises(ProxyFailed, match="larger than the limits allow"):
        tunnel(islice(stream, 500), limits=Limits(header_size=500))


# --- any bytes --------------------------------------------------------------------------------------------------------

SCRAPS = [
    get(), ok(), REFUSAL, b"GET / HTTP/1.1\r\n", b"Host: h\r\n", b"X:", b" ", b"\r", b"\n", b"\r\n", b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 \r\n\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n",
    b"1\r\n", b"0\r\n", b"\xff", b"\x00", b"abc", b"HTTP/1.0 404 \r\n", b"a" * 300, b";", b"Upgrade: websocket\r\n",
]  # fmt: skip
messages = st.binary(max_size=60) | st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=5), max_size=12).map(b"".join)
limits = st.builds(Limits, header_size=st.integers(1, 600), max_headers=st.integers(1, 8))


def outcome(reader: Reader, pieces: list[bytes]) -> object:
    """All that a reader makes of pieces and of the end after them, as one value."""
    for at, piece in enumerate(pieces):
        try:
            found = reader.feed(piece)
        except RemoteProtocolError as error:
            return error.violation
        if found is not None:
            whole_answer = isinstance(found, Request) or found.status == 101 or isinstance(reader, TunnelReader)
            return found, reader.trailing() + b"".join(pieces[at + 1 :]) if whole_answer else b""
    try:
        return reader.feed_eof()
    except RemoteProtocolError as error:
        return error.violation


@pytest.mark.parametrize("make", [RequestReader, ResponseReader, TunnelReader])
@given(data=messages, bounds=limits, choice=st.data())
@example(data=b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", bounds=Limits(header_size=27), choice=None)
def test_any_bytes_in_any_pieces(
    make: Callable[[Limits], Reader], data: bytes, bounds: Limits, choice: st.DataObject | None
) -> None:
    cuts = sorted(choice.draw(st.sets(st.integers(0, len(data)), max_size=6))) if choice else []
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    expected = outcome(make(bounds), [data])
    assert outcome(make(bounds), pieces) == expected
    assert outcome(make(bounds), bytewise(data)) == expected


@given(data=messages, bounds=limits)
def test_any_answer_of_a_proxy_is_a_tunnel_or_proxy_failed(data: bytes, bounds: Limits) -> None:
    outcomes: list[object] = []
    for pieces in ([data], bytewise(data)):
        try:
            outcomes.append(tunnel(pieces, GUARDED, limits=bounds))
        except ProxyFailed as error:
            outcomes.append((str(error), error.status))
    assert outcomes[0] == outcomes[1]
    assert "secret" not in str(outcomes)


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_request_on_the_wire() -> None:
    assert serialize_request(http1(X="caf\xe9")) == get(X="caf\xe9")


def test_a_switch_on_the_wire() -> None:
    response = Response(status=101, headers=Headers(response_fields()))
    assert serialize_response(response) == ok()


def lines(data: bytes) -> tuple[bytes, set[bytes], bytes]:
    top, _, body = data.partition(b"\r\n\r\n")
    first, *fields = top.split(b"\r\n")
    return first, set(fields), body


def test_a_refusal_on_the_wire() -> None:
    first, fields, body = lines(serialize_response(Response(status=403, headers=Headers({"X": "\xff"}), body=b"no")))
    assert first == b"HTTP/1.1 403 Forbidden"
    assert fields == {b"X: \xff", b"Connection: close", b"Content-Length: 2"}
    assert body == b"no"


def test_an_empty_body_has_a_length() -> None:
    assert b"Content-Length: 0" in lines(serialize_response(Response(status=404)))[1]


def test_upgrade_is_listed_in_connection() -> None:
    _, fields, _ = lines(serialize_response(server.refuse(Violation.NO_UPGRADE)))
    assert b"Connection: close, Upgrade" in fields


def test_a_streamed_body_ends_with_the_connection() -> None:
    first, fields, body = lines(serialize_response(server.reject(200, {"Content-Type": "text/html"}, None)))
    assert first == b"HTTP/1.1 200 OK"
    assert fields == {b"Content-Type: text/html", b"Connection: close"}
    assert body == b""


def test_a_head_request_gets_the_head_only() -> None:
    _, fields, body = lines(serialize_response(Response(status=200, body=b"page"), method="HEAD"))
    assert b"Content-Length: 4" in fields
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body(status: int) -> None:
    _, fields, body = lines(serialize_response(Response(status=status)))
    assert (fields, body) == ({b"Connection: close"}, b"")


def test_an_unknown_status_has_a_phrase_too() -> None:
    assert lines(serialize_response(Response(status=599)))[0] == b"HTTP/1.1 599 Unknown"


@given(st.sampled_from([row for row in Violation if row.http_status is not None]))
def test_a_client_reads_every_refusal(violation: Violation) -> None:
    refusal = server.refuse(violation)
    response, _ = read_response([serialize_response(refusal)])
    assert response is not None
    assert (response.status, response.body) == (refusal.status, refusal.body)


def test_both_sides_over_the_wire(cut: Cut) -> None:
    policy = ServerPolicy(subprotocols=["chat"])
    offer = client.ClientOffer(uri=parse_uri("ws://example.com/?q"), key=KEY, subprotocols=["chat"])
    request, _ = read_request(cut(serialize_request(offer.request)))
    assert request is not None
    agreement = server.accept(server.judge(request, policy), policy)
    response, trailing = read_response(cut(serialize_response(agreement.response) + b"\x81\x00"))
    assert response is not None
    outcome = client.judge(response, offer)
    assert isinstance(outcome, Agreement)
    assert (outcome.subprotocol, trailing) == ("chat", b"\x81\x00")
    assert response.headers["sec-websocket-accept"] == TOKEN
