"""What arrived before a close frame, or before an offence in the same read, is delivered and can still be answered."""

from __future__ import annotations

import pytest

from tests.driver.wire import START, Wire, make_client, make_server, open_wire, shake_hands
from wsproto_core import (
    Closed,
    ConnectionClosed,
    Event,
    Limits,
    Opcode,
    Ping,
    Pong,
    Request,
    ServerConnection,
    State,
    Timeouts,
    Violation,
)
from wsproto_core.frames import Frame, parse_frames
from wsproto_core.testing import Chunks

MASK = b"mask"
QUESTION = bytes(Frame(Opcode.TEXT, b"question", mask=MASK))
PING = bytes(Frame(Opcode.PING, b"p", mask=MASK))
ENDS = {
    "close frame": (bytes(Frame(Opcode.CLOSE, b"\x0f\xa0bye", mask=MASK)), 4000),
    "reserved opcode": (bytes(Frame(0x3, mask=MASK)), 1002),
    "flood": (PING * 5, 1008),
}
ends = pytest.mark.parametrize("end", ENDS)


def open_server(**options: object) -> ServerConnection:
    server = make_server(limits=Limits(control_frame_rate=4), **options)
    shake_hands(make_client(), server)
    return server


def sent(server: ServerConnection) -> list[tuple[int, bytes]]:
    """The frames that leave, pongs apart."""
    frames = parse_frames(b"".join(server.data_to_send()))
    return [(frame.opcode, frame.payload[:2]) for frame in frames if frame.opcode != Opcode.PONG]


def close_frame(end: str) -> tuple[int, bytes]:
    return Opcode.CLOSE, ENDS[end][1].to_bytes(2, "big")


# --- push style: the close frame leaves after the batch -----------------------------------------------------------


@ends
def test_an_application_that_is_pushed_to_may_answer_the_batch(end: str) -> None:
    server = open_server()
    events = server.receive_data(QUESTION + ENDS[end][0], START)
    assert events[0] == "question"
    assert isinstance(events[-1], Closed)
    assert server.state is State.CLOSING
    assert server.can_send
    server.send("answer")
    assert sent(server) == [(Opcode.TEXT, b"an"), close_frame(end)]
    assert sent(server) == []


@ends
def test_with_nothing_to_answer_it_leaves_at_once(end: str) -> None:
    server = open_server()
    server.receive_data(ENDS[end][0], START)
    assert server.state is State.CLOSED
    assert sent(server) == [close_frame(end)]


@ends
def test_pings_in_the_batch_are_answered_before(end: str) -> None:
    server = open_server()
    events = server.receive_data(PING + ENDS[end][0], START)
    frames = list(parse_frames(b"".join(server.data_to_send())))
    assert [frame.opcode for frame in frames[:-1]] == [Opcode.PONG] * sum(isinstance(e, Ping) for e in events)
    assert frames[0].payload == b"p"
    assert frames[-1].opcode == Opcode.CLOSE


@ends
def test_it_does_not_wait_for_ever_for_an_application_that_does_not_write(end: str) -> None:
    server = open_server()
    server.receive_data(QUESTION + ENDS[end][0], START)
    assert server.next_deadline() == START + 1
    assert server.handle_timeout(START + 0.5) == []
    server.send("just in time")
    assert server.handle_timeout(START + 1) == []
    with pytest.raises(ConnectionClosed):
        server.send("too late")
    assert sent(server) == [(Opcode.TEXT, b"ju"), close_frame(end)]


def test_an_urgent_closing_timeout_leaves_time_for_the_close_frame() -> None:
    server = open_server(timeouts=Timeouts(closing_timeout=0.5))
    server.receive_data(QUESTION + ENDS["close frame"][0], START)
    server.handle_timeout(START + 0.25)
    assert server.state is State.CLOSED
    assert not server.should_abort


def test_without_a_closing_timeout_the_grace_is_the_same() -> None:
    server = open_server(timeouts=Timeouts(closing_timeout=None))
    server.receive_data(QUESTION + ENDS["close frame"][0], START)
    assert server.next_deadline() == START + 1


@ends
def test_closing_is_another_way_to_have_nothing_to_say(end: str) -> None:
    server = open_server()
    server.receive_data(QUESTION + ENDS[end][0], START)
    server.close(4999, "of no account")
    assert server.state is State.CLOSED
    assert sent(server) == [close_frame(end)]
    assert server.close_report is not None
    assert server.close_report.sent_code == ENDS[end][1]


