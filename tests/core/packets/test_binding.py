"""The binding of a UDP socket to its engine, over a socket that is a list."""

from __future__ import annotations

import errno
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

import pytest

from tests.core.packets.kit import START, at_once, entropy_of
from wsproto_core import (
    Address,
    AsyncDatagramLink,
    AsyncUdpPeer,
    CloseCode,
    Closed,
    ConnectionRefused,
    DatagramBinding,
    DatagramCodec,
    DatagramPeer,
    DatagramServer,
    Event,
    Initiator,
    Log,
    LonePeer,
    State,
    Timeouts,
    socket_drops,
)

T = TypeVar("T")

BARE = DatagramCodec(header=False, verify=False)
UNVERIFIED = DatagramCodec(verify=False)
ALICE, BOB = ("10.0.0.1", 1), ("10.0.0.2", 2)


class ListLog:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        self.lines.append(f"{msg % args}: {exc_info!r}")

    def log(self, level: int, msg: str, *args: object) -> None:
        self.lines.append(f"{level} {msg % args}")


class HandLink(AsyncDatagramLink):
    log: ClassVar[Log] = ListLog()


class NoWaiters:
    """Nobody can wait: an attempt has its result at once, or the test is wrong."""

    def __init__(self) -> None:
        self.wakings = 0

    def wake(self) -> None:
        self.wakings += 1

    async def until(self, attempt: Callable[[], T | None]) -> T:
        result = attempt()
        assert result is not None
        return result


