"""Is the peer still there? Keepalive, idleness, and what counts as a sign of life."""

from __future__ import annotations

from typing import Any

import pytest

from tests.driver.wire import START, Wire, make_client, make_server, open_wire, shake_hands
from wsproto_core import (
    CloseReport,
    Initiator,
    Limits,
    Opcode,
    Ping,
    Pong,
    Receive,
    State,
    Timeouts,
    Timer,
)
from wsproto_core.frames import Frame, parse_frames
from wsproto_core.testing import Chunks

MASK = b"mask"
#: The client watches, the server does not: one keepalive at a time.
QUIET: dict[str, Any] = {"timeouts": Timeouts(ping_interval=None)}


def watching(chunks: Chunks = None, *, interval: float = 30.0, timeout: float | None = 20.0, **options: Any) -> Wire:
    timeouts = Timeouts(ping_interval=interval, pong_timeout=timeout)
    return open_wire(chunks, client={"timeouts": timeouts}, server=QUIET, **options)


def pings(wire: Wire) -> int:
    return sum(frame.opcode == Opcode.PING for frame in wire.client.frames())


# --- pings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", [0.0, 0.25])
def test_silence_is_broken_by_a_ping_each_interval(chunks: Chunks, latency: float) -> None:
    wire = watching(chunks)
    for link in wire.links:
        link.latency = latency
    wire.run(1000)
    assert wire.client.told(Pong)[0] == Pong(b"\x00\x00\x00\x01", round_trip=2 * latency)
    assert len(wire.server.told(Ping)) == pytest.approx(1000 / (30 + 2 * latency), abs=1)
    assert wire.states() == [State.OPEN, State.OPEN]
    summary = wire.client.engine.latency
    assert summary is not None
    assert summary.mean == pytest.approx(2 * latency)


@pytest.mark.parametrize("offset", [0.1, 0.3, 1 / 3, 123.456])
def test_no_rounding_of_time_makes_it_ping_for_ever(offset: float) -> None:
    wire = watching(interval=0.3, timeout=0.1)
    wire.run(offset)
    for step in range(50):
        wire.server.engine.pong()
        wire.run(0.1 + step / 997)
    assert wire.states() == [State.OPEN, State.OPEN]


@pytest.mark.parametrize("interval", [0.1, 0.3, 1 / 3, 0.7])
def test_what_is_due_is_done_at_the_very_deadline(interval: float) -> None:
    for step in range(100):
        client, server = make_client(timeouts=Timeouts(ping_interval=interval)), make_server()
        shake_hands(client, server)
        now = START + step / 10
        client.receive_data(bytes(Frame(Opcode.PONG)), now)
        while not client.statistics.pings_sent:
            client.handle_timeout(now)
            deadline = client.next_deadline()
            assert deadline is not None
            assert deadline > now
            now = deadline


@pytest.mark.parametrize("byte_count", [1, 2, 7])
def test_any_byte_is_life_even_within_a_frame(byte_count: int) -> None:
    wire = watching()
    frame = bytes(Frame(Opcode.TEXT, b"x" * 100))
    for start in range(0, len(frame), byte_count):
        wire.run(29)
        wire.server.inject(frame[start : start + byte_count])
    assert pings(wire) == 0
    assert wire.client.messages == ["x" * 100]


def test_any_byte_is_an_answer_to_a_ping(chunks: Chunks) -> None:
    wire = watching(chunks)
    wire.server.asleep = True
    wire.run(30)
    wire.server.inject(b"\x81")
    wire.run(49.9)
    assert wire.states() == [State.OPEN, State.OPEN]
    wire.run(0.1)
    assert wire.states() == [State.CLOSED, State.OPEN]


def test_without_an_interval_nobody_asks(chunks: Chunks) -> None:
    wire = open_wire(chunks, **QUIET)
    wire.run(1e6)
    assert pings(wire) == 0
    assert wire.client.engine.next_deadline() is None


def test_without_a_pong_timeout_it_only_asks(chunks: Chunks) -> None:
    wire = watching(chunks, timeout=None)
    wire.server.asleep = True
    wire.run(301)
    assert pings(wire) == 10
    assert wire.client.engine.state is State.OPEN


