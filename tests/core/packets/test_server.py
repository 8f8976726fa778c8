"""Many peers on one UDP socket: cookies, admission, expiry, and that nobody is made to pay for a forged address."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.packets.kit import START, at_once, entropy_of
from wsproto_core._config import Timeouts
from wsproto_core._errors import LocalProtocolError
from wsproto_core._events import Accepted, Closed, Ping
from wsproto_core._packets.cookie import CookieJar
from wsproto_core._packets.datagram import DatagramPeer
from wsproto_core._packets.packet import DatagramCodec, Kind, Packet, parse_packet
from wsproto_core._packets.server import DatagramServer
from wsproto_core._packets.session import Address
from wsproto_core._types import Initiator, State, Timer
from wsproto_core.testing import Chance, DatagramLink, DatagramNet

PLAIN = DatagramCodec(header=False, verify=False)
TRUSTING = DatagramCodec(verify=False)
HOME = ("192.0.2.1", 1)


def make(codec: DatagramCodec | None = None, **options: Any) -> DatagramServer:
    return DatagramServer(codec or DatagramCodec(), entropy=entropy_of(9), now=START, **options)


def make_client(seed: int = 1, codec: DatagramCodec | None = None, now: float = START) -> DatagramPeer:
    return DatagramPeer(codec or DatagramCodec(), entropy=entropy_of(seed), now=now)


def exchange(client: DatagramPeer, server: DatagramServer, address: Address = HOME, now: float = START) -> list[Any]:
    """Let both talk until neither has anything to say; return what the server was told."""
    told: list[Any] = []
    for _ in range(10):
        for datagram in client.data_to_send(now):
            told += [event for _, event in server.receive_data(datagram, address, now)]
        for datagram, target in server.data_to_send(now):
            assert target == address
            client.receive_data(datagram, now)
    return told


def kinds(datagrams: list[tuple[bytes, Address]]) -> list[Kind]:
    packets = [parse_packet(datagram) for datagram, _ in datagrams]
    return [packet.kind for packet in packets if packet is not None]


# --- cookies ----------------------------------------------------------------------------------------------------------


def test_a_cookie_is_good_for_its_address_and_for_a_while() -> None:
    jar, other = CookieJar(entropy_of(1)), CookieJar(entropy_of(2))
    cookie = jar.cookie(HOME, START)
    assert len(cookie) == 16
    assert jar.is_valid(cookie, HOME, START)
    assert jar.is_valid(cookie, HOME, START + 30)
    assert not jar.is_valid(cookie, HOME, START + 60)
    assert not jar.is_valid(cookie, HOME, START - 60)
    assert not jar.is_valid(cookie, ("192.0.2.1", 2), START)
    assert not other.is_valid(cookie, HOME, START)
    assert not jar.is_valid(bytes(16), HOME, START)
    assert not jar.is_valid(bytes(16), HOME, START)


# --- admission --------------------------------------------------------------------------------------------------------


def test_a_client_proves_its_address_and_is_a_peer() -> None:
    server, client = make(), make_client()
    (accepted,) = exchange(client, server)
    assert isinstance(accepted, Accepted)
    assert client.state is State.OPEN
    peer = server.peers[HOME]
    assert peer.address == HOME
    client.send(b"question")
    assert exchange(client, server) == [b"question"]
    peer.send(b"answer")
    ((datagram, address),) = server.data_to_send(START)
    assert address == HOME
    assert client.receive_data(datagram, START) == [b"answer"]
    assert peer.ping(now=START)
    assert kinds(server.data_to_send(START)) == [Kind.PING]
    seen = server.statistics
    assert (seen.peers, seen.peers_total, seen.cookies_sent, seen.refused, seen.ignored) == (1, 1, 1, 0, 0)
    assert (seen.expected, seen.lost) == (1, 0)


def test_nothing_is_kept_for_a_stranger() -> None:
    server = make()
    before = {name: repr(value) for name, value in vars(server).items()}
    hello = make_client().data_to_send()[0]
    for index in range(100):
        assert server.receive_data(hello, ("192.0.2.1", index), START) == []
        ((cookie, address),) = server.data_to_send(START)
        assert address == ("192.0.2.1", index)
        assert len(cookie) <= len(hello)
    assert server.statistics.cookies_sent == 100
    after = {name: repr(value) for name, value in vars(server).items()}
    assert {name for name in after if after[name] != before[name]} == {"_statistics"}


def test_cookies_that_wait_to_leave_are_bounded() -> None:
    server = make()
    hello = make_client().data_to_send()[0]
    for index in range(1100):
        server.receive_data(hello, ("192.0.2.1", index), START)
    assert len(server.data_to_send()) == 1024
    assert server.statistics.ignored == 76


def test_a_cookie_of_another_address_is_none() -> None:
    server, client = make(), make_client()
    server.receive_data(client.data_to_send()[0], HOME, START)
    ((cookie, _),) = server.data_to_send(START)
    client.receive_data(cookie, START)
    (hello,) = client.data_to_send(START)
    assert server.receive_data(hello, ("198.51.100.1", 1), START) == []
    assert kinds(server.data_to_send(START)) == [Kind.COOKIE]
    assert not server.peers


@pytest.mark.parametrize("kind", Kind)
def test_what_a_stranger_says_is_answered_with_a_cookie_or_not_at_all(kind: Kind) -> None:
    server = make()
    bodies = {Kind.PING: b"ping", Kind.PONG: b"pong"}
    packet = Packet(kind, 0, 0, bodies.get(kind, bytes(16)), (1, 2) if kind is Kind.ECHO else None)
    assert server.receive_data(packet.encode(), HOME, START) == []
    answered = kind in (Kind.HELLO, Kind.MESSAGE, Kind.ECHO)  # a ping is smaller than a cookie
    assert kinds(server.data_to_send(START)) == [Kind.COOKIE] * answered
    assert server.statistics.ignored == (not answered)


def test_a_small_message_of_a_stranger_is_not_answered() -> None:
    server = make()
    server.receive_data(Packet(Kind.MESSAGE, 0, 0, b"small").encode(), HOME, START)
    assert server.data_to_send() == []


def test_what_is_no_packet_is_ignored() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    assert server.receive_data(b"?", HOME, START) == []
    assert server.receive_data(memoryview(b"?"), ("192.0.2.9", 9), START) == []
    assert server.statistics.ignored == 2


def test_a_welcome_that_was_lost_is_said_again() -> None:
    server, client = make(), make_client()
    for datagram in client.data_to_send(START):
        server.receive_data(datagram, HOME, START)
    client.receive_data(server.data_to_send(START)[0][0], START)
    (hello,) = client.data_to_send(START)
    assert len(server.receive_data(hello, HOME, START)) == 1
    assert kinds(server.data_to_send(START)) == [Kind.WELCOME]  # lost
    client.handle_timeout(START + 0.25)
    assert exchange(client, server, now=START + 0.25) == []
    assert client.state is State.OPEN
    assert server.statistics.peers_total == 1


def test_a_client_that_comes_back_at_its_old_address_is_measured_anew() -> None:
    server, client = make(), make_client(1)
    exchange(client, server)
    client.send(b"x")
    exchange(client, server)
    again = make_client(2)
    assert exchange(again, server) == []
    again.send(b"y")
    assert exchange(again, server) == [b"y"]
    assert (server.statistics.expected, server.statistics.lost) == (2, 0)


def test_loss_at_the_very_beginning_is_known_after_a_hello() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    client.send(b"lost")
    client.data_to_send(START)
    client.send(b"x")
    exchange(client, server)
    server.report_socket_drops(5)
    seen = server.statistics
    assert (seen.expected, seen.lost, seen.socket_drops, seen.lost_in_network) == (2, 1, 5, 0)


def test_a_client_is_told_when_the_server_has_forgotten_it() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    fresh = make()  # it even makes the same cookie
    for now, heard in ((START + 0.1, 0), (START + 0.25, 1)):
        client.send(b"lost on a server that does not know us")
        assert len(exchange(client, fresh, now=now)) == heard
    client.send(b"heard")
    assert exchange(client, fresh) == [b"heard"]


def test_there_is_a_cap() -> None:
    server = make(max_peers=1)
    exchange(make_client(1), server)
    late = make_client(2)
    exchange(late, server, ("192.0.2.2", 2))
    assert late.state is State.CONNECTING
    assert server.statistics.refused == 1
    with pytest.raises(ValueError, match="max_peers"):
        make(max_peers=0)


@pytest.mark.parametrize("seed", range(20))
def test_a_bad_network_delays_the_hello_but_does_not_prevent_it(seed: int) -> None:
    server, client = make(), make_client(seed)
    net = DatagramNet(server)
    there, back = (
        DatagramLink(loss=0.3, duplication=0.2, reordering=0.2, delay=0.05, chance=Chance(2 * seed + side))
        for side in (0, 1)
    )
    net.join(client, there=there, back=back)
    net.clock.run_until(lambda: client.state is State.OPEN)
    assert len(net.server.events) == 1
    assert server.statistics.peers_total == 1


# --- without cookies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [PLAIN, TRUSTING])
def test_in_a_trusted_network_the_first_datagram_makes_a_peer(codec: DatagramCodec) -> None:
    server, client = make(codec, max_peers=1), make_client(1, codec)
    client.send(b"x")
    told = exchange(client, server)
    assert isinstance(told[0], Accepted)
    assert told[1:] == [b"x"]
    other = make_client(2, codec)
    other.send(b"y")
    assert exchange(other, server, ("192.0.2.2", 2)) == []
    assert server.statistics.refused == 1
    client.send(b"z")
    assert exchange(client, server) == [b"z"]


def test_a_hello_is_welcome_there_as_well() -> None:
    server, client = make(TRUSTING), make_client()
    exchange(client, server)
    assert client.state is State.OPEN


def test_a_stranger_cannot_begin_with_an_answer() -> None:
    server = make(TRUSTING)
    assert server.receive_data(Packet(Kind.GOODBYE, 0, 0, bytes(16)).encode(), HOME, START) == []
    assert not server.peers
    (accepted, ping) = [
        event for _, event in server.receive_data(Packet(Kind.PING, 0, 0, b"ping").encode(), HOME, START)
    ]
    assert isinstance(accepted, Accepted)
    assert ping == Ping(b"ping")


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_client_says_goodbye() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    client.send(b"x")
    client.close(1000, "bye")
    message, closed = exchange(client, server)
    assert message == b"x"
    assert isinstance(closed, Closed)
    assert (closed.report.initiator, closed.report.reason) == (Initiator.PEER, "bye")
    assert not server.peers
    assert server.statistics.expected == 1
    assert server.handle_timeout(START + 1000) == []


def test_nobody_can_say_goodbye_for_another() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    assert server.receive_data(Packet(Kind.GOODBYE, 0, 0, bytes(16)).encode(), HOME, START) == []
    assert server.peers[HOME].statistics.malformed == 1


def test_nobody_can_say_hello_for_another() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    token = b"x" * 16
    assert server.receive_data(Packet(Kind.HELLO, 0, 0, token).encode(), HOME, START) == []
    assert kinds(server.data_to_send(START)) == [Kind.COOKIE]
    assert server.receive_data(Packet(Kind.GOODBYE, 0, 0, token).encode(), HOME, START) == []
    assert server.peers[HOME].state is State.OPEN


def test_the_server_says_goodbye_to_one() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    peer = server.peers[HOME]
    peer.close(4000, "enough", now=START + 1)
    assert server.next_deadline() == START + 1
    ((owner, closed),) = server.handle_timeout(START + 1)
    assert owner is peer
    assert isinstance(closed, Closed)
    assert not server.peers
    exchange(client, server)
    assert client.close_report is not None
    assert (client.close_report.code, client.close_report.reason) == (4000, "enough")
    peer.close()
    assert server.data_to_send() == []


def test_the_server_closes() -> None:
    server, clients = make(), [make_client(index) for index in range(3)]
    for index, client in enumerate(clients):
        exchange(client, server, ("192.0.2.1", index))
    with pytest.raises(LocalProtocolError, match="code"):
        server.close(1006)
    server.close(reason="restart", now=START + 1)
    assert len(server.handle_timeout(START + 1)) == 3
    assert not at_once(server.should_abort)
    assert kinds(server.data_to_send()) == [Kind.GOODBYE] * 3
    assert server.should_abort
    late = make_client(7)
    assert exchange(late, server) == []
    assert server.statistics.ignored == 1
    server.close()


def test_a_server_that_stops_accepting_keeps_its_peers() -> None:
    server, client = make(), make_client(1)
    exchange(client, server)
    server.stop_accepting()
    late = make_client(2)
    assert exchange(late, server, ("192.0.2.2", 2)) == []
    assert (late.state, server.statistics.ignored, server.should_abort) == (State.CONNECTING, 1, False)
    client.send(b"still here")
    assert exchange(client, server) == [b"still here"]


def test_a_closed_server_lets_nobody_in() -> None:
    server = make(PLAIN)
    server.close()
    assert server.receive_data(b"x", HOME, START) == []
    assert server.statistics.refused == 1


def test_the_socket_is_lost() -> None:
    server, error = make(), OSError("gone")
    for index in range(2):
        exchange(make_client(index), server, ("192.0.2.1", index))
    server.peers[("192.0.2.1", 0)].send(b"never")
    ends = [event for _, event in server.transport_lost(error, START)]
    assert [event.report.error for event in ends if isinstance(event, Closed)] == [error, error]
    assert not server.peers
    assert server.should_abort


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [PLAIN, DatagramCodec()])
def test_silent_peers_are_forgotten(codec: DatagramCodec) -> None:
    server = make(codec, timeouts=Timeouts(idle_timeout=10.0, ping_interval=None))
    clients = [make_client(index, codec) for index in range(3)]
    for index, client in enumerate(clients):
        if codec is PLAIN:
            client.send(b"hello")
        exchange(client, server, ("192.0.2.1", index), START + index)
    clients[0].send(b"alive")
    exchange(clients[0], server, ("192.0.2.1", 0), START + 5)
    ends = []
    while (deadline := server.next_deadline()) is not None:
        ends += [(deadline, peer.address, event) for peer, event in server.handle_timeout(deadline)]
        server.data_to_send(deadline)
    assert [(when, address) for when, address, _ in ends] == [
        (START + 11, ("192.0.2.1", 1)),
        (START + 12, ("192.0.2.1", 2)),
        (START + 15, ("192.0.2.1", 0)),
    ]
    assert all(isinstance(event, Closed) and event.report.timer is Timer.IDLE for _, _, event in ends)
    assert not server.peers


def test_by_default_a_silent_address_is_forgotten_after_a_minute() -> None:
    server = make(PLAIN)
    server.receive_data(b"x", HOME, START)
    assert server.next_deadline() == START + 60
    assert len(server.handle_timeout(START + 60)) == 1


def test_pings_keep_a_silent_peer() -> None:
    server, client = make(), make_client()
    exchange(client, server)
    now = START
    while now < START + 300:
        deadlines = [deadline for deadline in (server.next_deadline(), client.next_deadline()) if deadline is not None]
        now = max(now, min(deadlines))
        assert server.handle_timeout(now) == []
        client.handle_timeout(now)
        exchange(client, server, now=now)
    assert HOME in server.peers


def test_deadlines_that_moved_are_looked_at_again() -> None:
    server = make(PLAIN, timeouts=Timeouts(idle_timeout=10.0))
    server.receive_data(b"x", HOME, START)
    server.receive_data(b"x", HOME, START + 9)
    assert server.next_deadline() == START + 10
    assert server.handle_timeout(START + 10) == []
    assert server.next_deadline() == START + 19
    other = make(PLAIN, timeouts=Timeouts(idle_timeout=10.0))
    ((peer, _), _) = other.receive_data(b"x", HOME, START)
    peer.close(now=START)
    other.receive_data(b"x", HOME, START)
    assert other.handle_timeout(START + 10) == []
    assert other.next_deadline() is None


# --- anything at all --------------------------------------------------------------------------------------------------

packets = st.builds(
    lambda kind, sequence, body: Packet(kind, sequence, 0, body, (1, 2) if kind is Kind.ECHO else None).encode(),
    st.sampled_from(Kind),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=30) | st.sampled_from([bytes(16), b"ping"]),
)


@given(
    codec=st.sampled_from([DatagramCodec(), TRUSTING, PLAIN]),
    known=st.booleans(),
    datagrams=st.lists(st.tuples(st.binary(max_size=40) | packets, st.integers(0, 3)), max_size=12),
)
def test_no_answer_is_larger_than_what_provoked_it(
    codec: DatagramCodec, known: bool, datagrams: list[tuple[bytes, int]]
) -> None:
    server = make(codec, max_peers=2)
    if known:
        exchange(make_client(1, codec), server, ("192.0.2.1", 0))
    for datagram, port in datagrams:
        server.receive_data(datagram, ("192.0.2.1", port), START)
        answers = server.data_to_send(START)
        assert sum(len(answer) for answer, _ in answers) <= len(datagram)
        assert {address for _, address in answers} <= {("192.0.2.1", port)}
        assert len(server.peers) <= 2
        if codec.verify:
            assert len(server.peers) <= known
