"""The server's half of the opening: what may come in, and every way to answer it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.driver.wire import START, make_client, make_server
from wsproto_core import (
    Buffer,
    Closed,
    CloseReport,
    ConnectionClosed,
    Event,
    Headers,
    Initiator,
    Limits,
    LocalProtocolError,
    Opcode,
    OutboxFull,
    PerMessageDeflate,
    Request,
    ServerConnection,
    State,
    Timer,
    Violation,
)
from wsproto_core.frames import Frame
from wsproto_core.testing import Chance, Chunks

MASK = b"mask"
TEXT = bytes(Frame(Opcode.TEXT, b"early", mask=MASK))


def request(**options: Any) -> bytes:
    client = make_client(**options)
    client.connect()
    return b"".join(client.data_to_send())


def feed(server: ServerConnection, data: bytes, chunks: Chunks) -> list[Event]:
    assert not isinstance(chunks, Chance)
    size = chunks or len(data)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return [event for piece in pieces for event in server.receive_data(piece, START)]


def asked(chunks: Chunks = None, *, head: bytes | None = None, **options: Any) -> ServerConnection:
    """A server that has been asked and not answered."""
    server = make_server(**options)
    (event,) = feed(server, head or request(), chunks)
    assert event is server.request
    return server


def output(server: ServerConnection) -> str:
    text = b""
    while buffers := server.data_to_send():
        text += b"".join(buffers)
    return text.decode("latin-1")


def report(**fields: Any) -> CloseReport:
    return CloseReport(initiator=Initiator.LOCAL, code=1006, **{"at": START, **fields})


def closed_report(events: list[Event]) -> CloseReport:
    (closed,) = events
    assert isinstance(closed, Closed)
    return closed.report


# --- accepting ------------------------------------------------------------------------------------------------------


def test_it_accepts(chunks: Chunks) -> None:
    server = asked(chunks)
    server.accept(headers={"X-Note": "hello"})
    answer = output(server)
    assert answer.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert "\r\nX-Note: hello\r\n" in answer
    assert server.state is State.OPEN
    assert server.response is not None
    assert server.response.status == 101
    assert server.next_deadline() == START + 30


@pytest.mark.parametrize(
    ("supported", "arguments", "chosen"),
    [
        (["b", "a"], {}, "b"),
        (["c"], {}, None),
        (lambda offered: offered[-1], {}, "b"),
        (["b"], {"subprotocol": "a"}, "a"),
        (["b"], {"subprotocol": None}, None),
    ],
)
def test_the_subprotocol(supported: Any, arguments: dict[str, Any], chosen: str | None) -> None:
    server = asked(head=request(subprotocols=["a", "b"]), subprotocols=supported)
    assert server.request is not None
    assert server.request.subprotocols == ("a", "b")
    server.accept(**arguments)
    assert server.subprotocol == chosen
    assert (f"\r\nSec-WebSocket-Protocol: {chosen}\r\n" in output(server)) == (chosen is not None)


def test_the_extensions() -> None:
    server = asked(head=request(extensions=[PerMessageDeflate()]), extensions=[PerMessageDeflate()])
    server.accept()
    assert server.extensions == ("permessage-deflate",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"subprotocol": "z"}, "subprotocol"),
        ({"headers": {"Upgrade": "h2c"}}, "headers"),
        ({"headers": {"a b": ""}}, "headers"),
    ],
)
def test_what_cannot_be_accepted_so_is_still_to_be_answered(arguments: dict[str, Any], words: str) -> None:
    server = asked()
    with pytest.raises(LocalProtocolError, match=words):
        server.accept(**arguments)
    assert output(server) == ""
    server.accept()
    assert server.state is State.OPEN


def test_an_answer_is_given_once() -> None:
    server = asked()
    server.accept()
    with pytest.raises(LocalProtocolError, match="answered already"):
        server.accept()
    with pytest.raises(LocalProtocolError, match="answered already"):
        server.reject(403)


def test_a_client_that_left_before_the_answer() -> None:
    server = asked()
    server.transport_lost(None, START)
    with pytest.raises(ConnectionClosed) as caught:
        server.accept()
    assert caught.value.report is server.close_report


# --- bytes before the answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_early_bytes_are_not_lost(chunks: Chunks, together: bool) -> None:
    server = make_server()
    if together:
        server.receive_data(request() + TEXT + TEXT[:3], START)
    else:
        feed(server, request(), chunks)
        assert feed(server, TEXT + TEXT[:3], chunks) == []
    server.accept()
    assert server.next_deadline() == START
    assert server.handle_timeout(START) == ["early"]
    assert server.next_deadline() == START + 30
    assert feed(server, TEXT[3:], chunks) == ["early"]


def test_early_messages_come_before_later_ones() -> None:
    server = asked(head=None)
    server.receive_data(TEXT, START)
    server.accept()
    assert server.receive_data(bytes(Frame(Opcode.TEXT, b"late", mask=MASK)), START) == ["early", "late"]


def test_early_bytes_are_bounded(chunks: Chunks) -> None:
    server = asked(chunks, limits=Limits(header_size=500))
    assert feed(server, bytes(500), chunks) == []
    assert closed_report(feed(server, b"!", chunks)).violation is Violation.BAD_REQUEST
    assert output(server).startswith("HTTP/1.1 400 ")
    with pytest.raises(ConnectionClosed):
        server.accept()


def test_early_messages_and_the_end_are_told_once(chunks: Chunks) -> None:
    server = asked(chunks)
    server.receive_data(TEXT, START)
    assert server.receive_eof(START) == []
    server.accept()
    text, closed = server.handle_timeout(START)
    assert text == "early"
    assert isinstance(closed, Closed)
    assert closed.report.initiator is Initiator.NETWORK
    assert server.handle_timeout(START) == []


# --- refusing -------------------------------------------------------------------------------------------------------


def test_it_rejects(chunks: Chunks) -> None:
    server = asked(chunks)
    server.reject(403, {"X-Why": "because"}, b"Forbidden.\n")
    answer = output(server)
    assert answer.startswith("HTTP/1.1 403 Forbidden\r\nX-Why: because\r\n")
    assert answer.endswith("\r\nContent-Length: 11\r\n\r\nForbidden.\n")
    assert server.half_close
    assert server.next_deadline() == START
    assert closed_report(server.handle_timeout(START)) == report(http_status=403, bytes_queued=len(answer))


def test_any_buffer_will_do_for_a_body() -> None:
    body: Buffer
    for body in (b"body", bytearray(b"body"), memoryview(b"body")):
        server = asked()
        server.reject(200, body=body)
        assert output(server).endswith("\r\n\r\nbody")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((101,), LocalProtocolError, "status"),
        ((403, {"Connection": "x"}), LocalProtocolError, "headers"),
        ((403, {}, "text"), TypeError, "body must be bytes"),
        ((403, {}, 5), TypeError, "body must be bytes"),
        ((204, {}, b"text"), LocalProtocolError, "no body"),
    ],
)
def test_what_cannot_be_sent_so_is_still_to_be_answered(arguments: Any, error: type[Exception], words: str) -> None:
    server = asked()
    with pytest.raises(error, match=words):
        server.reject(*arguments)
    assert output(server) == ""
    server.accept()
    assert server.state is State.OPEN


def test_a_body_may_follow_in_pieces() -> None:
    server = asked()
    server.reject(200, {"Content-Type": "text/plain"}, body=None)
    assert "Content-Length" not in output(server)
    half_close = [server.half_close]
    server.reject_data(b"one ", final=False)
    assert output(server) == "one "
    half_close.append(server.half_close)
    server.reject_data(bytearray(b"two"), final=True)
    assert output(server) == "two"
    half_close.append(server.half_close)
    assert half_close == [False, False, True]
    assert closed_report(server.handle_timeout(START)).http_status == 200


def test_a_streamed_body_stops_at_the_mark() -> None:
    server = asked(limits=Limits(outbox_size=300))
    server.reject(200, body=None)
    server.reject_data(bytes(300), final=False)
    with pytest.raises(OutboxFull):
        server.reject_data(b"more", final=True)
    assert output(server).count("\0") == 300
    server.reject_data(b"more", final=True)
    assert output(server) == "more"


def test_a_piece_of_a_body_is_bytes() -> None:
    server = asked()
    server.reject(200, body=None)
    with pytest.raises(TypeError, match="data must be bytes"):
        server.reject_data(5, final=False)  # type: ignore[arg-type]  # that is the point


def test_a_body_that_nobody_announced() -> None:
    with pytest.raises(LocalProtocolError, match="no rejection"):
        asked().reject_data(b"", final=True)


@pytest.mark.parametrize("body", [b"page", None])
def test_head_requests_see_no_body(body: bytes | None) -> None:
    server = asked(head=b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    server.reject(200, body=body)
    if body is None:
        server.reject_data(b"page", final=True)
    assert output(server).endswith("\r\n\r\n")


def test_what_comes_while_a_body_is_sent_does_not_disturb_it(chunks: Chunks) -> None:
    server = asked(chunks, limits=Limits(header_size=500))
    server.reject(200, body=None)
    assert feed(server, bytes(2000), chunks) == []
    server.reject_data(b"page", final=True)
    assert output(server).endswith("\r\n\r\npage")
    assert server.close_report is not None
    assert (server.close_report.http_status, server.close_report.violation) == (200, None)


def test_the_client_leaves_while_a_body_is_sent() -> None:
    server = asked()
    server.reject(200, body=None)
    assert closed_report(server.transport_lost(None, START)).initiator is Initiator.NETWORK
    with pytest.raises(ConnectionClosed):
        server.reject_data(b"page", final=True)


def test_a_body_that_takes_too_long() -> None:
    server = asked()
    server.reject(200, body=None)
    output(server)
    expected = report(at=START + 10, timer=Timer.OPENING, http_status=200)
    assert closed_report(server.handle_timeout(START + 10)) == expected
    assert output(server) == ""


# --- offences -------------------------------------------------------------------------------------------------------


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("data", "violation"),
    [
        (b"\x16\x03\x01\x02\x00", Violation.BAD_REQUEST),
        (head("GET / HTTP/2.0"), Violation.HTTP_VERSION),
        (b"GET /" + b"x" * 9000, Violation.TARGET_TOO_LONG),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 101, Violation.TOO_MANY_HEADERS),
    ],
)
def test_what_is_no_request_is_refused_at_once(chunks: Chunks, data: bytes, violation: Violation) -> None:
    server = make_server()
    told = closed_report(feed(server, data, chunks))
    assert (told.initiator, told.violation, told.http_status) == (Initiator.LOCAL, violation, violation.http_status)
    assert output(server).startswith(f"HTTP/1.1 {violation.http_status} ")
    assert server.half_close
    assert not server.should_abort
    assert feed(server, b"more of it", chunks) == []
    with pytest.raises(ConnectionClosed):
        server.accept()


HEALTH_CHECK = head("GET /health HTTP/1.1", "Host: example.com")


def test_a_request_for_something_else_is_refused_when_accepted(chunks: Chunks) -> None:
    server = asked(chunks, head=HEALTH_CHECK)
    assert server.request is not None
    assert server.request.violation is Violation.NO_UPGRADE
    server.accept()
    assert output(server).startswith("HTTP/1.1 426 ")
    told = closed_report(server.handle_timeout(START))
    assert (told.violation, told.http_status) == (Violation.NO_UPGRADE, 426)


def test_a_request_for_something_else_may_be_answered(chunks: Chunks) -> None:
    server = asked(chunks, head=HEALTH_CHECK)
    server.reject(200, body=b"OK")
    assert output(server).endswith("\r\n\r\nOK")
    assert closed_report(server.handle_timeout(START)).violation is None


@pytest.mark.parametrize(
    ("options", "violation"),
    [
        ({"origins": ["https://example.com"]}, Violation.ORIGIN_NOT_ALLOWED),
        ({"hosts": ["example.org"]}, Violation.HOST_NOT_ALLOWED),
    ],
)
def test_the_rules_of_the_server(options: dict[str, Any], violation: Violation) -> None:
    server = asked(head=request(origin="https://evil.example"), **options)
    server.accept()
    assert output(server).startswith(f"HTTP/1.1 {violation.http_status} ")


# --- the end of the client's bytes ----------------------------------------------------------------------------------


def test_nobody_said_anything() -> None:
    server = make_server()
    assert closed_report(server.receive_eof(START)) == CloseReport(initiator=Initiator.NETWORK, code=1006, at=START)
    assert output(server) == ""


def test_a_request_that_ends_too_early_is_refused(chunks: Chunks) -> None:
    server = make_server()
    feed(server, b"GET / HTTP/1.1\r\nHos", chunks)
    assert closed_report(server.receive_eof(START)).violation is Violation.BAD_REQUEST
    assert output(server).startswith("HTTP/1.1 400 ")
    assert server.half_close


@pytest.mark.parametrize("verb", ["accept", "reject", "reject_data"])
def test_a_request_before_the_end_is_still_answered(chunks: Chunks, verb: str) -> None:
    server = asked(chunks)
    assert server.receive_eof(START) == []
    assert not server.wants_read
    if verb == "accept":
        server.accept()
    else:
        server.reject(404, body=b"page" if verb == "reject" else None)
    if verb == "reject_data":
        server.reject_data(b"page", final=True)
    assert output(server).startswith("HTTP/1.1 101 " if verb == "accept" else "HTTP/1.1 404 ")
    assert server.half_close
    told = closed_report(server.handle_timeout(START))
    assert told.initiator is (Initiator.NETWORK if verb == "accept" else Initiator.LOCAL)


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_request_that_takes_too_long(chunks: Chunks) -> None:
    server = make_server()
    feed(server, b"GET / HTTP/1.1\r\nHost: exa", chunks)
    assert server.next_deadline() == START + 10
    told = closed_report(server.handle_timeout(START + 10))
    words = str(Violation.HANDSHAKE_TIMEOUT)
    answer = output(server)
    assert answer.startswith("HTTP/1.1 408 ")
    assert told == report(
        at=START + 10,
        reason=words,
        timer=Timer.OPENING,
        violation=Violation.HANDSHAKE_TIMEOUT,
        http_status=408,
        bytes_queued=len(answer),
    )
    assert server.half_close


def test_an_application_that_never_decides(chunks: Chunks) -> None:
    server = asked(chunks)
    told = closed_report(server.handle_timeout(START + 10))
    answer = output(server)
    assert answer.startswith("HTTP/1.1 503 ")
    assert told == report(at=START + 10, timer=Timer.OPENING, http_status=503, bytes_queued=len(answer))
    with pytest.raises(ConnectionClosed):
        server.accept()


def test_without_a_time_the_first_bytes_start_the_timer() -> None:
    server = make_server(now=None)
    assert server.next_deadline() is None
    server.receive_data(b"G", START + 7)
    assert server.next_deadline() == START + 17


# --- requests that somebody else has parsed -------------------------------------------------------------------------

H2 = Request(
    method="CONNECT",
    target="/chat",
    headers=Headers({"Host": "example.com", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "chat"}),
    http_version="2",
    protocol="websocket",
)


def h1() -> Request:
    server = asked()
    assert server.request is not None
    return server.request


@pytest.mark.parametrize(("parsed", "status"), [(H2, 200), (h1(), 101)])
def test_a_parsed_request(parsed: Request, status: int) -> None:
    server = ServerConnection.from_request(parsed, subprotocols=["chat"], now=START)
    assert server.request is not None
    assert server.request.violation is None
    server.accept()
    assert server.response is not None
    assert server.response.status == status
    assert server.data_to_send() == []
    assert server.subprotocol == ("chat" if parsed is H2 else None)
    assert server.receive_data(TEXT, START) == ["early"]
    server.send("late")
    assert output(server) == "\x81\x04late"


def test_a_parsed_request_may_be_followed_by_early_bytes() -> None:
    server = ServerConnection.from_request(H2, now=START)
    assert server.receive_data(TEXT, START) == []
    server.accept()
    assert server.handle_timeout(START) == ["early"]


@pytest.mark.parametrize("body", [b"page", None])
def test_a_parsed_request_is_rejected(body: bytes | None) -> None:
    server = ServerConnection.from_request(H2, now=START)
    server.reject(404, body=body)
    if body is None:
        server.reject_data(b"page", final=True)
    assert server.response is not None
    assert (server.response.status, server.response.body) == (404, body or b"")
    assert server.data_to_send() == []
    assert closed_report(server.handle_timeout(START)) == report(http_status=404)


def test_a_parsed_request_that_is_refused_knows_its_http_version() -> None:
    bad = Request(method="GET", target="/", headers=Headers({"Host": "example.com"}), http_version="2")
    server = ServerConnection.from_request(bad, now=START)
    server.accept()
    assert server.response is not None
    assert server.response.status == 426
    assert "upgrade" not in server.response.headers  # RFC 9113 §8.2.2


def test_a_parsed_request_is_bounded_in_time() -> None:
    server = ServerConnection.from_request(H2, now=START)
    assert closed_report(server.handle_timeout(START + 10)).timer is Timer.OPENING
    assert server.response is not None
    assert server.response.status == 503


def test_the_end_after_a_parsed_request() -> None:
    server = ServerConnection.from_request(H2, now=START)
    assert server.receive_eof(START) == []
    server.reject(404)
    assert server.response is not None
