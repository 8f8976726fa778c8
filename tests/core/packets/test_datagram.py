"""One UDP peer: messages, the hello, pings, goodbyes, timers, and statistics that report what the network did."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.packets.kit import START, at_once, entropy_of
from tests.core.packets.link import Seen
from wsproto_core._config import Limits, Timeouts
from wsproto_core._driver.statistics import Statistics
from wsproto_core._errors import ConnectionClosedError, ConnectionClosedOK, LocalProtocolError, OutboxFull
from wsproto_core._events import Accepted, Closed, CloseReport, Ping, Pong
from wsproto_core._packets.datagram import DatagramPeer
from wsproto_core._packets.packet import DatagramCodec, Kind, Packet, parse_packet
from wsproto_core._types import Drop, Initiator, Receive, State, Timer
from wsproto_core.testing import Chance, DatagramLink, DatagramWire

PLAIN = DatagramCodec(header=False, verify=False)
EQUALS = DatagramCodec(verify=False)
QUIET = Timeouts(ping_interval=None)
TOKEN = b"sixteen bytes ok"


def make(codec: DatagramCodec = EQUALS, seed: int = 1, **options: Any) -> DatagramPeer:
    return DatagramPeer(codec, entropy=entropy_of(seed), now=START, **options)


def pair(codec: DatagramCodec = EQUALS, **options: Any) -> tuple[DatagramPeer, DatagramPeer]:
    return make(codec, 1, **options), make(codec, 2, **options)


def deliver(source: DatagramPeer, target: DatagramPeer, now: float = START) -> list[Any]:
    return [event for datagram in source.data_to_send(now) for event in target.receive_data(datagram, now)]


def report_of(events: list[Any]) -> CloseReport:
    (event,) = events
    assert isinstance(event, Closed)
    return event.report


def opened() -> DatagramPeer:
    """A client whose hello has been answered with ``TOKEN``."""
    client = make(DatagramCodec())
    client.receive_data(Packet(Kind.COOKIE, 0, 0, TOKEN).encode(), START)
    assert client.receive_data(Packet(Kind.WELCOME, 50, 0, TOKEN).encode(), START)
    client.data_to_send()
    return client


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [PLAIN, EQUALS])
def test_a_message_is_a_datagram(codec: DatagramCodec) -> None:
    left, right = pair(codec)
    assert left.state is State.OPEN
    for message in ("€", b"", bytearray(b"bytes")):
        left.send(message)
    assert left.bytes_queued == (8 if codec is PLAIN else 8 + 3 * 17)
    assert deliver(left, right) == ["€".encode(), b"", b"bytes"]
    assert left.data_to_send() == []
    assert left.statistics.messages_sent == right.statistics.messages_received == 3
    assert left.statistics.bytes_sent == right.statistics.bytes_received == (8 if codec is PLAIN else 8 + 3 * 9)
    total = Statistics(messages_sent=1)
    left.count_into(total)
    assert total.messages_sent == 4


def test_plain_datagrams_carry_nothing_else() -> None:
    peer = make(PLAIN)
    peer.send(b"as it is")
    assert peer.data_to_send() == [b"as it is"]
    with pytest.raises(LocalProtocolError, match="without a header"):
        peer.ping()
    assert peer.receive_data(memoryview(b"\x12anything"), START) == [b"\x12anything"]
    assert peer.latency is None
    assert peer.receive is Receive.MESSAGES
    assert peer.wants_read


def test_text() -> None:
    left, right = pair(DatagramCodec(verify=False, text=True))
    left.send("a€")
    with pytest.raises(LocalProtocolError, match="not UTF-8"):
        left.send(b"\xff")
    assert deliver(left, right) == ["a€"]
    assert make(DatagramCodec(header=False, verify=False, text=True)).receive_data(b"\xff", START) == []
    fresh = make(DatagramCodec(verify=False, text=True))
    assert fresh.receive_data(Packet(Kind.MESSAGE, 9, 0, b"\xff").encode(), START) == []
    assert fresh.statistics.malformed == 1


def test_what_no_datagram_holds() -> None:
    peer = make(DatagramCodec(verify=False, datagram_size=64))
    peer.send(b"x" * 47)
    with pytest.raises(LocalProtocolError, match="room for 47 bytes, not 48"):
        peer.send(b"x" * 48)
    full = make(limits=Limits(outbox_size=10))
    full.send(b"x")
    assert not at_once(full.can_send)
    with pytest.raises(OutboxFull):
        full.send(b"x")


def test_what_is_too_large_or_not_ours_is_dropped_and_counted() -> None:
    peer = make(limits=Limits(message_size=3))
    assert peer.receive_data(Packet(Kind.MESSAGE, 5, 0, b"abcd").encode(), START) == []
    assert peer.receive_data(b"what is this?", START) == []
    assert (peer.statistics.oversized, peer.statistics.malformed, peer.statistics.lost) == (1, 1, 0)
    assert peer.state is State.OPEN
    unlimited = make(limits=Limits(message_size=None))
    assert unlimited.receive_data(Packet(Kind.MESSAGE, 5, 0, b"abcd").encode(), START) == [b"abcd"]


def test_the_receive_queue() -> None:
    left, right = pair(DatagramCodec(verify=False, drop=Drop.NEWEST), limits=Limits(inbox_size=100))
    assert right.next_message() is None
    for index in range(5):
        left.send(bytes([index]) * 40)
    left.ping(now=START)
    (ping,) = right.gather(deliver(left, right))
    assert isinstance(ping, Ping)
    assert right.next_message() == bytes(40)
    assert right.gather([]) == []
    assert right.statistics.queue_drops == 4
    assert right.statistics.lost == 0
    assert right.wants_read


# --- hello ------------------------------------------------------------------------------------------------------------


def test_hello_is_said_until_it_is_heard() -> None:
    client = make(DatagramCodec())
    assert client.state is State.CONNECTING
    assert not at_once(client.is_flowing)
    assert not at_once(client.can_send)
    with pytest.raises(LocalProtocolError, match="not open yet"):
        client.send(b"x")
    hello = client.data_to_send(START)
    packet = parse_packet(hello[0])
    assert packet is not None
    assert (len(hello), packet.kind, packet.body) == (1, Kind.HELLO, bytes(16))
    said = []
    for _ in range(20):
        deadline = client.next_deadline()
        assert deadline is not None
        said.append(deadline - START)
        if client.handle_timeout(deadline):
            break
        assert len(client.data_to_send(deadline)) == 1
    assert said == [0.25, 0.75, *(1.75 + index for index in range(9)), 10.0]
    assert client.close_report is not None
    assert (client.close_report.timer, client.close_report.code) == (Timer.OPENING, 1006)
    assert client.should_abort


def test_hello_with_a_cookie() -> None:
    client = make(DatagramCodec())
    client.data_to_send()
    cookie = Packet(Kind.COOKIE, 0, 0, TOKEN).encode()
    assert client.receive_data(cookie, START) == []
    assert client.receive_data(cookie, START) == []  # said once for each cookie
    (hello,) = client.data_to_send()
    packet = parse_packet(hello)
    assert packet is not None
    assert (packet.kind, packet.body) == (Kind.HELLO, TOKEN)
    assert client.receive_data(Packet(Kind.WELCOME, 0, 0, bytes(16)).encode(), START) == []  # not the one we hold
    assert client.receive_data(Packet(Kind.MESSAGE, 0, 0, b"early").encode(), START) == []
    (accepted,) = client.receive_data(Packet(Kind.WELCOME, 7, 0, TOKEN).encode(), START)
    assert isinstance(accepted, Accepted)
    assert client.is_flowing
    assert client.can_send
    assert client.next_deadline() == START + 30
    assert client.receive_data(Packet(Kind.WELCOME, 7, 0, TOKEN).encode(), START) == []
    assert client.receive_data(Packet(Kind.MESSAGE, 9, 0, b"x").encode(), START) == [b"x"]
    assert client.statistics.lost == 2


def test_a_client_answers_no_hello() -> None:
    client = opened()
    assert client.receive_data(Packet(Kind.HELLO, 0, 0, TOKEN).encode(), START) == []
    assert client.data_to_send() == []


def test_a_server_that_has_forgotten_its_client_is_told_again() -> None:
    client = opened()
    client.receive_data(Packet(Kind.COOKIE, 0, 0, bytes(16)).encode(), START)
    (hello,) = client.data_to_send()
    assert parse_packet(hello) is not None
    assert client.state is State.OPEN


# --- pings and round trips --------------------------------------------------------------------------------------------


def test_ping() -> None:
    left, right = pair()
    payload = left.ping(now=START + 1)
    assert left.awaits_pong(payload)
    assert deliver(left, right, START + 1) == [Ping(payload)]
    assert deliver(right, left, START + 1.5) == [Pong(payload, 0.5)]
    assert not left.awaits_pong(payload)
    assert left.latency is not None
    assert left.latency.last == 0.5
    assert (left.statistics.pings_sent, left.statistics.pongs_received) == (1, 1)
    assert (right.statistics.pings_received, right.statistics.pongs_sent) == (1, 1)


def test_a_pong_is_as_large_as_its_ping_and_never_fills_the_outbox() -> None:
    left, right = pair(limits=Limits(outbox_size=40))
    for _ in range(5):
        left.data_to_send()
        left.ping()
        deliver(left, right)
    assert right.statistics.pongs_sent == 2
    left.ping()
    assert {len(datagram) for datagram in [*left.data_to_send(), *right.data_to_send()]} == {13}


def test_of_many_lost_pings_the_latest_are_remembered() -> None:
    left, right = pair()
    payloads = [left.ping(now=START) for _ in range(100)]
    assert not left.awaits_pong(payloads[35])
    assert left.awaits_pong(payloads[36])
    deliver(left, right)
    answers = right.data_to_send()
    assert left.receive_data(answers[-1], START + 1) == [Pong(payloads[-1], 1.0)]


def test_round_trips_by_echo() -> None:
    left, right = pair()
    left.send(b"1")
    deliver(left, right, START)
    right.send(b"2")
    right.send(b"3")
    datagrams = right.data_to_send(START + 5)  # held for five seconds
    assert [len(datagram) for datagram in datagrams] == [18, 10]  # echoed once
    assert left.receive_data(datagrams[0], START + 5.25) == [b"2"]
    assert left.receive_data(datagrams[0], START + 9) == []  # a duplicate measures nothing
    assert left.latency is not None
    assert left.latency.last == pytest.approx(0.25, abs=2e-6)
    assert left.latency.count == 1


def test_an_echo_from_the_future_is_ignored() -> None:
    peer = make()
    assert peer.receive_data(Packet(Kind.ECHO, 0, 0, b"x", (2**31, 0)).encode(), START) == [b"x"]
    before = peer.latency
    later = Packet(Kind.ECHO, 1, 0, b"x", (int(START * 1_000_000) % 2**32, 5_000_000)).encode()
    peer.receive_data(later, START)
    assert peer.latency == before


# --- the end ----------------------------------------------------------------------------------------------------------


def test_goodbye() -> None:
    left, right = pair()
    left.send(b"last")
    left.close(1000, "bye", now=START + 1)
    left.close(1001)  # the second time nothing happens
    assert not at_once(left.should_abort)
    assert left.next_deadline() == START + 1
    messages = deliver(left, right)
    assert left.should_abort
    assert messages[0] == b"last"
    report = report_of(messages[1:])
    assert (report.initiator, report.code, report.reason, report.received_code) == (Initiator.PEER, 1000, "bye", 1000)
    assert report.ok
    report = report_of(left.handle_timeout(START + 1))
    assert (report.initiator, report.code, report.sent_code, report.received_code) == (
        Initiator.LOCAL,
        1000,
        1000,
        1005,
    )
    assert report.ok
    assert left.next_deadline() is None
    assert right.receive_data(b"late", START) == []
    assert right.receive_data(Packet(Kind.MESSAGE, 3, 0).encode(), START) == []
    assert not at_once(right.wants_read)
    with pytest.raises(ConnectionClosedOK):
        right.send(b"x")


def test_goodbye_without_a_code() -> None:
    left, right = pair()
    left.close(1005)
    assert report_of(deliver(left, right)).code == 1005


def test_nobody_is_told_without_a_header() -> None:
    peer = make(PLAIN)
    peer.close(1000)
    assert peer.should_abort
    report = report_of(peer.receive_data(b"late", START))
    assert (report.sent_code, report.received_code, report.ok) == (None, 1005, True)
    assert peer.handle_timeout(START) == []


@pytest.mark.parametrize("payload", [b"\x03\xe8", b"\x03"])
def test_a_goodbye_that_does_not_know_the_token_is_none(payload: bytes) -> None:
    client = opened()
    assert client.receive_data(Packet(Kind.GOODBYE, 0, 0, bytes(16) + payload).encode(), START) == []
    assert client.statistics.malformed == 1
    assert client.state is State.OPEN
    assert report_of(client.receive_data(Packet(Kind.GOODBYE, 0, 0, TOKEN + b"\x03\xe8").encode(), START)).ok


def test_a_bad_goodbye_changes_nothing() -> None:
    peer = make()
    with pytest.raises(LocalProtocolError, match="code"):
        peer.close(1006)
    assert peer.state is State.OPEN


def test_a_hello_can_be_abandoned() -> None:
    client = make(DatagramCodec())
    client.close()
    report = report_of(client.handle_timeout(START))
    assert (report.initiator, report.code, report.sent_code) == (Initiator.LOCAL, 1006, None)
    assert client.data_to_send() == []
    with pytest.raises(ConnectionClosedError):
        client.ping()


def test_the_socket_is_lost() -> None:
    error = OSError("gone")
    peer = make()
    peer.send(b"x")
    report = report_of(peer.transport_lost(error, START))
    assert (report.initiator, report.code, report.error, report.bytes_queued) == (Initiator.NETWORK, 1006, error, 18)
    assert peer.transport_lost(None, START) == []
    assert peer.should_abort


# --- timers -----------------------------------------------------------------------------------------------------------


def test_silence_is_broken_by_pings_and_ends_it() -> None:
    peer = make(timeouts=Timeouts(ping_interval=10.0, pong_timeout=15.0))
    peer.receive_data(Packet(Kind.MESSAGE, 0, 0).encode(), START + 4)
    assert peer.handle_timeout(START + 10) == []
    assert peer.data_to_send() == []
    assert peer.next_deadline() == START + 14
    peer.handle_timeout(START + 14)
    assert len(peer.data_to_send()) == 1
    peer.handle_timeout(START + 24)  # a ping may be lost: another one
    assert len(peer.data_to_send()) == 1
    report = report_of(peer.handle_timeout(START + 29))
    assert (report.timer, report.code, report.ok) == (Timer.PONG, 1006, False)


def test_any_datagram_is_life() -> None:
    peer = make(timeouts=Timeouts(ping_interval=10.0, pong_timeout=5.0))
    peer.handle_timeout(START + 10)
    (ping,) = peer.data_to_send()
    peer.receive_data(Packet(Kind.PONG, 0, 0, ping[-4:]).encode(), START + 11)
    assert peer.handle_timeout(START + 15) == []
    assert peer.state is State.OPEN
    peer.close()
    assert peer.close_report is not None
    assert peer.close_report.pong_age == 4


@pytest.mark.parametrize("codec", [PLAIN, EQUALS])
def test_idle(codec: DatagramCodec) -> None:
    left, right = pair(codec, timeouts=Timeouts(idle_timeout=5.0, ping_interval=None))
    right.send(b"x")
    deliver(right, left, START + 2)
    assert left.handle_timeout(START + 5) == []
    assert left.next_deadline() == START + 7
    left.send(b"to nobody")  # proves nothing
    left.data_to_send(START + 6)
    report = report_of(left.handle_timeout(START + 7))
    assert (report.timer, report.code, report.reason, report.ok) == (Timer.IDLE, 1001, "idle", True)
    assert len(left.data_to_send()) == (0 if codec is PLAIN else 1)


# --- what the network did ---------------------------------------------------------------------------------------------


def talk(
    there: DatagramLink, back: DatagramLink, *, messages: int, interval: float = 0.01
) -> tuple[DatagramPeer, DatagramPeer]:
    """One side sends, the other answers some; at the end a ping tells what was lost last."""
    left, right = pair(timeouts=QUIET)
    wire = DatagramWire(left, right, there=there, back=back)
    for index in range(messages):
        left.send(index.to_bytes(4, "big"))
        if index % 10 == 0:
            right.send(b"answer")
        wire.run(interval)
    wire.run(5)
    announce(left, right, wire.now)
    announce(right, left, wire.now)
    return left, right


def announce(source: DatagramPeer, target: DatagramPeer, now: float) -> None:
    """A ping that is not lost tells how much was sent."""
    source.ping(now=now)
    deliver(source, target, now)
    target.data_to_send()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("loss", "duplication", "reordering"),
    [(0.0, 0.0, 0.0), (0.05, 0.0, 0.0), (0.0, 0.05, 0.0), (0.0, 0.0, 0.05), (0.1, 0.03, 0.02), (0.5, 0.5, 0.5)],
)
def test_the_injected_rates_are_reported_back(seed: int, loss: float, duplication: float, reordering: float) -> None:
    there = DatagramLink(
        loss=loss, duplication=duplication, reordering=reordering, delay=0.05, jitter=0.004, chance=Chance(seed)
    )
    left, right = talk(there, DatagramLink(delay=0.03), messages=1500)
    seen, truth = right.statistics, Seen.of(there)
    # Two equals say no hello: what was lost before anything came was never heard of.
    unheard = min(arrival.number for arrival in there.log)
    assert seen.expected == 1500 - unheard
    assert seen.lost == len(there.lost) - unheard
    assert (seen.duplicates, seen.reordered) == (truth.duplicates, truth.reordered)
    assert seen.stale == 0
    assert seen.jitter == pytest.approx(truth.jitter, abs=3e-6)
    assert seen.messages_received == 1500 - len(there.lost)
    assert seen.loss == pytest.approx(loss, abs=0.04)
    assert seen.duplicates / 1500 == pytest.approx(duplication * (1 - loss), abs=0.03)
    back = left.statistics
    assert (back.expected, back.lost, back.duplicates, back.reordered) == (150, 0, 0, 0)


def test_the_injected_delay_is_reported_back() -> None:
    left, right = talk(DatagramLink(delay=0.03), DatagramLink(delay=0.05), messages=200)
    for side in (left, right):
        assert side.latency is not None
        assert side.latency.p50 == pytest.approx(0.08, abs=1e-5)
        assert side.statistics.jitter == pytest.approx(0, abs=2e-6)


def test_drops_of_the_socket_are_told_apart_from_loss() -> None:
    left, right = pair()
    assert right.statistics.loss == 0
    for _ in range(10):
        left.send(b"x")
    datagrams = left.data_to_send(START)
    for index in (0, 4, 9):  # two more were dropped here, five on their way
        right.receive_data(datagrams[index], START)
    right.report_socket_drops(1)
    right.report_socket_drops(2)
    seen = right.statistics
    assert (seen.lost, seen.socket_drops, seen.lost_in_network) == (7, 2, 5)
    assert seen.loss == 0.7


def test_the_count_of_a_socket_may_begin_again() -> None:
    peer = make()
    peer.report_socket_drops(2**32 - 1)
    peer.report_socket_drops(4)
    assert peer.statistics.socket_drops == 2**32 + 4
    assert peer.statistics.lost_in_network == 0


# --- anything at all --------------------------------------------------------------------------------------------------

packets = st.builds(
    lambda kind, sequence, timestamp, body: Packet(
        kind, sequence, timestamp, body, (1, 2) if kind is Kind.ECHO else None
    ).encode(),
    st.sampled_from(Kind),
    st.integers(0, 2**32 - 1) | st.integers(0, 20),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=20) | st.sampled_from([bytes(16), TOKEN, bytes(16) + b"\x03\xe8", b"ping"]),
)


@given(
    codec=st.sampled_from([PLAIN, EQUALS, DatagramCodec(), DatagramCodec(verify=False, text=True)]),
    datagrams=st.lists(st.binary(max_size=40) | packets, max_size=12),
    closes=st.booleans(),
)
def test_no_datagram_does_harm(codec: DatagramCodec, datagrams: list[bytes], closes: bool) -> None:
    peer = make(codec)
    ends = 0
    for index, datagram in enumerate(datagrams):
        peer.data_to_send()
        events = peer.receive_data(datagram, START + index)
        assert not (ends and events)
        ends += sum(isinstance(event, Closed) for event in events)
        answer = sum(map(len, peer.data_to_send()))
        assert answer <= len(datagram)
        if closes and index == 5:
            peer.close()
    assert ends <= 1
    assert peer.statistics.lost >= 0
