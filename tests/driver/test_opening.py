"""The opening handshake between two engines, and what comes with it in the same read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.driver.wire import START, Wire, connect, make_wire
from wsproto_core import (
    Accepted,
    BasicCredentials,
    Closed,
    Event,
    Headers,
    Initiator,
    PerMessageDeflate,
    Redirected,
    Rejected,
    Request,
    ServerConnection,
    State,
    Timeouts,
    Timer,
    Violation,
)
from wsproto_core.testing import Chunks


def answering(wire: Wire, verb: str, *arguments: Any, **options: Any) -> Wire:
    """Let the server's application answer every request so."""

    def answer(event: Event) -> None:
        if isinstance(event, Request):
            getattr(wire.server.engine, verb)(*arguments, **options)

    wire.server.react = answer
    return wire


def server_of(wire: Wire) -> ServerConnection:
    assert isinstance(wire.server.engine, ServerConnection)
    return wire.server.engine


def test_both_sides_agree(chunks: Chunks) -> None:
    wire = make_wire(
        chunks,
        client={
            "uri": "ws://user:secret@example.com/chat?a=1",
            "origin": "https://example.com",
            "subprotocols": ["b", "a"],
        },
        server={"origins": ["https://example.com"], "hosts": ["example.com"], "subprotocols": ["a", "b"]},
        extensions=[PerMessageDeflate()],
    )
    connect(wire)
    (request,), (accepted,) = wire.server.events, wire.client.events
    assert isinstance(request, Request)
    assert (request.path, request.query, request.origin) == ("/chat", "a=1", "https://example.com")
    assert request.credentials == BasicCredentials("user", "secret")
    assert request.violation is None
    assert isinstance(accepted, Accepted)
    assert (accepted.subprotocol, accepted.extensions) == ("a", ("permessage-deflate",))
    for side in wire.sides:
        assert (side.engine.subprotocol, side.engine.extensions) == ("a", ("permessage-deflate",))
    assert wire.states() == [State.OPEN, State.OPEN]


def test_bytes_are_counted_from_the_first(chunks: Chunks) -> None:
    wire = make_wire(chunks)
    connect(wire)
    client, server = (side.engine.statistics for side in wire.sides)
    assert client.bytes_sent == server.bytes_received == len(wire.client.outgoing.log)
    assert server.bytes_sent == client.bytes_received == len(wire.server.outgoing.log)


def test_both_sides_talk_at_once(chunks: Chunks) -> None:
    wire = make_wire(chunks)

    def welcome(event: Event) -> None:
        if isinstance(event, Request):
            server_of(wire).accept()
            for number in range(3):
                server_of(wire).send(f"welcome {number}")

    def reply(event: Event) -> None:
        if isinstance(event, str):
            wire.client.engine.send(event.upper())

    wire.server.react, wire.client.react = welcome, reply
    connect(wire)
    assert isinstance(wire.client.events[0], Accepted)
    assert wire.client.messages == ["welcome 0", "welcome 1", "welcome 2"]
    assert wire.server.messages == ["WELCOME 0", "WELCOME 1", "WELCOME 2"]


def test_a_server_may_accept_and_close_at_once(chunks: Chunks) -> None:
    wire = make_wire(chunks)

    def turn_away(event: Event) -> None:
        if isinstance(event, Request):
            server_of(wire).accept()
            server_of(wire).send("sorry")
            server_of(wire).close(1013, "full", now=wire.now)

    wire.server.react = turn_away
    connect(wire)
    wire.finish()
    assert [type(event) for event in wire.client.events] == [Accepted, str, Closed]
    assert (wire.client.report.code, wire.client.report.reason) == (1013, "full")
    assert wire.server.report.initiator is Initiator.LOCAL


def test_the_client_sees_a_refusal(chunks: Chunks) -> None:
    wire = answering(make_wire(chunks), "reject", 403, {"X-Why": "because"}, b"no entry")
    connect(wire)
    wire.finish()
    rejected, closed = wire.client.events
    assert isinstance(rejected, Rejected)
    assert (rejected.status, rejected.headers["x-why"], rejected.body) == (403, "because", b"no entry")
    assert isinstance(closed, Closed)
    for side, initiator in zip(wire.sides, (Initiator.PEER, Initiator.LOCAL), strict=True):
        assert (side.report.initiator, side.report.code, side.report.http_status) == (initiator, 1006, 403)
        assert (side.report.sent_code, side.report.received_code, side.report.violation) == (None, None, None)


