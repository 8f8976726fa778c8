"""Who is too fast waits, in bytes; and what is urgent does not."""

from __future__ import annotations

from random import Random
from sys import getsizeof
from typing import Any

import pytest

from tests.driver.wire import START, Wire, make_client, make_server, open_wire, shake_hands
from wsproto_core import (
    Fragment,
    Limits,
    Opcode,
    OutboxFull,
    PerMessageDeflate,
    Ping,
    PreparedMessage,
    Receive,
    ServerConnection,
    State,
    Timeouts,
)
from wsproto_core.frames import Frame, parse_frames
from wsproto_core.testing import Chunks

MASK = b"mask"
QUIET: dict[str, Any] = {"timeouts": Timeouts(ping_interval=None)}
INBOX = Limits(inbox_size=1000, outbox_size=1000)


def fill(wire: Wire, size: int = 100) -> int:
    """Send messages until the sender may send no more; return how many that were."""
    count = 0
    while wire.client.engine.can_send:
        wire.client.engine.send(bytes([count]) * size)
        count += 1
        wire.settle()
    return count


# --- reading --------------------------------------------------------------------------------------------------------


def test_reading_stops_above_the_mark_and_goes_on_at_half_of_it() -> None:
    server = make_server(limits=INBOX, **QUIET)
    shake_hands(make_client(), server)
    message = bytes(100)
    each = getsizeof(message)
    seen = [server.wants_read]
    for _ in range(1000 // each + 1):
        server.gather(server.receive_data(bytes(Frame(Opcode.BINARY, message, mask=MASK)), START))
        seen.append(server.wants_read)
    assert seen == [True] * (len(seen) - 1) + [False]
    waiting = len(seen) - 1
    while not server.wants_read:
        assert server.next_message() == message
        waiting -= 1
    assert waiting * each <= 500 < (waiting + 1) * each


def test_a_slow_reader_bounds_a_fast_writer(chunks: Chunks) -> None:
    wire = open_wire(chunks, limits=INBOX, **QUIET)
    wire.server.pulls = True
    wire.client.outgoing.capacity = 500
    count = fill(wire)
    # Two queues of 1000 bytes, two buffers of 500, and what was under way between them.
    assert 1000 <= wire.client.engine.bytes_queued < 1300
    assert 15 <= count <= 35
    received: list[Any] = []
    while len(received) < count:
        received += wire.server.receive()
    assert received == [bytes([number]) * 100 for number in range(count)]
    assert wire.client.engine.can_send


def test_who_is_pushed_to_reads_always(chunks: Chunks) -> None:
    wire = open_wire(chunks, limits=INBOX, **QUIET)
    for _ in range(50):
        wire.client.engine.send(bytes(100))
        wire.settle()
    assert wire.server.engine.wants_read
    assert len(wire.server.messages) == 50


@pytest.mark.parametrize("receive", [Receive.FRAGMENTS, Receive.CHUNKS])
def test_parts_of_a_message_are_bounded_as_well(chunks: Chunks, receive: Receive) -> None:
    wire = open_wire(chunks, limits=INBOX, receive=receive, fragment_size=100, **QUIET)
    wire.server.pulls = True
    wire.client.outgoing.capacity = 500
    wire.client.engine.send(bytes(20_000))
    wire.settle()
    assert not wire.server.engine.wants_read
    parts: list[Any] = []
    while not parts or not parts[-1].final:
        parts += wire.server.receive()
    assert all(isinstance(part, Fragment) for part in parts)
    assert b"".join(part.data for part in parts) == bytes(20_000)


def test_pings_are_answered_only_as_fast_as_they_are_read(chunks: Chunks) -> None:
    wire = open_wire(chunks, limits=INBOX, **QUIET)
    wire.server.pulls = True
    while wire.server.engine.wants_read:
        wire.client.engine.send(bytes(100))
        wire.settle()
    wire.client.engine.ping(now=START)
    wire.settle()
    assert wire.server.told(Ping) == []
    wire.server.receive()
    assert len(wire.server.told(Ping)) == 1


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_peer_that_does_not_read_stops_the_writer(chunks: Chunks) -> None:
    wire = open_wire(chunks, limits=INBOX, **QUIET)
    wire.server.asleep = True
    wire.client.outgoing.capacity = 500
    fill(wire)
    with pytest.raises(OutboxFull):
        wire.client.engine.send("more")
    wire.server.asleep = False
    wire.settle()
    assert wire.client.engine.can_send
    assert wire.client.engine.bytes_queued == 0


@pytest.mark.parametrize("rate", [None, 100_000])
def test_a_flood_of_pings_to_which_nobody_reads_the_answers(chunks: Chunks, rate: int | None) -> None:
    wire = open_wire(chunks, limits=Limits(outbox_size=1000, control_frame_rate=rate), **QUIET)
    wire.client.asleep = True
    wire.server.outgoing.capacity = 500
    for number in range(1000):
        wire.client.inject(Frame(Opcode.PING, b"%d" % number, mask=MASK))
    assert wire.server.engine.bytes_queued < 1100
    wire.client.asleep = False
    wire.settle()
    pongs = [frame.payload for frame in wire.server.frames()]
    assert pongs[:3] == [b"0", b"1", b"2"]
    assert pongs[-1] == b"999"
    assert len(pongs) < 700
    assert wire.server.engine.statistics.pongs_sent == len(pongs)


# --- overtaking -----------------------------------------------------------------------------------------------------


def slow(chunks: Chunks, **options: Any) -> Wire:
    wire = open_wire(chunks, fragment_size=100, **QUIET, **options)
    wire.client.outgoing.bandwidth, wire.client.outgoing.capacity = 1000.0, 300
    return wire


@pytest.mark.usefixtures("small_batches")
def test_an_urgent_message_overtakes_those_that_have_not_begun(chunks: Chunks) -> None:
    wire = slow(chunks)
    sent = [bytes([number]) * 2000 for number in range(3)]
    for message in sent:
        wire.client.engine.send(message)
    wire.run(1)
    wire.client.engine.send("fire", urgent=True)
    wire.client.engine.ping(b"!", now=wire.now)
    wire.run(20)
    assert wire.server.events.index(Ping(b"!")) == 0
    assert wire.server.messages == [sent[0], "fire", *sent[1:]]


def texts(seed: int) -> list[str]:
    random = Random(seed)
    return ["".join(random.choice("ab ") for _ in range(random.randint(0, 700))) for _ in range(12)]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("seed", range(10))
def test_compressed_messages_keep_the_order_of_the_wire_whatever_is_urgent(chunks: Chunks, seed: int) -> None:
    wire = slow(chunks, extensions=[PerMessageDeflate()])
    random = Random(seed)
    usual: list[str] = []
    urgent: list[str] = []
    for text in texts(seed):
        is_urgent = random.random() < 0.3
        (urgent if is_urgent else usual).append(text)
        wire.client.engine.send(text, urgent=is_urgent, compress=random.choice([None, True, False]))
        wire.run(random.random() / 10)
    wire.run(60)
    assert sorted(map(str, wire.server.messages)) == sorted(usual + urgent)
    assert [text for text in wire.server.messages if text in usual] == usual
    assert wire.states() == [State.OPEN, State.OPEN]


@pytest.mark.usefixtures("small_batches")
def test_frames_of_two_messages_never_mix(chunks: Chunks) -> None:
    wire = slow(chunks)
    for number in range(20):
        wire.client.engine.send(bytes([number]) * 350, urgent=number % 2 == 0)
        wire.client.engine.ping(now=wire.now)
        wire.run(0.1)
    wire.run(20)
    payloads = [frame.payload for frame in wire.client.frames() if frame.opcode < Opcode.CLOSE]
    assert sorted(map(len, payloads)) == sorted([100, 100, 100, 50] * 20)
    starts = [payload[0] for payload in payloads]
    assert all(len(set(starts[at : at + 4])) == 1 for at in range(0, 80, 4))


@pytest.mark.usefixtures("small_batches")
def test_parts_of_a_message_leave_as_the_application_gives_them(chunks: Chunks) -> None:
    wire = slow(chunks, extensions=[PerMessageDeflate()])
    engine = wire.client.engine
    engine.send(b"before" * 100)
    for part in ("one", "", "three" * 100):
        engine.send_fragment(part, final=False)
        wire.run(0.1)
        engine.ping(now=wire.now)
    engine.send_fragment("", final=True)
    engine.send("after", urgent=True)
    wire.run(10)
    assert wire.server.messages == [b"before" * 100, "onethree" + "three" * 99, "after"]


def test_a_part_leaves_at_once_when_nothing_is_before_it(chunks: Chunks) -> None:
    wire = open_wire(chunks, receive=Receive.FRAGMENTS)
    for part, final in (("a", False), ("b", False), ("c", True)):
        wire.client.engine.send_fragment(part, final=final)
        wire.settle()
    assert wire.server.events == [Fragment("a", False), Fragment("b", False), Fragment("c", True)]


# --- copies ---------------------------------------------------------------------------------------------------------


def open_server(**options: Any) -> ServerConnection:
    server = make_server(**options)
    shake_hands(make_client(), server)
    return server


def test_a_broadcast_is_one_buffer_for_all() -> None:
    message = PreparedMessage("x" * 1000)
    buffers = []
    for _ in range(3):
        server = open_server()
        server.send_prepared(message)
        buffers += server.data_to_send()
    assert all(buffer is message.frame for buffer in buffers)


def test_a_broadcast_passes_a_server_with_nothing_in_its_way() -> None:
    message = PreparedMessage("news")
    server = open_server()
    assert server.pass_frame(message.frame)
    assert (server.statistics.messages_sent, server.data_to_send()) == (1, [])
    server.send("before")
    assert not server.pass_frame(message.frame)
    server.data_to_send()
    server.send_fragment("part", final=False)
    server.data_to_send()
    assert not server.pass_frame(message.frame)
    server.send_fragment("part", final=True)
    server.data_to_send()
    assert server.pass_frame(message.frame)
    server.close()
    assert not server.pass_frame(message.frame)


def test_no_broadcast_passes_who_does_something_to_it() -> None:
    message = PreparedMessage("news")
    server, client = make_server(), make_client()
    assert not server.pass_frame(message.frame)
    shake_hands(client, server)
    assert not client.pass_frame(message.frame)
    deflating = open_wire(extensions=[PerMessageDeflate()]).server.engine
    assert not deflating.pass_frame(message.frame)
    assert {engine.statistics.messages_sent for engine in (server, client, deflating)} == {0}


def test_a_large_message_is_not_copied() -> None:
    server = open_server()
    payload = bytes(100_000)
    server.send(payload)
    header, body = server.data_to_send()
    assert body is payload
    assert len(header) == 10


def test_whatever_one_read_provokes_leaves_in_one_write() -> None:
    server = open_server()
    ping = bytes(Frame(Opcode.PING, b"p", mask=MASK))
    text = bytes(Frame(Opcode.TEXT, b"t", mask=MASK))
    for event in server.receive_data((ping + text) * 10, START):
        if isinstance(event, str):
            server.send(event)
    (buffer,) = server.data_to_send()
    assert len(list(parse_frames(bytes(buffer)))) == 20
    assert server.data_to_send() == []