def test_pings_of_the_application(chunks: Chunks) -> None:
    wire = watching(chunks)
    wire.links[0].latency = 0.5
    wire.run(7)
    payloads = [wire.client.engine.ping(b"mine", now=wire.now), wire.client.engine.ping(now=wire.now)]
    assert wire.client.engine.awaits_pong(b"mine")
    wire.run(1)
    assert wire.server.told(Ping) == [Ping(payload) for payload in payloads]
    assert wire.client.told(Pong) == [Pong(payload, round_trip=0.5) for payload in payloads]
    assert not wire.client.engine.awaits_pong(b"mine")


def test_an_unasked_pong_is_told(chunks: Chunks) -> None:
    wire = open_wire(chunks)
    wire.server.engine.pong(b"unasked")
    wire.settle()
    assert wire.client.events == [Pong(b"unasked", round_trip=None)]


# --- death --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval", "timeout"), [(30.0, 20.0), (10.0, 25.0), (10.0, 10.0), (5.0, 17.0), (0.3, 0.1)])
@pytest.mark.parametrize("last_life", [0.0, 12.0, 29.9, 31.0, 100.0, 111.5])
def test_a_dead_peer_is_found_within_interval_and_timeout(interval: float, timeout: float, last_life: float) -> None:
    wire = watching(interval=interval, timeout=timeout)
    wire.run(last_life)
    wire.server.inject(Frame(Opcode.TEXT, b"my last words"))
    wire.stall()
    wire.run(interval + timeout + 0.001)
    report = wire.client.report
    assert report.timer is Timer.PONG
    assert report.at == pytest.approx(START + last_life + interval + timeout)


def test_the_report_of_a_dead_peer(chunks: Chunks) -> None:
    wire = watching(chunks)
    wire.run(40)
    wire.stall()
    wire.client.engine.send("into the void")
    wire.run(60)
    assert wire.client.report == CloseReport(
        initiator=Initiator.LOCAL, code=1006, at=START + 80, timer=Timer.PONG, sent_code=1011, pong_age=50.0
    )
    assert wire.lost() == [True, False]
    assert not wire.client.report.ok


def test_the_report_tells_what_a_dead_peer_did_not_take(chunks: Chunks) -> None:
    wire = watching(chunks)
    wire.client.outgoing.capacity = 10
    wire.stall()
    for _ in range(3):
        wire.client.engine.send(b"x" * 94)
        wire.settle()
    wire.run(50)
    assert wire.client.report.bytes_queued == 200 + len(bytes(Frame(Opcode.PING, b"1234", mask=MASK)))


def test_a_peer_that_takes_bytes_of_nothing_else_is_not_alive(chunks: Chunks) -> None:
    wire = watching(chunks)
    wire.server.asleep = True
    for _ in range(10):
        wire.client.engine.send("swallowed by a buffer")
        wire.run(5)
    wire.settle()
    assert wire.client.report.timer is Timer.PONG


def test_a_process_that_slept_does_not_blame_its_peer(chunks: Chunks) -> None:
    wire = watching(chunks)
    wire.run(31)
    wire.client.asleep = True
    wire.run(500)
    wire.client.asleep = False
    wire.run(100)
    assert wire.states() == [State.OPEN, State.OPEN]


# --- slow links ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("sender", ["client", "server"])
def test_a_slow_transfer_never_dies_of_a_late_pong(chunks: Chunks, sender: str) -> None:
    wire = open_wire(chunks, fragment_size=100)
    here, there = wire.sides if sender == "client" else (wire.server, wire.client)
    here.outgoing.bandwidth, here.outgoing.capacity = 100.0, 4000
    here.engine.send(bytes(30_000))
    wire.run(400)
    assert there.messages == [bytes(30_000)]
    assert wire.states() == [State.OPEN, State.OPEN]


def test_100_megabytes_at_one_a_second() -> None:
    wire = open_wire(limits=Limits(message_size=None))
    link = wire.server.outgoing
    link.bandwidth, link.capacity = 1e6, 2_500_000
    message = bytes(100_000_000)
    wire.server.engine.send(message)
    wire.run(110)
    assert wire.client.messages == [message]
    assert wire.states() == [State.OPEN, State.OPEN]