def test_the_client_sees_a_streamed_refusal(chunks: Chunks) -> None:
    wire = answering(make_wire(chunks), "reject", 500, body=None)
    connect(wire)
    for number in range(3):
        wire.run(1)
        server_of(wire).reject_data(b"piece %d;" % number, final=number == 2)
    wire.finish()
    (rejected,) = wire.client.told(Rejected)
    assert rejected.body == b"piece 0;piece 1;piece 2;"
    assert wire.now == START + 3


def test_the_client_is_told_where_else_to_go(chunks: Chunks) -> None:
    wire = answering(make_wire(chunks), "reject", 307, {"Location": "ws://b.example/"})
    connect(wire)
    wire.finish()
    (redirected,) = wire.client.told(Redirected)
    assert redirected.location == "ws://b.example/"
    assert redirected.headers["location"] == "ws://b.example/"


def test_a_violation_is_refused_with_words(chunks: Chunks) -> None:
    wire = make_wire(chunks, server={"origins": ["https://example.com"]})
    connect(wire)
    wire.finish()
    (request,) = wire.server.told(Request)
    assert request.violation is Violation.ORIGIN_NOT_ALLOWED
    (rejected,) = wire.client.told(Rejected)
    assert rejected.status == 403
    assert rejected.body == f"{Violation.ORIGIN_NOT_ALLOWED}\n".encode()
    assert wire.server.report.violation is Violation.ORIGIN_NOT_ALLOWED


def test_a_client_that_will_not_agree_leaves(chunks: Chunks) -> None:
    wire = answering(make_wire(chunks), "accept", headers=Headers())
    wire.client.incoming.stalled = True
    connect(wire)
    answer = bytes(wire.server.outgoing.log).replace(b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x")
    wire.client.incoming.discard()
    wire.client.incoming.arrived += answer
    wire.client.incoming.stalled = False
    wire.finish()
    assert wire.client.report.violation is Violation.BAD_ACCEPT
    assert wire.server.report.initiator is Initiator.NETWORK


@pytest.mark.parametrize("style", ["pull", "push"])
def test_the_end_of_what_a_verb_ended_is_told_at_once(chunks: Chunks, style: str) -> None:
    wire = answering(make_wire(chunks), "reject", 404)
    wire.server.pulls = style == "pull"
    connect(wire)
    assert wire.server.report.at == START
    assert wire.server.report.http_status == 404


def test_a_client_whose_request_is_never_finished_is_told_so(chunks: Chunks) -> None:
    wire = make_wire(chunks, server={"timeouts": Timeouts(opening_timeout=5.0)})
    wire.client.outgoing.bandwidth = 10.0
    connect(wire)
    wire.finish()
    assert wire.server.report.violation is Violation.HANDSHAKE_TIMEOUT
    assert wire.server.report.timer is Timer.OPENING
    assert wire.server.report.at == START + 5
    (rejected,) = wire.client.told(Rejected)
    assert rejected.status == 408


def test_a_client_whose_request_is_never_decided_is_told_so(chunks: Chunks) -> None:
    wire = make_wire(chunks, server={"timeouts": Timeouts(opening_timeout=5.0)})
    wire.server.react = lambda event: None
    connect(wire)
    wire.finish()
    (rejected,) = wire.client.told(Rejected)
    assert rejected.status == 503
    assert wire.server.report.http_status == 503


def test_a_client_that_ended_its_half_is_answered(chunks: Chunks) -> None:
    wire = answering(make_wire(chunks), "reject", 200, {}, b"OK")
    connect_and_end(wire)
    (rejected,) = wire.client.told(Rejected)
    assert rejected.body == b"OK"


def test_a_client_that_ended_its_half_is_even_accepted(chunks: Chunks) -> None:
    wire = make_wire(chunks)
    connect_and_end(wire)
    assert isinstance(wire.client.events[0], Accepted)
    assert wire.client.report.initiator is wire.server.report.initiator is Initiator.NETWORK


def connect_and_end(wire: Wire) -> None:
    wire.client.outgoing.stalled = True
    connect(wire)
    wire.client.outgoing.is_shut = True
    wire.client.outgoing.stalled = False
    wire.finish()