def test_the_grace_timer_of_a_close_frame_that_has_left_is_harmless() -> None:
    server = open_server()
    server.receive_data(QUESTION + ENDS["close frame"][0], START)
    sent(server)
    assert server.handle_timeout(START + 1) == []
    assert server.data_to_send() == []


# --- pull style: it leaves when more is asked for than there is ---------------------------------------------------


def pull(server: ServerConnection, data: bytes, now: float = START) -> list[Event]:
    return server.gather(server.receive_data(data, now))


@ends
def test_an_application_that_pulls_may_answer_until_it_asks_for_more(end: str) -> None:
    server = open_server()
    events = pull(server, QUESTION * 2 + ENDS[end][0])
    assert isinstance(events[-1], Closed)
    for answer in ("first", "second"):
        assert sent(server) == []
        assert server.next_message() == "question"
        server.send(answer)
        assert sent(server) == [(Opcode.TEXT, answer[:2].encode())]
    assert server.next_message() is None
    assert sent(server) == [close_frame(end)]
    assert server.next_message() is None
    assert sent(server) == []


@ends
def test_a_message_that_was_taken_before_may_still_be_answered(end: str) -> None:
    server = open_server()
    pull(server, QUESTION)
    assert server.next_message() == "question"
    pull(server, ENDS[end][0])
    assert sent(server) == []
    server.send("answer")
    assert server.next_message() is None
    assert sent(server) == [(Opcode.TEXT, b"an"), close_frame(end)]


@ends
def test_an_application_that_waits_for_more_has_nothing_to_answer(end: str) -> None:
    server = open_server()
    pull(server, QUESTION)
    assert [server.next_message(), server.next_message()] == ["question", None]
    pull(server, ENDS[end][0])
    assert sent(server) == [close_frame(end)]


@ends
def test_messages_that_wait_in_the_inbox_keep_it_back(end: str) -> None:
    server = open_server()
    pull(server, QUESTION)
    pull(server, ENDS[end][0])
    assert sent(server) == []
    server.handle_timeout(START + 1)
    assert sent(server) == [close_frame(end)]
    assert server.next_message() == "question"


def test_messages_are_there_even_after_the_transport_is_gone() -> None:
    server = open_server()
    pull(server, QUESTION + ENDS["close frame"][0])
    server.transport_lost(None, START)
    assert [server.next_message(), server.next_message()] == ["question", None]
    assert server.data_to_send() == []


# --- over the wire ------------------------------------------------------------------------------------------------


def echo(wire: Wire) -> None:
    def answer(event: Event) -> None:
        if isinstance(event, str):
            wire.server.engine.send(event.upper())

    wire.server.react = answer


def test_every_question_before_the_close_frame_is_answered(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    echo(wire)
    for number in range(20):
        wire.client.engine.send(f"question {number}")
    wire.client.engine.close(4000)
    wire.finish()
    # Byte by byte the batches are small, but whatever came before the close frame was dealt with before it.
    assert wire.client.messages == [f"QUESTION {number}" for number in range(20)]
    assert wire.client.report.code == wire.server.report.code == 4000


def test_every_question_before_an_offence_is_answered(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    echo(wire)
    wire.client.inject(QUESTION, QUESTION, Frame(0x3, mask=MASK))
    wire.finish()
    assert wire.client.messages == ["QUESTION", "QUESTION"]
    assert wire.server.report.violation is Violation.RESERVED_OPCODE
    assert wire.client.report.code == 1002


# --- bytes that came with the request, or with the answer to it ---------------------------------------------------


def request() -> bytes:
    client = make_client()
    client.connect()
    return b"".join(client.data_to_send())


@ends
def test_what_came_with_the_request_can_be_answered(end: str) -> None:
    server = make_server(limits=Limits(control_frame_rate=4))
    (event,) = server.receive_data(request() + QUESTION + ENDS[end][0], START)
    assert isinstance(event, Request)
    server.accept()
    first = b"".join(server.data_to_send())
    assert first.startswith(b"HTTP/1.1 101 ")
    assert b"\x88" not in first.partition(b"\r\n\r\n")[2]
    assert server.next_deadline() == START
    events = server.handle_timeout(START)
    assert events[0] == "question"
    assert isinstance(events[-1], Closed)
    server.send("answer")
    assert sent(server) == [(Opcode.TEXT, b"an"), close_frame(end)]


def test_a_pong_in_the_batch_counts_as_no_message() -> None:
    server = open_server()
    events = server.receive_data(bytes(Frame(Opcode.PONG, mask=MASK)) + ENDS["close frame"][0], START)
    assert isinstance(events[0], Pong)
    assert sent(server) == [close_frame("close frame")]