@pytest.mark.usefixtures("small_batches")
def test_pongs_overtake_a_slow_transfer(chunks: Chunks) -> None:
    wire = open_wire(chunks, fragment_size=100, **QUIET)
    wire.client.outgoing.bandwidth, wire.client.outgoing.capacity = 100.0, 300
    wire.client.engine.send(bytes(10_000))
    wire.run(5)
    wire.server.engine.ping(b"?", now=wire.now)
    wire.run(20)
    (pong,) = wire.server.told(Pong)
    assert pong.round_trip is not None
    assert pong.round_trip < 10
    assert wire.server.messages == []


def test_transmitted_bytes_are_life_only_while_others_wait() -> None:
    client, server = make_client(), make_server()
    shake_hands(client, server)
    client.transmitted(500, START + 10)
    assert client.next_deadline() == START + 30
    client.handle_timeout(START + 30)
    client.transmitted(10, START + 31)  # the ping is still there
    client.transmitted(0, START + 49)
    client.data_to_send()
    client.transmitted(10, START + 49)
    client.handle_timeout(START + 50)
    assert client.state is State.OPEN
    assert client.next_deadline() == START + 60


# --- while nobody listens -------------------------------------------------------------------------------------------


def deaf(chunks: Chunks = None) -> Wire:
    """A client that pulls, and has more than its inbox holds."""
    wire = watching(chunks, limits=Limits(inbox_size=1000))
    wire.client.pulls = True
    for _ in range(2):
        wire.server.engine.send(bytes(1000))
    return wire


def test_whoever_does_not_read_cannot_blame_silence(chunks: Chunks) -> None:
    wire = deaf(chunks)
    wire.run(500)
    assert not wire.client.engine.wants_read
    assert wire.states() == [State.OPEN, State.OPEN]
    wire.client.receive()
    wire.run(500)
    assert wire.states() == [State.OPEN, State.OPEN]


def test_whoever_does_not_read_shows_life_instead(chunks: Chunks) -> None:
    """Its peer would take it for dead otherwise: pings wait behind what is not read."""
    wire = open_wire(chunks, limits=Limits(inbox_size=1000))
    wire.client.pulls = True
    wire.client.incoming.capacity = 500
    for _ in range(2):
        wire.server.engine.send(bytes(1000))
    wire.run(300)
    assert wire.states() == [State.OPEN, State.OPEN]
    assert wire.server.told(Pong) == [Pong(b"")] * 10
    assert wire.client.engine.statistics.pongs_sent == 10


def test_a_batch_that_is_gathered_late_stops_the_clock_too() -> None:
    client, server = make_client(limits=Limits(inbox_size=1)), make_server()
    shake_hands(client, server)
    events = client.receive_data(bytes(Frame(Opcode.TEXT, b"text")), START + 1)
    client.handle_timeout(START + 31)
    client.gather(events)
    assert client.handle_timeout(START + 51) == []
    assert client.state is State.OPEN


def test_showing_life_costs_nothing_when_nobody_takes_it() -> None:
    client, server = make_client(limits=Limits(inbox_size=1, outbox_size=1)), make_server()
    shake_hands(client, server)
    client.gather(["more than there is room for"])
    for number in range(1, 10):
        client.handle_timeout(START + 30 * number)
    (pong,) = parse_frames(b"".join(client.data_to_send()))
    assert pong.opcode == Opcode.PONG


@pytest.mark.parametrize("paused", [20.0, 49.99, 50.0, 51.0, 69.99, 88.0])
def test_whoever_reads_again_gives_the_peer_time_to_answer(paused: float) -> None:
    wire = deaf()
    for link in wire.links:
        link.latency = 5.0
    wire.run(paused)
    wire.server.asleep = True
    wire.client.receive()
    wire.run(4.0)
    wire.server.asleep = False
    wire.run(100)
    assert wire.states() == [State.OPEN, State.OPEN]


def test_a_peer_that_died_while_nobody_listened_is_found_afterwards() -> None:
    wire = deaf()
    wire.run(100)
    wire.stall()
    wire.client.receive()
    wire.run(50.001)
    assert wire.client.report.timer is Timer.PONG


# --- idleness -------------------------------------------------------------------------------------------------------


