"""Opening handshakes: plain and odd ones open a connection, and each bad one is refused for its own reason."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings

from tests.fuzz.kit import find
from wsproto_core import (
    Accepted,
    ClientConnection,
    Closed,
    Event,
    PerMessageDeflate,
    Request,
    ServerConnection,
    Violation,
)
from wsproto_fuzz.strategies import (
    HOST,
    ORIGIN,
    REQUEST_OFFENCES,
    RESPONSE_OFFENCES,
    BadHandshake,
    Chunking,
    Head,
    HeaderLine,
    bad_requests,
    bad_responses,
    chunkings,
    odd_requests,
    odd_responses,
    requests,
    responses,
    websocket_keys,
)


def ask_server(data: Iterable[bytes]) -> list[Event]:
    server = ServerConnection(
        hosts=[HOST], origins=[ORIGIN, None], subprotocols=["chat"], extensions=[PerMessageDeflate()]
    )
    return [event for piece in data for event in server.receive_data(piece, 0.0)]


def tell_client(head: Head, chunking: Chunking) -> list[Event]:
    client = ClientConnection(
        f"ws://{HOST}/", entropy=Random(0).randbytes, subprotocols=["chat"], extensions=[PerMessageDeflate()]
    )
    client.connect()
    lines = b"".join(client.data_to_send()).decode().split("\r\n")
    key = next(line for line in lines if line.startswith("Sec-WebSocket-Key")).partition(": ")[2]
    return [event for piece in chunking(head.answering(key)) for event in client.receive_data(piece, 0.0)]


def violation_of(events: list[Event]) -> Violation | None:
    (event,) = events
    match event:
        case Request():
            return event.violation
        case Closed(report):
            return report.violation
    raise AssertionError(event)


@given(head=requests() | odd_requests(), chunking=chunkings())
def test_a_server_accepts_what_is_right(head: Head, chunking: Chunking) -> None:
    (request,) = ask_server(chunking(bytes(head)))
    assert isinstance(request, Request)
    assert request.violation is None, request.detail
    assert request.headers["host"] == head.value("Host")


@given(head=responses() | odd_responses(), chunking=chunkings())
def test_a_client_accepts_what_is_right(head: Head, chunking: Chunking) -> None:
    (event,) = tell_client(head, chunking)
    assert isinstance(event, Accepted)


@pytest.mark.parametrize("violation", REQUEST_OFFENCES, ids=lambda violation: violation.name)
def test_a_server_reports_this_violation_and_no_other(violation: Violation) -> None:
    @settings(max_examples=60)
    @given(bad=bad_requests([violation]), chunking=chunkings())
    def check(bad: BadHandshake, chunking: Chunking) -> None:
        assert bad.violation is violation
        assert violation_of(ask_server(chunking(bytes(bad.head)))) is violation

    check()


@pytest.mark.parametrize("violation", RESPONSE_OFFENCES, ids=lambda violation: violation.name)
def test_a_client_reports_this_violation_and_no_other(violation: Violation) -> None:
    @settings(max_examples=60)
    @given(bad=bad_responses([violation]), chunking=chunkings())
    def check(bad: BadHandshake, chunking: Chunking) -> None:
        assert bad.violation is violation
        assert violation_of(tell_client(bad.head, chunking)) is violation

    check()


@given(bad=bad_requests() | bad_responses())
def test_any_offence_is_one_of_the_table(bad: BadHandshake) -> None:
    assert bad.violation in {*REQUEST_OFFENCES, *RESPONSE_OFFENCES}
    assert str(bad).startswith(bad.violation.name)


@given(key=websocket_keys())
def test_keys_have_16_bytes(key: str) -> None:
    assert len(key) == 24


def test_a_request_shrinks_to_the_shortest_that_is_valid() -> None:
    assert str(find(requests(), lambda head: True)) == (
        "GET / HTTP/1.1\n"
        "Host: example.com\n"
        "Upgrade: websocket\n"
        "Connection: Upgrade\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n"
        "Sec-WebSocket-Version: 13"
    )


def test_an_odd_request_shrinks_to_its_one_oddity() -> None:
    head = find(odd_requests(), lambda head: head.value("upgrade") != "websocket")
    assert len(head.lines) == 5
    assert head.value("upgrade") == "WebSocket"


def test_a_head_as_data() -> None:
    head = Head("GET / HTTP/1.1", (HeaderLine("A", "1"), HeaderLine("a", "2", before="", after=" ")))
    assert bytes(head) == b"GET / HTTP/1.1\r\nA: 1\r\na:2 \r\n\r\n"
    assert head.value("a") == "1"
    assert head.value("b") is None
    assert head.replaced("a", "3", "4").lines == (HeaderLine("a", "3"), HeaderLine("a", "4"))
    # The example of RFC 6455 §1.3.
    assert Head("", (HeaderLine("x", "{accept}"),)).answering("dGhlIHNhbXBsZSBub25jZQ==") == (
        b"\r\nx: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
