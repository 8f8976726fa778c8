"""The client's half of the opening: a request goes out, and whatever may come back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.driver.wire import START, connect, make_client, make_wire
from wsproto_core import (
    Accepted,
    BearerCredentials,
    ClientConnection,
    Closed,
    CloseReport,
    Event,
    Headers,
    Initiator,
    Limits,
    LocalProtocolError,
    Redirected,
    Rejected,
    State,
    Timeouts,
    Timer,
    Violation,
)
from wsproto_core._handshake.keys import accept_token
from wsproto_core.frames import Frame
from wsproto_core.testing import Chance, Chunks


def asking(**options: Any) -> tuple[ClientConnection, str]:
    """A client whose request has left, and the answer to its key."""
    client = make_client(**options)
    client.connect()
    request = b"".join(client.data_to_send()).decode()
    return client, accept_token(request.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0])


def feed(client: ClientConnection, data: bytes, chunks: Chunks) -> list[Event]:
    assert not isinstance(chunks, Chance)
    size = chunks or len(data)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return [event for piece in pieces for event in client.receive_data(piece, START)]


def acceptance(token: str, *headers: str) -> bytes:
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {token}", *headers, "", ""]).encode()


def report(initiator: Initiator, **fields: Any) -> CloseReport:
    return CloseReport(initiator=initiator, code=1006, at=START, **fields)


def test_the_request_says_everything_that_was_asked_for() -> None:
    client = make_client(
        "wss://example.com:8443/chat?room=1",
        subprotocols=["a", "b"],
        headers={"X-Own": "1"},
        origin="https://example.com",
        credentials=BearerCredentials("token"),
    )
    assert (client.uri.host, client.uri.port, client.uri.secure) == ("example.com", 8443, True)
    client.connect()
    lines = b"".join(client.data_to_send()).decode().split("\r\n")
    assert lines[:2] == ["GET /chat?room=1 HTTP/1.1", "Host: example.com:8443"]
    expected = {
        "Sec-WebSocket-Protocol: a, b",
        "X-Own: 1",
        "Origin: https://example.com",
        "Authorization: Bearer token",
    }
    assert expected <= set(lines)


def test_a_uri_may_come_in_parts() -> None:
    uri = make_client("ws://user:secret@example.com/").uri
    assert make_client(uri).uri is uri  # type: ignore[arg-type]  # the helper is made for strings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uri": "http://example.com"}, "uri"),
        ({"headers": {"Upgrade": "x"}}, "headers"),
        ({"origin": "a\n"}, "(?i)origin"),
    ],
)
def test_a_bad_argument_is_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_client(**options)


def test_nothing_is_sent_before_connect() -> None:
    client = make_client()
    assert client.data_to_send() == []
    with pytest.raises(LocalProtocolError, match="connect"):
        client.receive_data(b"HTTP/1.1", START)


@pytest.mark.parametrize(
    ("start", "at", "deadline"), [(START, None, 10.0), (None, START + 5, 15.0), (START, START + 5, 10.0)]
)
def test_the_opening_timer_runs_from_the_first_time_told(
    start: float | None, at: float | None, deadline: float
) -> None:
    client = make_client(now=start)
    client.connect(now=at)
    assert client.next_deadline() == START + deadline


def test_without_a_time_the_first_bytes_start_the_timer() -> None:
    client, _ = asking(now=None)
    assert client.next_deadline() is None
    client.receive_data(b"HTTP", START)
    assert client.next_deadline() == START + 10


# --- answers --------------------------------------------------------------------------------------------------------


def test_it_is_accepted(chunks: Chunks) -> None:
    client, token = asking(subprotocols=["chat"])
    events = feed(client, acceptance(token, "Sec-WebSocket-Protocol: chat", "X-Note: hello"), chunks)
    (accepted,) = events
    assert isinstance(accepted, Accepted)
    assert (accepted.subprotocol, accepted.extensions, accepted.headers["x-note"]) == ("chat", (), "hello")
    assert client.subprotocol == "chat"
    assert client.response is not None
    assert client.response.status == 101
    assert client.state is State.OPEN


def test_frames_in_the_same_read_are_not_lost(chunks: Chunks) -> None:
    client, token = asking()
    frames = bytes(Frame(0x1, b"first")) + bytes(Frame(0x2, b"second")) + bytes(Frame(0x8, b"\x03\xe8"))
    accepted, *events, closed = feed(client, acceptance(token) + frames, chunks)
    assert isinstance(accepted, Accepted)
    assert events == ["first", b"second"]
    assert isinstance(closed, Closed)
    assert closed.report.ok


def test_an_offence_in_the_same_read_is_told_after_the_acceptance(chunks: Chunks) -> None:
    client, token = asking()
    accepted, closed = feed(client, acceptance(token) + b"\x83\x00", chunks)
    assert isinstance(accepted, Accepted)
    assert isinstance(closed, Closed)
    assert closed.report.violation is Violation.RESERVED_OPCODE


def test_it_is_refused_and_sees_the_body(chunks: Chunks) -> None:
    client, _ = asking()
    events = feed(client, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nsorry", chunks)
    assert events == [
        Rejected(403, Headers({"Content-Length": "5"}), b"sorry"),
        Closed(report(Initiator.PEER, http_status=403)),
    ]
    assert client.half_close
    assert not client.should_abort


def test_the_end_of_the_connection_may_end_the_body(chunks: Chunks) -> None:
    client, _ = asking()
    assert feed(client, b"HTTP/1.1 500 Oops\r\n\r\nall is l", chunks) == []
    events = client.receive_eof(START)
    assert events == [Rejected(500, Headers(), b"all is l"), Closed(report(Initiator.PEER, http_status=500))]
    assert client.half_close


def test_a_redirect_is_told_not_followed(chunks: Chunks) -> None:
    client, _ = asking()
    events = feed(client, b"HTTP/1.1 301 Moved\r\nLocation: wss://b.example/\r\nContent-Length: 0\r\n\r\n", chunks)
    headers = Headers({"Location": "wss://b.example/", "Content-Length": "0"})
    assert events == [
        Redirected(301, "wss://b.example/", headers),
        Closed(report(Initiator.PEER, http_status=301)),
    ]


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", Violation.BAD_RESPONSE),
        (b"HTTP/1.1 101 x\r\n\r\n", Violation.RESPONSE_UPGRADE),
        (b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", Violation.RESPONSE_CONNECTION),
        (acceptance("wrong"), Violation.BAD_ACCEPT),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200, Violation.RESPONSE_TOO_BIG),
    ],
)
def test_an_answer_that_breaks_the_rules(chunks: Chunks, answer: bytes, violation: Violation) -> None:
    client, _ = asking()
    (closed,) = feed(client, answer, chunks)
    assert isinstance(closed, Closed)
    assert (closed.report.initiator, closed.report.violation) == (Initiator.LOCAL, violation)
    assert (closed.report.code, closed.report.sent_code, closed.report.received_code) == (1006, None, None)
    assert client.should_abort
    assert client.receive_eof(START) == []


def test_the_end_before_any_answer() -> None:
    client, _ = asking()
    assert client.receive_eof(START) == [Closed(report(Initiator.NETWORK))]


def test_the_end_before_the_question() -> None:
    client = make_client()
    assert client.receive_eof(START) == [Closed(report(Initiator.NETWORK))]
    with pytest.raises(LocalProtocolError):
        client.connect()


def test_no_answer_in_time() -> None:
    client, _ = asking(timeouts=Timeouts(opening_timeout=3.0))
    feed(client, b"HTTP/1.1 101 Switch", None)
    assert client.handle_timeout(START + 2.9) == []
    (closed,) = client.handle_timeout(START + 3)
    assert isinstance(closed, Closed)
    assert (closed.report.timer, closed.report.at) == (Timer.OPENING, START + 3)
    assert client.should_abort


def test_after_the_opening_its_timer_is_off() -> None:
    client, token = asking(timeouts=Timeouts(ping_interval=None))
    feed(client, acceptance(token), None)
    assert client.next_deadline() is None


def test_the_limits_hold_for_the_answer() -> None:
    client, token = asking(limits=Limits(header_size=50))
    (closed,) = feed(client, acceptance(token), None)
    assert isinstance(closed, Closed)
    assert closed.report.violation is Violation.RESPONSE_TOO_BIG


def test_over_the_wire(chunks: Chunks) -> None:
    wire = make_wire(chunks, server={"subprotocols": ["b", "a"]}, client={"subprotocols": ["a", "b"]})
    connect(wire)
    (accepted,) = wire.client.events
    assert isinstance(accepted, Accepted)
    assert accepted.subprotocol == wire.server.engine.subprotocol == "b"