class HandBinding(DatagramBinding[AsyncUdpPeer]):
    """A binding whose socket is two lists, and whose clock stands where the test puts it."""

    log: ClassVar[Log] = ListLog()

    def __init__(self, engine: DatagramServer | LonePeer, **told: Any) -> None:
        self.incoming: deque[tuple[bytes, int | None, Address] | OSError] = deque()
        self.sent: list[tuple[bytes, Address | None]] = []
        self.room = 1000
        self.refuses: OSError | None = None
        self.time = START
        self.armed: tuple[float | None, bool] = (None, False)
        self.is_closed = False
        self.events: list[Event] = []
        super().__init__(engine, make_peer=self._make, **told)

    def _make(self, engine: DatagramPeer) -> AsyncUdpPeer:
        link = HandLink(self, engine, NoWaiters())
        return AsyncUdpPeer(engine, link, ("10.0.0.9", 9), lambda _, event: self.events.append(event))

    def now(self) -> float:
        return self.time

    def receive_one(self) -> tuple[bytes, int | None, Address] | None:
        if not self.incoming:
            return None
        received = self.incoming.popleft()
        if isinstance(received, OSError):
            raise received
        return received

    def send_one(self, datagram: bytes, address: Address | None) -> bool:
        if self.refuses is not None:
            error, self.refuses = self.refuses, None
            raise error
        if not self.room:
            return False
        self.room -= 1
        self.sent.append((datagram, address))
        return True

    def arm(self, deadline: float | None, *, wants_write: bool) -> None:
        self.armed = (deadline, wants_write)

    def close_socket(self) -> None:
        self.is_closed = True

    def come(self, *datagrams: bytes, address: Address = ALICE, drops: int | None = None) -> None:
        self.incoming.extend((datagram, drops, address) for datagram in datagrams)
        self.readable()


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that has no reason to wait."""
    with pytest.raises(StopIteration) as done:
        work.send(None)
    value: T = done.value.value
    return value


def serve(codec: DatagramCodec = BARE, **options: Any) -> HandBinding:
    timeouts = options.pop("timeouts", Timeouts())
    engine = DatagramServer(codec, entropy=entropy_of(1), timeouts=timeouts, now=START)
    return HandBinding(engine, **options)


def speak(codec: DatagramCodec = BARE, **options: Any) -> tuple[HandBinding, AsyncUdpPeer]:
    engine = DatagramPeer(codec, entropy=entropy_of(2), now=START, address=BOB, **options)
    binding = HandBinding(LonePeer(engine))
    return binding, binding.adopt(engine)


# --- what Linux tells -------------------------------------------------------------------------------------------------


def test_the_count_of_drops_is_found_among_other_things() -> None:
    count = (1_234_567).to_bytes(4, sys.byteorder)
    assert socket_drops([]) is None
    assert socket_drops([(0, 8, b"\0\0\0\0"), (1, 29, count)]) is None
    assert socket_drops([(0, 8, b"\0\0\0\0"), (1, 40, count)]) == 1_234_567


def test_drops_are_reported_to_the_engine() -> None:
    client, peer = speak(UNVERIFIED)
    client.come(b"nonsense", address=BOB, drops=3)
    client.come(b"nonsense", address=BOB, drops=5)
    assert peer.engine.statistics.socket_drops == 5


# --- servers ----------------------------------------------------------------------------------------------------------


def test_each_address_has_an_object_which_is_told_of_once() -> None:
    arrived: list[AsyncUdpPeer] = []
    left: list[AsyncUdpPeer] = []
    binding = serve(arrived=arrived.append, left=left.append)
    binding.come(b"one", b"two")
    binding.come(b"three", address=BOB)
    assert [peer.remote_address for peer in arrived] == [ALICE, BOB]
    assert [peer.local_address for peer in arrived] == [("10.0.0.9", 9)] * 2
    assert repr(arrived[0]) == "<AsyncUdpPeer open ('10.0.0.1', 1)>"
    assert [finish(arrived[0].recv()), finish(arrived[0].recv()), finish(arrived[1].recv())] == [
        b"one",
        b"two",
        b"three",
    ]
    arrived[0].close_nowait()
    assert left == arrived[:1]
    assert set(binding.peers.values()) == {arrived[1]}
    assert finish(arrived[0].wait_closed()).initiator is Initiator.LOCAL


def test_a_server_that_nobody_watches() -> None:
    binding = serve()
    binding.come(b"one")
    (peer,) = binding.peers.values()
    finish(peer.close())
    assert not binding.peers


def test_what_is_sent_goes_to_whom_it_is_for() -> None:
    binding = serve()
    binding.come(b"one")
    binding.come(b"two", address=BOB)
    for peer in binding.peers.values():
        finish(peer.send(f"to {peer.remote_address[1]}"))
    assert binding.sent == [(b"to 1", ALICE), (b"to 2", BOB)]


def test_not_everything_is_read_before_something_is_sent() -> None:
    binding = serve()
    binding.come(*[b"x"] * 100)
    assert len(binding.incoming) == 36
    binding.readable()
    assert not binding.incoming


def test_without_room_it_waits_for_some() -> None:
    binding = serve()
    binding.come(b"one")
    (peer,) = binding.peers.values()
    binding.room = 0
    finish(peer.send("first"))
    finish(peer.send("second"))
    assert (binding.sent, binding.armed[1]) == ([], True)
    binding.room = 10
    binding.writable()
    assert [datagram for datagram, _ in binding.sent] == [b"first", b"second"]
    assert not binding.armed[1]


def test_a_datagram_that_cannot_be_sent_is_lost_alone() -> None:
    binding = serve()
    binding.come(b"one")
    (peer,) = binding.peers.values()
    binding.refuses = OSError(errno.EMSGSIZE, "too long")
    finish(peer.send("first"))
    finish(peer.send("second"))
    assert [datagram for datagram, _ in binding.sent] == [b"second"]
    assert peer.state is State.OPEN


def test_goodbye_to_everybody_and_then_the_socket_is_closed() -> None:
    binding = serve(UNVERIFIED)
    binding.come(b"\x10" + bytes(8) + b"hello")
    (peer,) = binding.peers.values()
    binding.room = 0
    binding.say_goodbye()
    assert not at_once(binding.is_closed)  # it has not been said
    assert peer.close_report is not None
    assert peer.close_report.code == CloseCode.GOING_AWAY
    binding.room = 1
    binding.writable()
    assert binding.is_closed
    assert binding.sent[0][0][0] == 0x17
    binding.flush()
    binding.lost(None)  # harmless
    assert [type(event) for event in binding.events].count(Closed) == 1


def test_a_silent_address_is_forgotten_when_its_time_has_come() -> None:
    binding = serve(timeouts=Timeouts(idle_timeout=5))
    binding.come(b"one")
    (peer,) = binding.peers.values()
    assert binding.armed == (START + 5, False)
    binding.time = START + 5
    binding.expired()
    assert (peer.state, binding.peers) == (State.CLOSED, {})


def test_a_deadline_that_passes_while_it_sends_is_kept_at_once() -> None:
    binding = serve(timeouts=Timeouts(idle_timeout=5))
    binding.come(b"one")
    (peer,) = binding.peers.values()
    binding.time = START + 5
    binding.flush()
    assert peer.state is State.CLOSED


def test_what_is_done_to_a_peer_that_arrives_is_sent_behind_it() -> None:
    binding = serve(arrived=lambda peer: peer.send_nowait("welcome"))
    binding.come(b"one")
    assert binding.sent == [(b"welcome", ALICE)]


# --- clients ----------------------------------------------------------------------------------------------------------


def test_a_client_has_the_socket_for_itself() -> None:
    binding, peer = speak()
    assert finish(peer.link.until(peer.opening_outcome)) is True
    finish(peer.send("hello"))
    assert binding.sent == [(b"hello", None)]
    binding.come(b"answer", address=BOB)
    assert finish(peer.recv()) == b"answer"
    finish(peer.close())
    assert binding.is_closed


def test_a_client_is_open_once_the_server_has_welcomed_it() -> None:
    server = serve(DatagramCodec())
    client, peer = speak(DatagramCodec())
    assert peer.opening_outcome() is None
    while client.sent or server.sent:
        server.come(*[datagram for datagram, _ in client.sent])
        client.sent.clear()
        client.come(*[datagram for datagram, _ in server.sent])
        server.sent.clear()
    assert peer.opening_outcome() is True
    (there,) = server.peers.values()
    assert there.state is State.OPEN


def test_a_complaint_ends_what_is_not_open_yet() -> None:
    binding, peer = speak(DatagramCodec())
    binding.incoming.append(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    binding.readable()
    assert binding.is_closed
    with pytest.raises(ConnectionRefused):
        peer.opening_outcome()


def test_a_complaint_ends_nothing_that_is_open() -> None:
    binding, peer = speak(UNVERIFIED)
    binding.incoming.append(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    binding.readable()
    assert (peer.state, binding.is_lost) == (State.OPEN, False)


def test_nothing_is_read_any_more_once_the_socket_is_gone() -> None:
    binding, peer = speak()
    binding.lost(OSError("gone"))
    assert peer.close_report is not None
    assert (peer.close_report.initiator, str(peer.close_report.error)) == (Initiator.NETWORK, "gone")
    binding.come(b"late")
    assert peer.engine.statistics.bytes_received == 0


def test_the_goodbye_of_the_one_peer() -> None:
    binding, peer = speak(UNVERIFIED)
    binding.say_goodbye(CloseCode.INTERNAL_ERROR)
    assert binding.is_closed
    assert peer.close_report is not None
    assert peer.close_report.sent_code == 1011


def test_aborting_tells_nobody() -> None:
    binding, peer = speak(UNVERIFIED)
    peer.abort()
    assert (binding.is_closed, binding.sent) == (True, [])
    peer.abort()  # harmless
    assert peer.close_report is not None
    assert peer.close_report.code == 1006


def test_a_socket_tells_what_it_has_counted() -> None:
    client, peer = speak()
    peer.send_nowait("hello")
    assert peer.statistics.messages_sent == 1
    assert client.statistics == peer.statistics
