"""Work as data: large messages are compressed and inflated by whoever has a thread to spare."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.driver.wire import START
from wsproto_core import (
    Closed,
    Compress,
    Fragment,
    FramesConnection,
    Limits,
    LocalProtocolError,
    Message,
    PerMessageDeflate,
    Ping,
    Pipeline,
    PipelineSession,
    Receive,
    Role,
    State,
    Violation,
    Work,
)
from wsproto_core.frames import Frame, Opcode, parse_frames

#: Of what cannot be compressed much, and of what can.
NOISE: Final = Random(1).randbytes(200_000)
TEXT: Final = " ".join(str(Random(2).random()) for _ in range(100)) * 100
DEFLATE: Final = PerMessageDeflate()
LIMITS: Final = Limits(message_size=1 << 22, inbox_size=1 << 20)


def engine(role: Role, *, limits: Limits = LIMITS, extension: PerMessageDeflate = DEFLATE, **options: Any) -> Any:
    return FramesConnection(role, extensions=[extension], limits=limits, now=START, **options)


def ends(**options: Any) -> tuple[Any, Any]:
    """A client that does everything itself, and a server whose work is done elsewhere."""
    client, server = engine(Role.CLIENT), engine(Role.SERVER, **options)
    server.offload(1000)
    return client, server


def sent(connection: Any) -> bytes:
    return b"".join(buffer for batch in iter(connection.data_to_send, []) for buffer in batch)


def wire(*messages: Message, closes: bool = False, **options: Any) -> bytes:
    """What a client sends."""
    client = engine(Role.CLIENT, limits=Limits(outbox_size=1 << 30), **options)
    for message in messages:
        client.send(message)
    if closes:
        client.close(4000, "bye")
    return sent(client)


def do(connection: Any, now: float = START) -> list[Any]:
    """Do all the work there is, and what it leads to."""
    events: list[Any] = []
    while (work := connection.next_work()) is not None:
        work()
        events += connection.work_done(work, now)
    return events


def delivered(connection: Any, data: bytes) -> list[Any]:
    """All that comes of ``data``, work and further batches included."""
    events: list[Any] = connection.receive_data(data, START) + do(connection)
    while connection.next_deadline() == START:
        events += connection.handle_timeout(START) + do(connection)
    return events


def transferred(connection: Any) -> bytes:
    """All that ``connection`` sends, with the work for it done."""
    data = sent(connection)
    while work := connection.next_work():
        work()
        connection.work_done(work, START)
        data += sent(connection)
    return data


# --- sending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [NOISE, TEXT], ids=["bytes", "text"])
def test_a_large_message_is_compressed_elsewhere(message: Message) -> None:
    client, server = ends()
    server.send(message)
    size = server.bytes_queued
    assert server.data_to_send() == []
    assert not server.is_flowing
    work = server.next_work()
    assert isinstance(work, Work)
    assert server.next_work() is None
    assert server.data_to_send() == []  # it is out
    assert server.bytes_queued == size
    work()
    assert server.work_done(work, START) == []
    assert delivered(client, sent(server) + transferred(server)) == [message]
    assert server.bytes_queued == 0
    assert server.is_flowing
    assert server.statistics.messages_sent == 1


def test_what_is_sent_meanwhile_waits_but_for_control_frames() -> None:
    client, server = ends()
    server.send(NOISE)
    server.send("behind")
    server.data_to_send()
    work = server.next_work()
    server.send("urgent", urgent=True)
    server.ping(b"1")
    server.close(1000)
    assert [frame.opcode for frame in parse_frames(sent(server))] == [Opcode.PING]
    assert not server.half_close
    work()
    server.work_done(work, START)
    events = delivered(client, transferred(server))
    assert [event for event in events if isinstance(event, str | bytes)] == [NOISE, "urgent", "behind"]
    assert isinstance(events[-1], Closed)


def test_room_is_counted_as_ever() -> None:
    client, server = ends(limits=Limits(outbox_size=10_000, message_size=None))
    assert server.can_send
    server.send(TEXT)
    server.data_to_send()
    work = server.next_work()
    assert not server.can_send
    work()
    server.work_done(work, START)
    data = sent(server) + transferred(server)
    assert server.can_send
    assert delivered(client, data) == [TEXT]


def test_a_piece_of_a_large_message_is_as_large_as_pays() -> None:
    client, server = ends(fragment_size=300)
    server.send(NOISE)
    left: list[int] = []
    data = sent(server)
    while work := server.next_work():
        left.append(server.bytes_queued)
        work()
        server.work_done(work, START)
        data += sent(server)
    works, size = len(left), len(NOISE)
    assert works == size // 1200  # four fragments are 1000 bytes or more, and the rest is less
    assert delivered(client, data) == [NOISE]


def test_what_is_not_compressed_or_small_is_no_work() -> None:
    client, server = ends()
    server.send(NOISE, compress=False)
    server.send("x" * 999)
    data = sent(server)
    assert server.next_work() is None
    assert delivered(client, data) == [NOISE, "x" * 999]


def test_parts_of_a_message_are_work_each() -> None:
    client, server = ends()
    parts = [TEXT[:500], TEXT[500:50_000], "", TEXT[50_000:]]
    for part in parts:
        server.send_fragment(part, final=False)
    server.send_fragment("", final=True)
    assert delivered(client, transferred(server)) == [TEXT]


def test_who_has_no_extension_has_no_work() -> None:
    server = FramesConnection(Role.SERVER, now=START)
    server.offload(1000)
    server.send(NOISE)
    assert sent(server)
    assert server.next_work() is None


def test_what_an_extension_raises_is_raised_when_the_work_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _, server = ends()
    server.send(NOISE)
    server.data_to_send()
    work = server.next_work()
    with monkeypatch.context() as patch:
        patch.setattr("wsproto_core._driver.flow.encoded", _broken)
        work()
    with pytest.raises(MemoryError):
        server.work_done(work, START)


def _broken(*_: object) -> bytes:
    raise MemoryError


# --- receiving --------------------------------------------------------------------------------------------------------


def test_a_large_message_is_inflated_elsewhere() -> None:
    _, server = ends()
    assert server.receive_data(wire(NOISE, "behind"), START) == []
    assert not server.wants_read
    assert not server.is_flowing
    assert server.next_deadline() != START
    assert server.handle_timeout(START) == []
    work = server.next_work()
    assert server.next_work() is None
    work()
    assert server.work_done(work, START) == [NOISE, "behind"]
    assert server.wants_read
    assert server.is_flowing
    assert server.statistics.messages_received == 2


@pytest.mark.parametrize("count", [1, 7, 40])
def test_it_comes_in_pieces_and_whoever_does_the_work_makes_no_difference(count: int) -> None:
    data = wire(TEXT, NOISE, "x" * 900, TEXT, closes=True)
    pieces = [data[start : start + len(data) // count] for start in range(0, len(data), len(data) // count)]
    _, server = ends()
    alone = engine(Role.SERVER)
    events = [event for piece in pieces for event in delivered(server, piece)]
    expected = [event for piece in pieces for event in delivered(alone, piece)]
    assert events[:-1] == expected[:-1] == [TEXT, NOISE, "x" * 900, TEXT]
    assert events[-1].report.code == expected[-1].report.code == 4000


def test_bytes_that_come_meanwhile_wait_and_so_does_the_end() -> None:
    data = wire(NOISE, TEXT, closes=True)
    _, server = ends()
    assert server.receive_data(data[:100_000], START) == []
    work = server.next_work()
    assert server.receive_data(data[100_000:], START) == []
    assert server.receive_eof(START) == []
    work()
    events = server.work_done(work, START) + do(server)
    assert events[:2] == [NOISE, TEXT]
    assert events[2].report.clean


def test_who_sends_small_messages_gets_them_at_once() -> None:
    _, server = ends()
    messages = [TEXT[start : start + 800] for start in range(0, 80_000, 800)]
    assert server.receive_data(wire(*messages), START) == messages
    assert server.next_work() is None


def test_pings_among_the_fragments_of_a_large_message_are_answered_behind_it() -> None:
    client = engine(Role.CLIENT, fragment_size=5000)
    client.send(NOISE)
    frames = list(parse_frames(sent(client)))
    pings = [Frame(Opcode.PING, b"%d" % number) for number in range(len(frames) - 1)]
    mixed = [frame for pair in zip(frames, pings, strict=False) for frame in pair]
    data = b"".join(map(bytes, [*mixed, frames[-1]]))
    _, server = ends()
    events = delivered(server, data)
    assert [event.payload for event in events[:-1]] == [frame.payload for frame in pings]
    assert events[-1] == NOISE
    assert [frame.payload for frame in parse_frames(sent(server))] == [frame.payload for frame in pings]


@pytest.mark.parametrize("rate", [10, None])
def test_pings_within_work_are_counted(rate: int | None) -> None:
    client = engine(Role.CLIENT, fragment_size=5000)
    client.send(NOISE)
    frames = list(parse_frames(sent(client)))
    ping = bytes(Frame(Opcode.PING, b""))
    _, server = ends(limits=Limits(message_size=None, control_frame_rate=rate))
    events = delivered(server, b"".join(bytes(frame) + ping for frame in frames))
    if rate is None:
        assert isinstance(events[-2], bytes)
        return
    assert len(events) == rate + 1
    assert events[-1].report.violation is Violation.CONTROL_FLOOD


def test_an_offence_within_work_ends_the_connection() -> None:
    _, server = ends()
    data = bytearray(wire(NOISE, fragment_size=1 << 20))
    data[150_000:] = bytes(Random(3).randbytes(len(data) - 150_000))
    events = delivered(server, bytes(data))
    assert events[-1].report.violation is Violation.CORRUPT_COMPRESSION
    assert events[-1].report.code == 1007
    assert server.next_work() is None


def test_a_message_that_inflates_too_far_is_refused_before_it_is_there() -> None:
    _, server = ends(limits=Limits(message_size=500_000))
    bomb = NOISE + bytes(1 << 24)
    events = delivered(server, wire(bomb, fragment_size=1 << 26))
    assert events[-1].report.violation is Violation.INFLATED_TOO_BIG


def test_who_receives_chunks_gets_about_a_batch_of_them() -> None:
    _, server = ends(receive=Receive.CHUNKS, limits=Limits(message_size=None, inbox_size=10_000))
    batches = [server.receive_data(wire(NOISE), START)]
    while (work := server.next_work()) is not None or server.next_deadline() == START:
        if work is None:
            batches.append(server.handle_timeout(START))
        else:
            work()
            batches.append(server.work_done(work, START))
    sizes = [sum(len(event.data) for event in batch if isinstance(event, Fragment)) for batch in batches]
    assert sum(sizes) == len(NOISE)
    assert max(sizes) < 20_000


def test_a_pipeline_opens_what_was_inflated_elsewhere() -> None:
    def session(role: Role) -> PipelineSession:
        return Pipeline(Compress()).session(Random(0).randbytes, role=role, limits=LIMITS, ordered=True)

    messages: list[Message] = [NOISE, "small", TEXT]
    client, server = (
        engine(Role.CLIENT, pipeline=session(Role.CLIENT)),
        engine(Role.SERVER, pipeline=session(Role.SERVER)),
    )
    server.offload(1000)
    client.offload(1000)
    for message in messages:
        client.send(message)
    assert delivered(server, transferred(client)) == messages


def test_an_inbox_that_is_full_gets_no_more_work() -> None:
    _, server = ends(limits=Limits(message_size=None, inbox_size=100_000))
    server.gather([])
    server.gather(server.receive_data(wire(NOISE, NOISE), START))
    assert server.gather(do(server)) == []
    assert not server.wants_read
    assert server.next_deadline() != START
    assert server.next_message() == NOISE
    assert server.next_deadline() == START
    server.gather(server.handle_timeout(START) + do(server))
    assert server.next_message() == NOISE


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["abort", "transport_lost"])
def test_what_comes_back_behind_the_end_is_dropped(end: str) -> None:
    _, server = ends()
    server.receive_data(wire(NOISE, "behind"), START)
    server.send(NOISE)
    server.data_to_send()
    works = [server.next_work(), server.next_work()]
    events = server.transport_lost(None, START) if end == "transport_lost" else (server.abort(), [])[1]
    events += server.transport_lost(None, START)
    assert server.state is State.CLOSED
    for work in works:
        work()
        events += server.work_done(work, START)
    assert [type(event) for event in events] == [Closed]
    assert server.data_to_send() == []
    assert server.bytes_queued == 0
    assert server.next_work() is None


def test_a_goodbye_of_the_peer_waits_for_the_large_message_that_is_sent() -> None:
    client, server = ends()
    server.send(NOISE)
    server.data_to_send()
    work = server.next_work()
    (closed,) = server.receive_data(wire(closes=True), START)
    assert isinstance(closed, Closed)
    assert sent(server) == b""
    work()
    server.work_done(work, START)
    assert delivered(client, transferred(server))[0] == NOISE
    assert server.half_close


# --- misuse -----------------------------------------------------------------------------------------------------------


def test_work_that_was_not_done_is_not_taken() -> None:
    client, server = ends()
    server.send(NOISE)
    server.data_to_send()
    work = server.next_work()
    with pytest.raises(ValueError, match="work: it was not done"):
        server.work_done(work, START)
    work()
    server.work_done(work, START)
    assert server.work_done(work, START) == []  # twice is once
    assert delivered(client, sent(server) + transferred(server)) == [NOISE]


def test_a_size_is_positive() -> None:
    server = engine(Role.SERVER)
    with pytest.raises(ValueError, match="min_size"):
        server.offload(0)
    server.offload()
    server.send(bytes(32 * 1024 - 1))
    assert server.data_to_send()
    server.send(bytes(32 * 1024))
    assert server.data_to_send() == []
    assert server.next_work() is not None


def test_a_message_in_parts_is_not_interrupted() -> None:
    _, server = ends()
    server.send_fragment(NOISE, final=False)
    server.data_to_send()
    with pytest.raises(LocalProtocolError):
        server.send(NOISE)


# --- whoever does it, and whenever ------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.sampled_from([0, 10, 900, 5000, 60_000]), max_size=6),
    chunks=st.lists(st.integers(100, 20_000), min_size=1, max_size=5),
    patience=st.lists(st.booleans(), max_size=20),
)
def test_what_arrives_is_what_was_sent(sizes: Sequence[int], chunks: Sequence[int], patience: Sequence[bool]) -> None:
    client, server = ends()
    client.offload(700)
    messages: list[Message] = [TEXT[:size] if index % 2 else NOISE[:size] for index, size in enumerate(sizes)]
    for message in messages:
        client.send(message)
    client.close(1000)
    waits, steps = iter(patience), cycle(chunks)
    line, out, events = b"", [], []
    for _ in range(10_000):
        line += sent(client)
        if server.wants_read and line:
            step = next(steps)
            events += server.receive_data(line[:step], START)
            line = line[step:]
        elif server.next_deadline() == START:
            events += server.handle_timeout(START)
        works = [(connection, connection.next_work()) for connection in (client, server)]
        out += [(connection, work) for connection, work in works if work is not None]
        if out and not next(waits, False):
            connection, work = out.pop()
            work()
            events += connection.work_done(work, START)
        if events and isinstance(events[-1], Closed):
            break
    assert events[:-1] == messages
    assert not any(isinstance(event, Ping) for event in events)
