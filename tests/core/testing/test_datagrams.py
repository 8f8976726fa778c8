"""Datagram engines over links that lose, double, delay and shuffle."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from wsproto_core import (
    Accepted,
    Closed,
    DatagramCodec,
    DatagramPeer,
    DatagramServer,
    Event,
    Initiator,
    Timeouts,
    Timer,
)
from wsproto_core.testing import (
    BrokenContract,
    Chance,
    DatagramLink,
    DatagramNet,
    DatagramWire,
    VirtualClock,
)

NOW = VirtualClock().now
EQUALS = DatagramCodec(verify=False)


def make_peer(seed: int = 1, codec: DatagramCodec = EQUALS, **options: Any) -> DatagramPeer:
    return DatagramPeer(codec, entropy=Chance(seed).randbytes, now=NOW, **options)


def make_client(seed: int = 1) -> DatagramPeer:
    return make_peer(seed, DatagramCodec())


def make_net(**options: Any) -> DatagramNet:
    return DatagramNet(DatagramServer(entropy=Chance(9).randbytes, now=NOW, **options))


# --- one link ---------------------------------------------------------------------------------------------------------


def arrivals(link: DatagramLink, count: int, interval: float = 0.0) -> list[bytes]:
    """Put so many datagrams and take whatever arrives, in order."""
    for number in range(count):
        link.put(number.to_bytes(4, "big"), number * interval)
    taken: list[bytes] = []
    while (time := link.next_time()) is not None:
        assert link.take(time - 0.001) is None
        taken.append(link.take(time) or b"")
    return taken


def test_a_perfect_link() -> None:
    link = DatagramLink()
    link.put(b"a", 5.0)
    link.put(b"b", 5.0)
    assert (link.take(4.9), link.take(5.0), link.take(5.0), link.take(5.0)) == (None, b"a", b"b", None)
    assert link.log == [(0, 5.0, 5.0), (1, 5.0, 5.0)]
    assert (link.sent, link.lost, link.next_time()) == (2, [], None)


def test_every_rate_is_what_was_asked_for() -> None:
    link = DatagramLink(loss=0.1, duplication=0.05, reordering=0.02, delay=0.05, chance=Chance(1))
    taken = arrivals(link, 10_000, 0.01)
    assert link.sent == 10_000
    assert len(link.lost) == pytest.approx(1000, rel=0.1)
    counts = Counter(arrival.number for arrival in link.log)
    assert sum(count == 2 for count in counts.values()) == pytest.approx(450, rel=0.15)
    assert set(counts) | set(link.lost) == set(range(10_000))
    late = sum(arrival.came_at - arrival.left_at > 0.5 for arrival in link.log)
    assert late == pytest.approx(0.02 * len(taken), rel=0.2)


def test_delay_and_jitter() -> None:
    link = DatagramLink(delay=0.1, jitter=0.4, chance=Chance(2))
    taken = arrivals(link, 1000)
    waits = [arrival.came_at - arrival.left_at for arrival in link.log]
    assert 0.1 <= min(waits) < 0.11
    assert 0.49 < max(waits) <= 0.5
    assert taken != sorted(taken)
    assert sorted(taken) == [number.to_bytes(4, "big") for number in range(1000)]


def test_the_same_seed_does_the_same() -> None:
    def log(seed: int) -> list[Any]:
        link = DatagramLink(loss=0.3, duplication=0.3, reordering=0.3, jitter=0.2, chance=Chance(seed))
        arrivals(link, 100, 0.01)
        return [link.lost, link.log]

    assert log(1) == log(1)
    assert log(1) != log(2)


@pytest.mark.parametrize("name", ["loss", "duplication", "reordering", "delay", "jitter", "held"])
def test_impossible_links(name: str) -> None:
    wrong: dict[str, Any] = {name: -0.1}
    with pytest.raises(ValueError, match=f"{name} must be from 0"):
        DatagramLink(**wrong)
    if name in ("loss", "duplication", "reordering"):
        wrong = {name: 1.1}
        with pytest.raises(ValueError, match=f"{name} must be from 0 to 1, not"):
            DatagramLink(**wrong)


# --- two equals -------------------------------------------------------------------------------------------------------


def test_two_equals_talk() -> None:
    wire = DatagramWire(make_peer(1), make_peer(2), there=DatagramLink(delay=0.125), back=DatagramLink(delay=0.25))
    wire.left.engine.send(b"hello")
    wire.run(0.0625)
    assert wire.right.messages == []
    wire.run(0.0625)
    assert wire.right.messages == [b"hello"]
    wire.left.engine.ping(now=wire.now)
    wire.run(1.0)
    assert wire.left.engine.latency is not None
    assert wire.left.engine.latency.p50 == pytest.approx(0.375, abs=1e-5)


def test_a_goodbye_closes_both_sockets() -> None:
    wire = DatagramWire(make_peer(1), make_peer(2))
    wire.left.engine.close(4000, "bye", now=wire.now)
    wire.settle()
    assert wire.left.lost
    assert (wire.left.report.code, wire.right.report.reason) == (4000, "bye")
    assert wire.right.lost
    wire.left.lose()
    wire.run(1000)
    assert len(wire.left.told(Closed)) == len(wire.right.told(Closed)) == 1


def test_an_application_that_answers() -> None:
    wire = DatagramWire(make_peer(1), make_peer(2), there=DatagramLink(loss=0.3, chance=Chance(1)))

    def echo(event: Event) -> None:
        if isinstance(event, bytes):
            wire.right.engine.send(event)

    wire.right.react = echo
    for number in range(100):
        wire.left.engine.send(bytes([number]))
        wire.run(0.1)
    lost = wire.left.outgoing.lost
    assert len(lost) == pytest.approx(30, abs=12)
    assert wire.left.messages == [bytes([number]) for number in range(100) if number not in lost]


def test_pull_style() -> None:
    wire = DatagramWire(make_peer(1), make_peer(2))
    wire.right.pulls = True
    wire.left.engine.send(b"one")
    wire.left.engine.send(b"two")
    wire.settle()
    assert wire.right.messages == []
    assert wire.right.receive() == [b"one", b"two"]


def test_a_side_that_sleeps_and_one_that_is_gone() -> None:
    wire = DatagramWire(make_peer(1, timeouts=Timeouts(ping_interval=5, pong_timeout=5)), make_peer(2))
    wire.right.asleep = True
    wire.left.engine.send(b"are you there?")
    wire.run(4)
    assert (wire.right.events, wire.right.next_time()) == ([], None)
    wire.right.asleep = False
    wire.settle()
    assert wire.right.messages == [b"are you there?"]
    wire.right.lose(OSError("gone"))
    wire.right.lose()
    assert isinstance(wire.right.report.error, OSError)
    wire.run(60)
    assert wire.left.report.timer is Timer.PONG
    assert wire.right.incoming.next_time() is None


# --- a server and its clients -----------------------------------------------------------------------------------------


def test_a_server_knows_its_clients_apart() -> None:
    net = make_net()
    sides = [net.join(make_client(seed), there=DatagramLink(delay=0.01), back=DatagramLink()) for seed in range(3)]

    def echo(peer: DatagramPeer, event: Event) -> None:
        if isinstance(event, bytes):
            peer.send(event)

    net.server.react = echo
    net.run(1.0)
    for number, side in enumerate(sides):
        side.engine.send(bytes([number]))
    net.run(1.0)
    assert [side.messages for side in net.clients] == [[b"\0"], [b"\1"], [b"\2"]]
    assert list(net.server.engine.peers) == [("192.0.2.1", 49152 + number) for number in range(3)]
    assert sum(isinstance(event, Accepted) for _, event in net.server.events) == 3
    net.clients[0].engine.close(now=net.now)
    net.run(1.0)
    assert len(net.server.engine.peers) == 2
    net.server.engine.close(now=net.now)
    net.run(1.0)
    assert net.server.lost
    assert [side.lost for side in sides] == [True, True, True]
    assert sum(isinstance(event, Closed) for _, event in net.server.events) == 3


def test_a_silent_client_is_forgotten() -> None:
    net = make_net(timeouts=Timeouts(idle_timeout=30.0, ping_interval=None))
    net.join(make_client())
    net.run(1.0)
    net.clients[0].asleep = True
    net.run(60.0)
    (_, closed) = net.server.events[-1]
    assert isinstance(closed, Closed)
    assert closed.report.timer is Timer.IDLE


def test_a_server_that_sleeps_and_one_that_is_gone() -> None:
    net = make_net()
    net.server.asleep = True
    client = net.join(make_client())
    net.run(2.0)
    assert client.events == []
    assert net.server.next_time() is None
    net.server.asleep = False
    net.run(2.0)
    assert client.told(Accepted)
    net.server.lose(OSError("gone"))
    net.server.lose()
    (_, closed) = net.server.events[-1]
    assert isinstance(closed, Closed)
    assert closed.report.initiator is Initiator.NETWORK
    client.engine.send(b"to nobody")
    net.run(10.0)
    assert client.outgoing.next_time() is None


class Forgetful(DatagramServer):
    """Tells the end of a peer twice."""

    def receive_data(self, data: Any, address: Any, now: float) -> list[Any]:
        events = super().receive_data(data, address, now)
        return events + [pair for pair in events if isinstance(pair[1], Closed)]


def test_a_broken_server_is_found_out() -> None:
    net = DatagramNet(Forgetful(entropy=Chance(9).randbytes, now=NOW))
    client = net.join(make_client())
    net.run(1.0)
    client.engine.close(now=net.now)
    with pytest.raises(BrokenContract, match="follows Closed"):
        net.run(1.0)
