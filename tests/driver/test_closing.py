"""However a connection ends: one ``Closed`` event on each side, and a report in which every field is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest

from tests.driver.wire import START, Side, Wire, connect, make_wire, open_wire
from wsproto_core import (
    ClientConnection,
    CloseReport,
    ConnectionClosedError,
    Initiator,
    Limits,
    Message,
    Opcode,
    ServerConnection,
    State,
    Timeouts,
    Timer,
    Violation,
)
from wsproto_core.frames import Frame
from wsproto_core.testing import Chunks

LOCAL, PEER, NETWORK = Initiator.LOCAL, Initiator.PEER, Initiator.NETWORK
MASK = b"mask"
RESET = ConnectionResetError("reset by peer")

#: Nobody said anything: the transport ended.
VANISHED = CloseReport(initiator=NETWORK, code=1006, at=START)


def report(initiator: Initiator, code: int, **fields: Any) -> CloseReport:
    return CloseReport(initiator=initiator, code=code, **{"at": START, **fields})


#: In ``bytes_queued``: our own last words.
SOME: Any = ANY


def both(wire: Wire, *, closer: str) -> tuple[Side, Side]:
    """The side that closes and the other one."""
    return wire.sides if closer == "client" else (wire.server, wire.client)


def codes_sent(side: Side) -> list[bytes]:
    """The payloads of the close frames that a side has written: at most one, and nothing behind it."""
    frames = side.frames()
    assert all(frame.opcode != Opcode.CLOSE for frame in frames[:-1])
    return [frame.payload for frame in frames if frame.opcode == Opcode.CLOSE]


closers = pytest.mark.parametrize("closer", ["client", "server"])

# --- the closing handshake ----------------------------------------------------------------------------------------


@closers
@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "moving"), (1005, ""), (3000, "é" * 61), (4999, "x")])
def test_one_side_closes(chunks: Chunks, closer: str, code: int, reason: str) -> None:
    wire = open_wire(chunks)
    here, there = both(wire, closer=closer)
    wire.run(5)
    here.engine.close(code, reason, now=wire.now)
    assert State.CLOSING in wire.states()
    wire.finish()
    assert wire.states() == [State.CLOSED, State.CLOSED]
    at = START + 5
    assert here.report == report(LOCAL, code, at=at, received_code=code, sent_code=code)
    assert there.report == report(PEER, code, reason=reason, at=at, received_code=code, sent_code=code)
    assert here.report.clean
    assert len(codes_sent(here)) == len(codes_sent(there)) == 1
    assert wire.now == at


def test_without_arguments_it_is_a_normal_closure(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.client.engine.close()
    wire.finish()
    assert wire.server.report == report(PEER, 1000, received_code=1000, sent_code=1000)
    assert wire.server.report.ok


@pytest.mark.parametrize("latency", [0.0, 0.5])
def test_both_sides_close_at_once(chunks: Chunks, latency: float) -> None:
    wire = open_wire(chunks)
    for link in wire.links:
        link.latency = latency
    wire.client.engine.close(4001, "client")
    wire.server.engine.close(4002, "server")
    wire.finish()
    at = START + latency
    assert wire.client.report == report(LOCAL, 4002, reason="server", at=at, received_code=4002, sent_code=4001)
    assert wire.server.report == report(LOCAL, 4001, reason="client", at=at, received_code=4001, sent_code=4002)
    assert len(codes_sent(wire.client)) == len(codes_sent(wire.server)) == 1


@closers
def test_the_server_ends_the_transport_first(chunks: Chunks, closer: str) -> None:
    wire = open_wire(chunks)
    for link in wire.links:
        link.latency = 1.0
    both(wire, closer=closer)[0].engine.close()
    while not wire.client.outgoing.is_shut:  # RFC 6455 §7.1.1
        wire.run(0.5)
    assert wire.client.incoming.has_ended
    wire.finish()


def test_closing_again_does_nothing(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    for code in (1000, 1001):
        wire.client.engine.close(code)
    wire.finish()
    wire.client.engine.close(1002)
    assert wire.client.report.sent_code == 1000
    assert wire.client.engine.data_to_send() == []


@closers
def test_what_was_queued_before_arrives_before(chunks: Chunks, closer: str) -> None:
    wire = open_wire(chunks, fragment_size=10)
    here, there = both(wire, closer=closer)
    sent: list[Message] = ["one", b"x" * 100, "three"]
    for message in sent:
        here.engine.send(message)
    here.engine.close()
    wire.finish()
    assert there.messages == sent
    assert there.report.ok


@closers
def test_the_other_side_may_still_talk_until_it_has_seen_the_close_frame(chunks: Chunks, closer: str) -> None:
    wire = open_wire(chunks)
    here, there = both(wire, closer=closer)
    here.engine.close()
    there.engine.send("crossing")
    wire.finish()
    assert here.messages == ["crossing"]
    assert here.report.ok


def test_pings_are_not_answered_behind_a_close_frame(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.server.asleep = True
    wire.client.engine.close()
    wire.settle()
    wire.server.inject(Frame(Opcode.PING, b"?"))
    assert len(wire.client.events) == 1
    assert [frame.opcode for frame in wire.client.frames()] == [Opcode.CLOSE]


# --- the transport ends at every stage ------------------------------------------------------------------------------

Stage = Callable[[Chunks], Wire]


def before_the_request(chunks: Chunks) -> Wire:
    return make_wire(chunks)


def within_the_request(chunks: Chunks) -> Wire:
    wire = make_wire(chunks)
    assert isinstance(wire.client.engine, ClientConnection)
    wire.client.engine.connect()
    wire.client.inject(b"".join(wire.client.engine.data_to_send())[:40])
    return wire


def before_the_answer(chunks: Chunks) -> Wire:
    wire = make_wire(chunks)
    wire.server.react = lambda event: None
    connect(wire)
    return wire


def within_the_answer(chunks: Chunks) -> Wire:
    wire = before_the_answer(chunks)
    wire.server.inject(b"HTTP/1.1 101 Switching Protocols\r\nUpgr")
    return wire


def within_a_message(chunks: Chunks) -> Wire:
    wire = open_wire(chunks)
    wire.client.inject(Frame(Opcode.TEXT, b"never to be ended", final=False, mask=MASK), b"\x80")
    wire.server.inject(Frame(Opcode.TEXT, b"never to be ended", final=False), b"\x80")
    return wire


def with_the_client_closing(chunks: Chunks) -> Wire:
    wire = open_wire(chunks)
    wire.server.asleep = True
    wire.client.engine.close(4000)
    wire.settle()
    return wire


def with_the_server_owing_a_close_frame(chunks: Chunks) -> Wire:
    wire = open_wire(chunks)
    wire.server.pulls = True
    wire.client.engine.send("question")
    wire.settle()
    assert wire.server.engine.next_message() == "question"
    wire.client.engine.close(4000)
    wire.settle()
    return wire


CLOSED_BY_CLIENT = report(PEER, 4000, received_code=4000, sent_code=4000)
GAVE_UP = report(LOCAL, 1006, sent_code=4000)


@pytest.mark.parametrize(
    ("stage", "client", "server"),
    [
        (before_the_request, VANISHED, VANISHED),
        (within_the_request, VANISHED, VANISHED),
        (before_the_answer, VANISHED, VANISHED),
        (within_the_answer, VANISHED, VANISHED),
        (open_wire, VANISHED, VANISHED),
        (within_a_message, VANISHED, VANISHED),
        (with_the_client_closing, GAVE_UP, VANISHED),
        (with_the_server_owing_a_close_frame, GAVE_UP, CLOSED_BY_CLIENT),
    ],
)
@pytest.mark.parametrize("error", [None, RESET])
def test_the_transport_is_lost(
    chunks: Chunks, error: Exception | None, stage: Stage, client: CloseReport, server: CloseReport
) -> None:
    wire = stage(chunks)
    wire.cut(error)
    assert wire.client.report == replace(client, error=error)
    was_settled_before = server is CLOSED_BY_CLIENT
    assert wire.server.report == (server if was_settled_before else replace(server, error=error))
    for side in wire.sides:
        assert side.engine.state is State.CLOSED
        assert side.engine.should_abort
        assert not side.engine.wants_read
        with pytest.raises(ConnectionClosedError):
            side.engine.send("too late")


def test_a_lost_transport_changes_no_report_that_was_told(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.client.engine.close()
    wire.finish()
    told = wire.client.report
    assert wire.client.engine.transport_lost(RESET, wire.now) == []
    assert wire.client.engine.close_report is told


def offence(violation: Violation, detail: str, **fields: Any) -> CloseReport:
    words = f"{violation}: {detail}" if detail else str(violation)
    return report(LOCAL, violation.close_code, reason=words, violation=violation, detail=detail, **fields)


BAD_REQUEST = offence(Violation.BAD_REQUEST, "the request ends within its head", http_status=400, bytes_queued=SOME)
BAD_RESPONSE = offence(Violation.BAD_RESPONSE, "the response ends within its head")


@pytest.mark.parametrize(
    ("stage", "server"),
    [
        (before_the_request, VANISHED),
        (within_the_request, BAD_REQUEST),
        (open_wire, VANISHED),
        (within_a_message, VANISHED),
        (with_the_server_owing_a_close_frame, CLOSED_BY_CLIENT),
    ],
)
def test_the_client_ends_its_half(chunks: Chunks, stage: Stage, server: CloseReport) -> None:
    wire = stage(chunks)
    wire.client.end()
    assert not wire.server.engine.wants_read
    wire.server.receive()
    wire.finish()
    assert wire.server.report == server


@pytest.mark.parametrize(
    ("stage", "client"),
    [
        (before_the_request, VANISHED),
        (before_the_answer, VANISHED),
        (within_the_answer, BAD_RESPONSE),
        (open_wire, VANISHED),
        (within_a_message, VANISHED),
        (with_the_client_closing, GAVE_UP),
    ],
)
def test_the_server_ends_its_half(chunks: Chunks, stage: Stage, client: CloseReport) -> None:
    wire = stage(chunks)
    wire.server.end()
    assert wire.client.report == client
    wire.server.asleep = False
    wire.finish()
    assert not wire.server.report.ok or wire.server.report.initiator is PEER


def test_a_half_closed_peer_is_still_answered_and_told_what_was_queued(chunks: Chunks) -> None:
    wire = with_the_server_owing_a_close_frame(chunks)
    wire.client.end()
    wire.server.engine.send("answer")
    wire.server.receive()
    assert wire.client.messages == ["answer"]
    assert codes_sent(wire.server) == [(4000).to_bytes(2, "big")]
    wire.finish()


def test_what_was_queued_leaves_after_the_peer_has_ended_its_half(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.client.outgoing.is_shut = True
    wire.server.engine.send("to one who only listens")
    wire.settle()
    assert wire.client.messages == ["to one who only listens"]
    assert wire.server.report == replace(VANISHED, bytes_queued=25)


def test_the_report_says_how_much_had_not_left(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.client.engine.send(b"x" * 100)
    wire.client.lose(RESET)
    assert wire.client.report == replace(VANISHED, error=RESET, bytes_queued=106)


def test_a_peer_that_ends_its_half_and_does_not_read_is_dropped_in_time(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.server.outgoing.capacity = 10
    wire.server.outgoing.stalled = True
    for _ in range(3):
        wire.server.engine.send("x" * 50)
    wire.client.end()
    wire.run(9.9)
    assert wire.lost() == [False, False]
    wire.run(0.1)
    assert wire.lost() == [False, True]
    assert wire.server.report.timer is None


# --- offences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "violation", "detail"),
    [
        (Frame(0x3, b""), Violation.RESERVED_OPCODE, "opcode 0x3"),
        (Frame(Opcode.TEXT, b"\xff"), Violation.INVALID_UTF8, "invalid start byte"),
        (Frame(Opcode.CLOSE, b"\x03"), Violation.CLOSE_PAYLOAD_TOO_SHORT, ""),
        (Frame(Opcode.CLOSE, (1006).to_bytes(2, "big")), Violation.CLOSE_CODE_INVALID, "code 1006"),
    ],
)
@closers
def test_an_offence_is_answered_with_its_code_and_told_on_both_sides(
    chunks: Chunks, closer: str, frame: Frame, violation: Violation, detail: str
) -> None:
    wire = open_wire(chunks)
    offender, judge = both(wire, closer=closer)
    offender.inject(replace(frame, mask=MASK if closer == "client" else None))
    wire.finish()
    code = violation.close_code
    assert judge.report == offence(violation, detail, sent_code=code)
    assert offender.report == report(PEER, code, reason=judge.report.reason, received_code=code, sent_code=code)
    assert not judge.report.ok


def test_after_an_offence_nothing_more_is_received(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.client.inject(Frame(0x3, mask=MASK), Frame(Opcode.TEXT, b"late", mask=MASK), Frame(Opcode.PING, mask=MASK))
    assert wire.server.messages == []
    assert [frame.opcode for frame in wire.server.frames()] == [Opcode.CLOSE]


def test_an_offence_instead_of_the_answering_close_frame(chunks: Chunks) -> None:
    wire = with_the_client_closing(chunks)
    wire.server.inject(Frame(0x3))
    assert wire.client.report == offence(Violation.RESERVED_OPCODE, "opcode 0x3", sent_code=4000)
    assert codes_sent(wire.client) == [(4000).to_bytes(2, "big")]
    wire.server.asleep = False
    wire.finish()


def test_a_flood_of_control_frames(chunks: Chunks) -> None:
    wire = open_wire(chunks, limits=Limits(control_frame_rate=3))
    wire.client.inject(*[Frame(Opcode.PING, mask=MASK)] * 4)
    assert wire.server.report == offence(Violation.CONTROL_FLOOD, "", sent_code=1008, bytes_queued=SOME)


# --- timers ---------------------------------------------------------------------------------------------------------


@closers
def test_a_peer_that_never_answers_the_close_frame(chunks: Chunks, closer: str) -> None:
    wire = open_wire(chunks, timeouts=Timeouts(closing_timeout=7.0))
    here, there = both(wire, closer=closer)
    there.asleep = True
    here.engine.close(4000)
    wire.run(6.9)
    assert here.engine.close_report is None
    wire.run(0.1)
    assert here.report == report(LOCAL, 1006, at=START + 7, timer=Timer.CLOSING, sent_code=4000)
    assert here.lost
    there.asleep = False
    wire.finish()


def test_a_peer_that_never_ends_the_transport(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.server.asleep = True
    wire.client.engine.close()
    wire.server.inject(Frame(Opcode.CLOSE, b"\x03\xe8"))
    told = wire.client.report
    assert told.ok
    wire.run(9.9)
    assert wire.lost() == [False, False]
    wire.run(0.1)
    assert wire.lost() == [True, False]
    assert wire.client.engine.close_report is told


def test_without_a_closing_timeout_it_waits_for_ever(chunks: Chunks) -> None:
    wire = open_wire(chunks, timeouts=Timeouts(closing_timeout=None))
    wire.server.asleep = True
    wire.client.engine.close()
    wire.run(1e6)
    assert wire.client.engine.next_deadline() is None
    assert not wire.client.lost
    wire.server.asleep = False
    wire.finish()
    assert wire.client.report.ok


@closers
def test_an_idle_connection_is_closed(chunks: Chunks, closer: str) -> None:
    timeouts = {closer: {"timeouts": Timeouts(idle_timeout=60.0)}}
    wire = open_wire(chunks, **timeouts)
    here, there = both(wire, closer=closer)
    wire.finish()
    at = START + 60
    # Half a minute of silence: one ping, answered at once. The other side had asked at the same time.
    assert here.report == report(
        LOCAL, 1001, at=at, timer=Timer.IDLE, received_code=1001, sent_code=1001, pong_age=here.report.pong_age
    )
    assert there.report.reason == "idle"
    assert there.report.initiator is PEER


def test_the_age_of_the_last_pong(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.client.engine.ping(now=wire.now)
    wire.run(3)
    wire.client.engine.close(now=wire.now)
    wire.finish()
    assert (wire.client.report.pong_age, wire.server.report.pong_age) == (3.0, None)


@pytest.mark.usefixtures("small_batches")
def test_a_long_transfer_may_end_before_the_closing_time_begins(chunks: Chunks) -> None:
    wire = open_wire(chunks, fragment_size=100)
    link = wire.client.outgoing
    link.bandwidth, link.capacity = 100.0, 300
    wire.client.engine.send(bytes(10_000))
    wire.client.engine.close()
    wire.run(90)
    assert wire.states() == [State.CLOSING, State.OPEN]
    wire.finish()
    assert wire.server.messages == [bytes(10_000)]
    assert wire.client.report.ok


# --- before the connection is open ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [before_the_request, before_the_answer, within_the_answer])
def test_a_handshake_is_abandoned(chunks: Chunks, stage: Stage) -> None:
    wire = stage(chunks)
    wire.client.engine.close(now=wire.now)
    assert wire.client.engine.next_deadline() == wire.now
    wire.settle()
    assert wire.client.report == report(LOCAL, 1006)
    assert wire.client.lost


def test_a_server_abandons_a_request(chunks: Chunks) -> None:
    wire = before_the_answer(chunks)
    wire.server.engine.close(4000, "nobody reads this", now=START)
    wire.finish()
    assert wire.server.report == report(LOCAL, 1006)
    assert wire.client.report == VANISHED


@pytest.mark.parametrize("option", ["client", "server"])
def test_a_handshake_that_takes_too_long(chunks: Chunks, option: str) -> None:
    wire = before_the_answer(chunks)
    side = {"client": wire.client, "server": wire.server}[option]
    {"client": wire.server, "server": wire.client}[option].asleep = True
    wire.run(10)
    status = {"client": None, "server": 503}[option]
    assert side.report == report(LOCAL, 1006, at=START + 10, timer=Timer.OPENING, http_status=status, bytes_queued=SOME)


def test_both_classes_are_engines_of_the_same_face() -> None:
    wire = open_wire()
    assert isinstance(wire.client.engine, ClientConnection)
    assert isinstance(wire.server.engine, ServerConnection)
