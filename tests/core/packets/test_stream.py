"""The engine of a message-oriented TCP peer: sending, receiving, both ends of a stream, and its timers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.packets.kit import START, at_once
from wsproto_core._config import Limits, Timeouts
from wsproto_core._errors import ConnectionClosedError, ConnectionClosedOK, LocalProtocolError, OutboxFull
from wsproto_core._events import Closed, CloseReport
from wsproto_core._packets.codec import StreamCodec
from wsproto_core._packets.delimited import Delimited
from wsproto_core._packets.netstring import Netstring
from wsproto_core._packets.prefixed import LengthPrefixed, VarintPrefixed
from wsproto_core._packets.raw import Raw
from wsproto_core._packets.stream import StreamConnection
from wsproto_core._types import Initiator, Receive, State, Timer
from wsproto_core._violations import Violation

LINES = Delimited()
TEXT = Delimited(text=True)


def make(codec: StreamCodec = LINES, **options: Any) -> StreamConnection:
    return StreamConnection(codec, now=START, **options)


def sent(engine: StreamConnection) -> bytes:
    return b"".join(engine.data_to_send())


def report_of(events: list[Any]) -> CloseReport:
    """The report of a batch that holds the end and nothing else."""
    (event,) = events
    assert isinstance(event, Closed)
    return event.report


# --- messages ---------------------------------------------------------------------------------------------------------


def test_messages_go_both_ways() -> None:
    left, right = make(), make()
    left.send("text is UTF-8: €")
    left.send(bytearray(b"bytes"))
    assert left.bytes_queued == 25
    wire = left.data_to_send()
    assert wire == ["text is UTF-8: €\nbytes\n".encode()]  # corked
    assert left.data_to_send() == []
    assert right.receive_data(memoryview(wire[0]), START) == ["text is UTF-8: €".encode(), b"bytes"]
    assert (left.statistics.messages_sent, left.statistics.bytes_sent) == (2, 25)
    assert (right.statistics.messages_received, right.statistics.bytes_received) == (2, 25)


def test_text_is_text_on_both_sides() -> None:
    engine = make(TEXT)
    assert engine.receive_data("a€\n".encode(), START) == ["a€"]
    engine.send("b€")
    engine.send("c€".encode())
    with pytest.raises(LocalProtocolError, match="not UTF-8 at byte 1"):
        engine.send(b"a\xff")
    with pytest.raises(LocalProtocolError, match="lone surrogate"):
        engine.send("\ud800")
    with pytest.raises(TypeError, match="message"):
        engine.send(5)  # type: ignore[arg-type]  # the caller lies on purpose
    assert sent(engine) == "b€\nc€\n".encode()


def test_what_the_codec_cannot_tell_leaves_nothing() -> None:
    engine = make()
    with pytest.raises(LocalProtocolError, match="delimiter"):
        engine.send(b"a\nb")
    assert engine.data_to_send() == []
    assert engine.statistics.messages_sent == 0


def test_the_outbox_has_a_mark() -> None:
    engine = make(limits=Limits(outbox_size=4))
    engine.send(b"abcdefgh")
    assert not at_once(engine.can_send)
    with pytest.raises(OutboxFull, match="9 bytes wait already"):
        engine.send(b"x")
    engine.data_to_send()
    assert engine.can_send


def test_there_are_no_pings() -> None:
    engine = make(VarintPrefixed())
    with pytest.raises(LocalProtocolError, match="VarintPrefixed knows no pings"):
        engine.ping()
    assert not engine.awaits_pong(b"none")
    assert engine.latency is None
    assert engine.receive is Receive.MESSAGES


def test_the_inbox_drives_reading() -> None:
    engine = make(limits=Limits(inbox_size=300))
    assert engine.next_message() is None
    assert engine.gather(engine.receive_data(b"x" * 200 + b"\n" + b"y" * 200 + b"\n", START)) == []
    assert not at_once(engine.wants_read)
    assert engine.next_message() == b"x" * 200
    assert not at_once(engine.wants_read)
    assert engine.next_message() == b"y" * 200
    assert engine.wants_read
    assert engine.next_message() is None


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_peer_ends_between_messages() -> None:
    engine = make()
    report = report_of(engine.receive_eof(START + 1))
    assert engine.close_report is report
    assert (report.initiator, report.code, report.received_code, report.sent_code) == (Initiator.PEER, 1005, 1005, 1005)
    assert report.ok
    assert report.at == START + 1
    assert engine.half_close
    assert engine.state is State.CLOSED
    assert not at_once(engine.wants_read)
    assert engine.receive_eof(START + 2) == []
    assert engine.receive_data(b"late\n", START + 2) == []
    with pytest.raises(ConnectionClosedOK):
        engine.send(b"x")
    assert engine.transport_lost(None, START + 2) == []
    assert engine.should_abort
    assert engine.next_deadline() is None


def test_the_peer_ends_within_a_message() -> None:
    engine = make(Netstring())
    assert engine.receive_data(b"2:ok,5:hel", START) == [b"ok"]
    report = report_of(engine.receive_eof(START))
    assert report.violation is Violation.TRUNCATED_MESSAGE
    assert report.detail == "3 bytes of it had come"
    assert (report.initiator, report.code, report.received_code) == (Initiator.NETWORK, 1006, None)
    assert not report.ok
    assert engine.half_close
    with pytest.raises(ConnectionClosedError):
        engine.send(b"x")


def test_a_closed_side_is_told_of_truncation_as_well() -> None:
    engine = make(Netstring())
    engine.close()
    engine.receive_data(b"5:hel", START)
    report = report_of(engine.receive_eof(START))
    assert (report.initiator, report.violation) == (Initiator.LOCAL, Violation.TRUNCATED_MESSAGE)
    assert not report.ok


def test_closing_first() -> None:
    engine = make()
    engine.send(b"last")
    engine.close(1000, "bye", now=START + 1)
    assert not at_once(engine.half_close)
    assert engine.state is State.CLOSING
    assert engine.next_deadline() == START + 11
    engine.close(1001)  # the second time nothing happens
    with pytest.raises(LocalProtocolError, match="nothing can follow"):
        engine.send(b"x")
    assert sent(engine) == b"last\n"
    assert engine.half_close
    assert engine.wants_read
    assert engine.receive_data(b"answer\n", START + 2) == [b"answer"]
    report = report_of(engine.receive_eof(START + 3))
    assert (report.initiator, report.code, report.reason) == (Initiator.LOCAL, 1000, "bye")
    assert (report.received_code, report.sent_code) == (1005, 1005)
    assert report.ok


def test_a_bad_goodbye_changes_nothing() -> None:
    engine = make()
    with pytest.raises(LocalProtocolError, match="code"):
        engine.close(999)
    with pytest.raises(TypeError, match="code"):
        engine.close("1000")  # type: ignore[arg-type]  # the caller lies on purpose
    with pytest.raises(TypeError, match="reason"):
        engine.close(1000, b"bye")  # type: ignore[arg-type]  # the caller lies on purpose
    assert engine.state is State.OPEN


def test_a_peer_that_never_ends_is_given_up() -> None:
    engine = make()
    engine.close()
    engine.handle_timeout(START + 9.9)
    assert not at_once(engine.should_abort)
    report = report_of(engine.handle_timeout(START + 10))
    assert (report.timer, report.code) == (Timer.CLOSING, 1006)
    assert engine.should_abort
    assert engine.handle_timeout(START + 20) == []


def test_a_transport_that_does_not_end_after_the_report_is_dropped() -> None:
    engine = make(Netstring())
    assert report_of(engine.receive_data(b"x", START)).violation is Violation.NETSTRING_LENGTH
    assert engine.handle_timeout(START + 10) == []
    assert engine.should_abort


@pytest.mark.parametrize("error", [None, OSError("reset")])
def test_the_transport_is_lost(error: OSError | None) -> None:
    engine = make()
    engine.send(b"never sent")
    report = report_of(engine.transport_lost(error, START))
    assert (report.initiator, report.code, report.error) == (Initiator.NETWORK, 1006, error)
    assert report.bytes_queued == 11
    assert engine.data_to_send() == []
    assert engine.should_abort


def test_a_transport_lost_within_a_message_has_truncated_it() -> None:
    engine = make()
    engine.receive_data(b"hal", START)
    assert report_of(engine.transport_lost(None, START)).violation is Violation.TRUNCATED_MESSAGE
    other = make()
    other.receive_data(b"hal", START)
    error = OSError("reset")
    assert report_of(other.transport_lost(error, START)).error is error


def test_without_half_close_the_loss_of_the_transport_answers_a_close() -> None:
    engine = make()
    engine.close()
    assert report_of(engine.transport_lost(None, START)).ok
    unsent = make()
    unsent.send(b"x")
    unsent.close()
    assert not report_of(unsent.transport_lost(None, START)).ok


def test_an_offence_ends_it() -> None:
    engine = make(LengthPrefixed(1), limits=Limits(message_size=5))
    assert engine.receive_data(b"\x02", START) == []
    assert engine.receive_data(b"ok", START) == [b"ok"]
    report = report_of(engine.receive_data(b"\x06", START))
    assert (report.violation, report.code, report.initiator) == (Violation.MESSAGE_TOO_BIG, 1009, Initiator.LOCAL)
    assert report.sent_code == 1005  # no code crosses
    assert engine.half_close
    assert engine.receive_data(b"more", START) == []


# --- what came before the end is answered -----------------------------------------------------------------------------


def test_push_style_answers_leave_before_the_end() -> None:
    engine = make(Netstring())
    events = engine.receive_data(b"1:a,x", START)
    assert events[0] == b"a"
    assert isinstance(events[1], Closed)
    assert engine.state is State.CLOSING
    assert not at_once(engine.half_close)
    engine.send(b"answer")
    assert sent(engine) == b"6:answer,"
    assert engine.half_close


def test_pull_style_answers_leave_before_the_end() -> None:
    engine = make()
    engine.gather(engine.receive_data(b"question\n", START))
    assert len(engine.gather(engine.receive_eof(START))) == 1
    assert sent(engine) == b""
    assert not at_once(engine.half_close)
    assert engine.next_message() == b"question"
    engine.send(b"answer")
    assert engine.next_message() is None
    assert sent(engine) == b"answer\n"
    assert engine.half_close


def test_an_end_while_the_application_is_answering() -> None:
    engine = make()
    engine.gather(engine.receive_data(b"question\n", START))
    assert engine.next_message() == b"question"
    engine.gather(engine.receive_eof(START))
    engine.send(b"answer")
    engine.close()
    assert sent(engine) == b"answer\n"
    assert engine.half_close


@pytest.mark.parametrize(("timeout", "deadline"), [(10.0, START + 5), (None, None)])
def test_an_application_that_does_not_come_back(timeout: float | None, deadline: float | None) -> None:
    engine = make(timeouts=Timeouts(closing_timeout=timeout))
    engine.gather(engine.receive_data(b"question\n", START))
    engine.gather(engine.receive_eof(START))
    assert engine.next_deadline() == deadline
    if deadline is not None:
        assert engine.handle_timeout(deadline) == []
        assert engine.half_close


def test_an_end_with_an_empty_inbox_leaves_at_once() -> None:
    engine = make()
    engine.gather([])
    assert report_of(engine.gather(engine.receive_eof(START))).ok
    assert engine.half_close


def test_a_transport_lost_while_the_end_waits() -> None:
    engine = make()
    engine.gather(engine.receive_data(b"question\n", START))
    engine.gather(engine.receive_eof(START))
    assert engine.transport_lost(None, START) == []
    assert engine.state is State.CLOSED


def test_what_an_application_that_has_closed_does_not_read_is_dropped() -> None:
    engine = make(limits=Limits(inbox_size=100))
    engine.gather(engine.receive_data(b"x" * 200 + b"\n", START))
    engine.close()
    assert engine.wants_read
    engine.gather(engine.receive_data(b"y\n", START))
    assert engine.next_message() == b"x" * 200
    engine.gather(engine.receive_data(b"z\n", START))
    assert engine.next_message() is None


# --- timers -----------------------------------------------------------------------------------------------------------


def test_idle() -> None:
    engine = make(timeouts=Timeouts(idle_timeout=5.0))
    engine.receive_data(b"half a", START + 1)
    engine.handle_timeout(START + 5)
    assert engine.next_deadline() == START + 6
    engine.send(b"x")
    engine.transmitted(0, START + 2)
    engine.handle_timeout(START + 6)
    assert engine.next_deadline() == START + 7
    engine.data_to_send()
    assert engine.handle_timeout(START + 7) == []
    assert engine.state is State.CLOSING
    report = report_of(engine.transport_lost(OSError(), START + 8))
    assert report.timer is Timer.IDLE
    ordinary = make(Raw(), timeouts=Timeouts(idle_timeout=5.0))
    ordinary.handle_timeout(START + 5)
    assert ordinary.half_close
    report = report_of(ordinary.receive_eof(START + 6))
    assert (report.code, report.reason, report.timer, report.ok) == (1001, "idle", Timer.IDLE, True)


def test_bytes_that_leave_slowly_are_activity() -> None:
    engine = make(timeouts=Timeouts(idle_timeout=5.0))
    engine.send(b"slow")
    engine.transmitted(1, START + 4)
    engine.handle_timeout(START + 5)
    assert engine.next_deadline() == START + 9
    engine.close(now=START + 6)
    assert engine.next_deadline() == START + 16
    engine.transmitted(1, START + 8)
    assert engine.next_deadline() == START + 18
    engine.data_to_send()
    engine.transmitted(1, START + 9)
    assert engine.next_deadline() == START + 18


# --- anything at all --------------------------------------------------------------------------------------------------


@given(
    codec=st.sampled_from([LINES, TEXT, Netstring(), LengthPrefixed(1), VarintPrefixed(text=True), Raw(text=True)]),
    pulls=st.booleans(),
    steps=st.lists(
        st.binary(max_size=10)
        | st.sampled_from(["eof", "lost", "broken", "timeout", "close", "send", "flush", "next", "sent"]),
        max_size=12,
    ),
)
def test_whatever_happens_the_end_is_told_once_and_nothing_behind_it(
    codec: StreamCodec, pulls: bool, steps: list[bytes | str]
) -> None:
    engine = make(codec, timeouts=Timeouts(idle_timeout=7.0))
    ends = 0
    now = START
    for step in steps:
        now += 1.5
        events = drive(engine, step, now)
        assert not (ends and events)
        ends += sum(isinstance(event, Closed) for event in events)
        assert not any(isinstance(event, Closed) for event in events[:-1])
        assert (engine.close_report is not None) == (ends == 1)
        if pulls:
            engine.gather(events)


@given(
    codec=st.sampled_from(
        [TEXT, Netstring(text=True), LengthPrefixed(2, "little", text=True), VarintPrefixed(text=True)]
    ),
    talks=st.lists(st.tuples(st.integers(0, 1), st.text("ab€", max_size=50)), max_size=12),
    closer=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_two_engines_over_a_wire(codec: StreamCodec, talks: list[tuple[int, str]], closer: int, seed: int) -> None:
    engines = [make(codec), make(codec)]
    received: list[list[Any]] = [[], []]
    pending = [b"", b""]
    ended = [False, False]
    random = Random(seed)

    def carry() -> None:
        for index, (source, target) in enumerate(zip(engines, reversed(engines), strict=True)):
            pending[index] += sent(source)
            size = random.randint(1, 9)
            if pending[index]:
                received[1 - index] += target.receive_data(pending[index][:size], START)
                pending[index] = pending[index][size:]
            elif source.half_close and not ended[index]:
                ended[index] = True
                received[1 - index] += target.receive_eof(START)

    for index, message in talks:
        engines[index].send(message)
        carry()
    engines[closer].close(1000, "done")
    while not all(ended):
        carry()
    for index in (0, 1):
        *messages, end = received[index]
        assert messages == [message for sender, message in talks if sender != index]
        assert isinstance(end, Closed)
        assert end.report.ok
        assert end.report.initiator is (Initiator.LOCAL if index == closer else Initiator.PEER)


def drive(engine: StreamConnection, step: bytes | str, now: float) -> list[Any]:
    """One input or verb."""
    if isinstance(step, bytes):
        return [*engine.receive_data(step, now)]
    inputs: dict[str, Callable[[], Sequence[Any]]] = {
        "eof": lambda: engine.receive_eof(now),
        "lost": lambda: engine.transport_lost(None, now),
        "broken": lambda: engine.transport_lost(OSError(), now),
        "timeout": lambda: engine.handle_timeout(engine.next_deadline() or now),
    }
    verbs: dict[str, Callable[[], object]] = {
        "close": engine.close,
        "send": lambda: engine.send("hello") if engine.can_send else None,
        "flush": engine.data_to_send,
        "next": engine.next_message,
        "sent": lambda: engine.transmitted(1, now),
    }
    if step in verbs:
        verbs[step]()
        return []
    return [*inputs[step]()]