def idle(chunks: Chunks = None, *, ping_interval: float | None = None) -> Wire:
    watcher = {"timeouts": Timeouts(idle_timeout=20.0, ping_interval=ping_interval)}
    return open_wire(chunks, client=watcher, server=QUIET, fragment_size=100)


@pytest.mark.parametrize("apart", [5.0, 15.0, 19.9])
@pytest.mark.parametrize("talker", ["client", "server"])
def test_messages_in_either_direction_keep_it_open(chunks: Chunks, talker: str, apart: float) -> None:
    wire = idle(chunks)
    for _ in range(10):
        wire.run(apart)
        (wire.client if talker == "client" else wire.server).engine.send("still here")
        wire.settle()
    assert wire.states() == [State.OPEN, State.OPEN]
    last = wire.now
    wire.finish()
    assert wire.client.report.at == pytest.approx(last + 20)
    assert wire.client.report.timer is Timer.IDLE


def test_messages_keep_it_open_even_if_the_adapter_does_not_tell_what_was_transmitted() -> None:
    client, server = make_client(timeouts=Timeouts(idle_timeout=20.0, ping_interval=None)), make_server()
    shake_hands(client, server)
    client.send("at some time before 1020")
    client.handle_timeout(START + 20)
    assert client.next_deadline() == START + 40
    client.handle_timeout(START + 40)
    assert client.state is State.CLOSING


def test_parts_of_messages_count(chunks: Chunks) -> None:
    wire = idle(chunks)
    for _ in range(5):
        wire.run(19)
        wire.client.engine.send_fragment("part", final=False)
        wire.settle()
    for _ in range(5):
        wire.run(19)
        wire.server.engine.send_fragment("part", final=False)
        wire.settle()
    assert wire.states() == [State.OPEN, State.OPEN]


def test_pings_do_not_count(chunks: Chunks) -> None:
    wire = idle(chunks, ping_interval=3.0)
    wire.run(20)
    wire.settle()
    assert wire.client.report.timer is Timer.IDLE


@pytest.mark.usefixtures("small_batches")
def test_a_slow_message_is_not_idle(chunks: Chunks) -> None:
    wire = idle(chunks)
    for side in wire.sides:
        side.outgoing.bandwidth, side.outgoing.capacity = 100.0, 300
    wire.client.engine.send(bytes(5000))
    wire.run(60)
    wire.server.engine.send(bytes(5000))
    wire.run(60)
    assert (wire.client.messages, wire.server.messages) == ([bytes(5000)], [bytes(5000)])


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_handle_timeout_is_harmless_early_and_repeated() -> None:
    client, server = make_client(), make_server()
    shake_hands(client, server)
    deadline = START + 30
    assert client.next_deadline() == deadline
    for now in (START + 1, START + 1, START + 29.999):
        assert client.handle_timeout(now) == []
        assert client.next_deadline() == deadline
    assert client.data_to_send() == []
    for _ in range(3):
        client.handle_timeout(deadline)
    (ping,) = parse_frames(b"".join(client.data_to_send()))
    assert ping.opcode == Opcode.PING


def test_a_deadline_that_was_overslept_is_dealt_with_at_once() -> None:
    client, server = make_client(timeouts=Timeouts(idle_timeout=40.0)), make_server()
    shake_hands(client, server)
    client.handle_timeout(START + 1e6)
    assert client.state is State.CLOSING
    assert client.next_deadline() == START + 1e6 + 10


@pytest.mark.parametrize("receive", Receive)
def test_statistics_count_whole_messages(chunks: Chunks, receive: Receive) -> None:
    wire = open_wire(chunks, receive=receive, fragment_size=2, **QUIET)
    for message in ("first", b"second", "3"):
        wire.client.engine.send(message)
    wire.server.engine.ping(now=START)
    wire.settle()
    wire.client.engine.pong()
    wire.settle()
    here, there = wire.client.engine.statistics, wire.server.engine.statistics
    assert (here.messages_sent, there.messages_received) == (3, 3)
    assert (there.pings_sent, here.pings_received, here.pongs_sent, there.pongs_received) == (1, 1, 2, 2)
    assert (here.bytes_sent, there.bytes_received) == (len(wire.client.outgoing.log),) * 2
