"""What every adapter's connection object shares: facts of the engine, and attempts that are tried again."""

from __future__ import annotations

from random import Random

import pytest

from tests.driver.wire import START, make_client, make_server, shake_hands
from wsproto_core import (
    ClientConnection,
    ConnectionClosed,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    Limits,
    LocalProtocolError,
    Receive,
    ServerConnection,
    State,
    Violation,
    WebSocketBase,
)
from wsproto_core.frames import Frame

MASK = b"mask"
CLOSE = bytes(Frame(0x8, b"\x03\xe8", mask=MASK))


def open_pair(limits: Limits | None = None) -> tuple[WebSocketBase, WebSocketBase]:
    client, server = make_client(subprotocols=["chat"]), make_server(limits=limits or Limits(), subprotocols=["chat"])
    shake_hands(client, server)
    return WebSocketBase(client), WebSocketBase(server)


def connecting() -> tuple[WebSocketBase, ClientConnection]:
    client = make_client()
    client.connect()
    client.data_to_send()
    return WebSocketBase(client), client


def test_the_facts_are_those_of_the_engine() -> None:
    client, server = open_pair()
    for peer in (client, server):
        assert (peer.state, peer.can_send, peer.subprotocol, peer.extensions) == (State.OPEN, True, "chat", ())
        assert (peer.latency, peer.close_report) == (None, None)
        assert peer.statistics == peer.engine.statistics
        assert peer.response_headers is not None
        assert peer.response_headers["sec-websocket-protocol"] == "chat"
    assert client.request is None
    assert server.request is not None
    assert server.request.path == "/chat"


def test_before_an_answer_there_are_no_response_headers() -> None:
    assert WebSocketBase(make_server()).response_headers is None


def test_whatever_belongs_to_the_connection_has_a_place() -> None:
    client, server = open_pair()
    client.data["name"] = "client"
    assert server.data == {}


# --- opening --------------------------------------------------------------------------------------------------------


def test_the_opening_is_awaited_and_comes_to_be() -> None:
    peer, client = connecting()
    assert peer.opening_outcome() is None
    server = make_server()
    again = ClientConnection("ws://example.com/chat", entropy=Random(0).randbytes, now=START)
    again.connect()
    server.receive_data(b"".join(again.data_to_send()), START)
    server.accept()
    for event in client.receive_data(b"".join(server.data_to_send()), START):
        peer.note(event)
    assert peer.opening_outcome() is True
    client.transport_lost(None, START)
    assert peer.opening_outcome() is True


@pytest.mark.parametrize("head", [b"HTTP/1.1 403 No\r\n", b"HTTP/1.1 302 There\r\nLocation: ws://b.example/\r\n"])
def test_the_opening_is_refused(head: bytes) -> None:
    peer, client = connecting()
    for event in client.receive_data(head + b"Content-Length: 4\r\n\r\nbody", START):
        peer.note(event)
    with pytest.raises(HandshakeRejected) as caught:
        peer.opening_outcome()
    assert (caught.value.status, caught.value.body) == (int(head[9:12]), b"body")
    assert isinstance(caught.value.headers, Headers)


def test_the_opening_breaks_a_rule() -> None:
    peer, client = connecting()
    client.receive_data(b"HTTP/1.1 101 x\r\n\r\n", START)
    with pytest.raises(HandshakeFailed) as caught:
        peer.opening_outcome()
    assert caught.value.violation is Violation.RESPONSE_UPGRADE


def test_the_opening_takes_too_long() -> None:
    peer, client = connecting()
    client.handle_timeout(START + 10)
    with pytest.raises(ConnectionTimeout, match="opening timer"):
        peer.opening_outcome()


def test_the_opening_is_cut_off() -> None:
    peer, client = connecting()
    client.transport_lost(ConnectionResetError("reset"), START)
    with pytest.raises(ConnectionFailed, match="reset") as caught:
        peer.opening_outcome()
    assert not isinstance(caught.value, ConnectionTimeout)


# --- messages -------------------------------------------------------------------------------------------------------


def test_messages_are_taken_until_the_end() -> None:
    _, peer = open_pair()
    engine = peer.engine
    engine.gather(engine.receive_data(bytes(Frame(0x1, b"hello", mask=MASK)), START))
    assert [peer.take_message(), peer.take_message()] == ["hello", None]
    engine.gather(engine.receive_data(CLOSE, START))
    with pytest.raises(ConnectionClosedOK):
        peer.take_message()


def test_sending_is_worth_a_try_with_room_or_when_it_would_tell_the_end() -> None:
    _, peer = open_pair(Limits(outbox_size=1))
    tries = [peer.may_send()]
    peer.engine.send("full")
    tries.append(peer.may_send())
    peer.engine.data_to_send()
    peer.engine.close()
    tries.append(peer.may_send())
    peer.engine.transport_lost(None, START)
    tries.append(peer.may_send())
    assert tries == [True, None, None, True]


def test_a_ping_is_answered_or_never_will_be() -> None:
    _, peer = open_pair()
    payload = peer.engine.ping(now=START)
    assert peer.is_answered(payload) is None
    peer.engine.receive_data(bytes(Frame(0xA, payload, mask=MASK)), START)
    assert peer.is_answered(payload) is True
    payload = peer.engine.ping(now=START)
    peer.engine.transport_lost(None, START)
    with pytest.raises(ConnectionClosed):
        peer.is_answered(payload)


# --- for adapters ---------------------------------------------------------------------------------------------------


def test_an_error_that_only_says_that_this_connection_ended() -> None:
    _, peer = open_pair()
    _, other = open_pair()
    misuse = LocalProtocolError("close() was called")
    assert not peer.is_end(misuse)
    for engine in (peer.engine, other.engine):
        engine.receive_data(CLOSE, START)
    assert peer.close_report is not None
    assert other.close_report is not None
    assert peer.is_end(ConnectionClosed.from_report(peer.close_report))
    assert not peer.is_end(ConnectionClosed.from_report(other.close_report))
    assert peer.is_end(misuse)
    assert not peer.is_end(ValueError())
    assert peer.is_end(ExceptionGroup("tasks", [misuse, ExceptionGroup("more", [misuse])]))
    assert not peer.is_end(ExceptionGroup("tasks", [misuse, ValueError()]))


def test_the_receive_mode_is_checked() -> None:
    peer = WebSocketBase(ServerConnection(receive=Receive.CHUNKS))
    peer.check_mode(Receive.FRAGMENTS, Receive.CHUNKS)
    with pytest.raises(LocalProtocolError, match="CHUNKS"):
        peer.check_mode(Receive.MESSAGES)
