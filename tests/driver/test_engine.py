"""How the parts of an engine react to one another, where order decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.driver.wire import START, make_client, make_server, shake_hands
from wsproto_core import (
    Closed,
    Event,
    Fragment,
    Limits,
    Opcode,
    Ping,
    Receive,
    ServerConnection,
    State,
    Timeouts,
    Timer,
)
from wsproto_core.frames import Frame, parse_frames

MASK = b"mask"


def frame(opcode: int, payload: bytes = b"", **options: Any) -> bytes:
    return bytes(Frame(opcode, payload, mask=MASK, **options))


def open_server(**options: Any) -> ServerConnection:
    server = make_server(**options)
    shake_hands(make_client(), server)
    return server


def test_events_keep_the_order_of_the_wire() -> None:
    server = open_server()
    data = frame(Opcode.TEXT, b"a") + frame(Opcode.PING, b"1") + frame(Opcode.BINARY, b"b") + frame(Opcode.PING, b"2")
    assert server.receive_data(data, START) == ["a", Ping(b"1"), b"b", Ping(b"2")]


@pytest.mark.parametrize(
    ("receive", "events"),
    [
        (Receive.MESSAGES, [Ping(b"!"), "abc"]),
        (Receive.FRAGMENTS, [Fragment("ab", False), Ping(b"!"), Fragment("c", True)]),
        (Receive.CHUNKS, [Fragment("ab", False), Ping(b"!"), Fragment("c", True)]),
    ],
)
def test_a_message_counts_once_however_it_is_received(receive: Receive, events: list[Event]) -> None:
    server = open_server(receive=receive)
    data = frame(Opcode.TEXT, b"ab", final=False) + frame(Opcode.PING, b"!") + frame(Opcode.CONTINUATION, b"c")
    assert server.receive_data(data, START) == events
    assert server.statistics.messages_received == 1


def test_a_flood_after_a_message_leaves_time_to_answer_it() -> None:
    server = open_server(limits=Limits(control_frame_rate=1))
    *events, closed = server.receive_data(frame(Opcode.TEXT, b"a") + frame(Opcode.PING) * 2, START)
    assert events == ["a", Ping()]
    assert isinstance(closed, Closed)
    assert server.statistics.messages_received == 1
    assert server.can_send


def test_control_frames_are_counted_again_each_second() -> None:
    server = open_server(limits=Limits(control_frame_rate=2))
    for second in range(5):
        assert server.receive_data(frame(Opcode.PING) * 2, START + second) == [Ping(), Ping()]
    *_, closed = server.receive_data(frame(Opcode.PING) * 2, START + 4.5)
    assert isinstance(closed, Closed)


def test_a_ping_and_a_pong_that_are_due_together() -> None:
    server = open_server(timeouts=Timeouts(ping_interval=5.0, pong_timeout=5.0))
    server.handle_timeout(START + 5)
    (closed,) = server.handle_timeout(START + 10)
    assert isinstance(closed, Closed)
    assert closed.report.timer is Timer.PONG


def test_a_dead_peer_that_is_idle_too_is_dead() -> None:
    server = open_server(timeouts=Timeouts(ping_interval=5.0, pong_timeout=5.0, idle_timeout=10.0))
    server.handle_timeout(START + 5)
    events = server.handle_timeout(START + 10)
    assert len(events) <= 1
    assert server.state in (State.CLOSING, State.CLOSED)
    events += server.handle_timeout(START + 30)
    assert [type(event) for event in events] == [Closed]


def test_closing_stops_every_timer_but_its_own() -> None:
    server = open_server(timeouts=Timeouts(idle_timeout=1.0, closing_timeout=100.0))
    server.close(now=START)
    assert server.next_deadline() == START + 100
    assert server.handle_timeout(START + 99) == []
    (frame_,) = parse_frames(b"".join(server.data_to_send()))
    assert frame_.opcode == Opcode.CLOSE


def test_the_last_words_to_a_dead_peer() -> None:
    server = open_server()
    server.handle_timeout(START + 30)
    server.data_to_send()
    server.handle_timeout(START + 50)
    (frame_,) = parse_frames(b"".join(server.data_to_send()))
    assert frame_.payload == (1011).to_bytes(2, "big") + b"keepalive ping timeout"
    assert server.should_abort


def test_a_server_may_abandon_a_connection_that_never_began() -> None:
    server = make_server()
    server.close()
    (closed,) = server.handle_timeout(START)
    assert isinstance(closed, Closed)
    assert server.handle_timeout(START + 100) == []
    assert server.receive_data(b"GET / HTTP/1.1\r\n", START + 100) == []
