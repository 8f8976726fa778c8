"""One UDP socket, its engine, and the connection objects of its peers: what the adapters of all runtimes share.

The engine is a :class:`DatagramServer`, or a :class:`DatagramPeer` behind :class:`LonePeer`, which gives it the same
face. What only a runtime has (the socket, the clock, the timer, how to wait) it brings to :class:`DatagramBinding`.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from .._codes import CloseCode
from .._driver.async_peer import AsyncPeer
from .._driver.peer import Log, PeerBase
from .._events import Event
from .._types import Buffer, State
from .datagram import DatagramPeer
from .server import DatagramServer, PeerEvent
from .session import Address
from .statistics import DatagramStatistics, ServerStatistics

__all__ = [
    "AsyncDatagramLink",
    "AsyncUdpPeer",
    "DatagramBinding",
    "LonePeer",
    "Waiters",
    "socket_drops",
]

_T = TypeVar("_T")
_P = TypeVar("_P", bound=PeerBase[DatagramPeer])

#: Level and kind of the option ``SO_RXQ_OVFL``.
_DROPS: Final = (1, 40)

#: Datagrams that are read before what they provoked is sent.
_MAX_BATCH: Final = 64
_DEBUG: Final = 10


def socket_drops(ancillary: Sequence[tuple[int, int, bytes]]) -> int | None:
    """What Linux tells by ``SO_RXQ_OVFL`` in the ancillary data of ``recvmsg``: how many datagrams the socket has had
    no room for since it was made, modulo 2**32.
    """
    for level, kind, data in ancillary:
        if (level, kind) == _DROPS:
            return int.from_bytes(data, sys.byteorder)
    return None


class LonePeer:
    """A :class:`DatagramPeer` that has a connected socket for itself, with the face of a :class:`DatagramServer`."""

    def __init__(self, peer: DatagramPeer) -> None:
        self._peer = peer

    def receive_data(self, data: Buffer, _address: object, now: float) -> list[PeerEvent]:
        """As :meth:`DatagramServer.receive_data`; the address is known."""
        return self._told(self._peer.receive_data(data, now))

    def transport_lost(self, error: BaseException | None, now: float) -> list[PeerEvent]:
        """As :meth:`DatagramServer.transport_lost`."""
        return self._told(self._peer.transport_lost(error, now))

    def handle_timeout(self, now: float) -> list[PeerEvent]:
        """As :meth:`DatagramServer.handle_timeout`."""
        return self._told(self._peer.handle_timeout(now))

    def stop_accepting(self) -> None:
        """There is nobody else."""

    def close(self, code: int = CloseCode.GOING_AWAY, reason: str = "", *, now: float | None = None) -> None:
        """As :meth:`DatagramServer.close`."""
        self._peer.close(code, reason, now=now)

    def report_socket_drops(self, total: int) -> None:
        """As :meth:`DatagramServer.report_socket_drops`."""
        self._peer.report_socket_drops(total)

    def data_to_send(self, now: float | None = None) -> list[tuple[bytes, Address | None]]:
        """As :meth:`DatagramServer.data_to_send`, to whom the socket is connected."""
        return [(datagram, None) for datagram in self._peer.data_to_send(now)]

    def next_deadline(self) -> float | None:
        """As :meth:`DatagramServer.next_deadline`."""
        return self._peer.next_deadline()

    @property
    def statistics(self) -> DatagramStatistics:
        """As of the peer."""
        return self._peer.statistics

    @property
    def should_abort(self) -> bool:
        """As :attr:`DatagramServer.should_abort`."""
        return self._peer.should_abort

    def _told(self, events: list[Event]) -> list[PeerEvent]:
        return [(self._peer, event) for event in events]


class DatagramBinding(ABC, Generic[_P]):
    """Carries datagrams between a socket and ``engine``, and events to the connection objects. For authors of adapters.

    ``make_peer`` makes the object for an engine that speaks for the first time; ``arrived`` and ``left`` are told of
    it. After every input, and every verb, comes :meth:`flush`. Time limits of a peer are the engine's.
    """

    #: Where an operator is told what went wrong.
    log: ClassVar[Log]

    def __init__(
        self,
        engine: DatagramServer | LonePeer,
        *,
        make_peer: Callable[[DatagramPeer], _P],
        arrived: Callable[[_P], object] | None = None,
        left: Callable[[_P], object] | None = None,
    ) -> None:
        self.engine: DatagramServer | LonePeer = engine
        #: Whether the socket is gone.
        self.is_lost: bool = False
        self.peers: dict[DatagramPeer, _P] = {}
        self._make_peer = make_peer
        self._arrived = arrived
        self._left = left
        # What the socket had no room for.
        self._outgoing: deque[tuple[bytes, Address | None]] = deque()
        self._is_flushing = False

    def adopt(self, engine: DatagramPeer) -> _P:
        """The object for a client's ``engine``, there from the start."""
        peer = self.peers[engine] = self._make_peer(engine)
        if engine.state is State.OPEN:
            peer.opened()
        self.flush()
        return peer

    @property
    def statistics(self) -> ServerStatistics | DatagramStatistics:
        """What has been counted at this socket."""
        return self.engine.statistics

    # --- what an adapter brings ---------------------------------------------------------------------------------------

    @abstractmethod
    def now(self) -> float:
        """The engine's clock."""

    @abstractmethod
    def receive_one(self) -> tuple[bytes, int | None, Address] | None:
        """The next datagram, how many the socket has dropped so far, and the sender; ``None`` when there is none.
        Raises :exc:`OSError`.
        """

    @abstractmethod
    def send_one(self, datagram: bytes, address: Address | None) -> bool:
        """Send, to whom the socket is connected where there is no address; whether there was room. Raises
        :exc:`OSError`.
        """

    @abstractmethod
    def arm(self, deadline: float | None, *, wants_write: bool) -> None:
        """See to it that :meth:`expired` is called at ``deadline``, and :meth:`writable` when the socket has room."""

    @abstractmethod
    def close_socket(self) -> None:
        """Close the socket, and stop whatever waits for it."""

    # --- in -----------------------------------------------------------------------------------------------------------

    def readable(self) -> None:
        """There is something to read: take some of it."""
        for _ in range(_MAX_BATCH):
            if not self._read_one():
                break
        self.flush()

    def _read_one(self) -> bool:
        """Take one datagram; whether to look for another."""
        try:
            received = self.receive_one()
        except OSError as error:
            # The network's word about what was sent earlier. Anybody can forge it, so it ends nothing that is open.
            self.log.log(_DEBUG, "the socket complains: %s", error)
            if all(peer.state is State.CONNECTING for peer in self.peers):
                self.lost(error)
            return False
        if received is None or self.is_lost:
            return False
        data, drops, address = received
        if drops is not None:
            self.engine.report_socket_drops(drops)
        self._dispatch(self.engine.receive_data(data, address, self.now()))
        return True

    def writable(self) -> None:
        """The socket has room again."""
        self.flush()

    def expired(self) -> None:
        """A deadline has come."""
        self._dispatch(self.engine.handle_timeout(self.now()))
        self.flush()

    def say_goodbye(self, code: int = CloseCode.GOING_AWAY) -> None:
        """Say goodbye to every peer, let no other in, and close the socket once that is said."""
        self.engine.close(code, now=self.now())
        self.flush()

    def lost(self, error: BaseException | None) -> None:
        """The socket is of no more use."""
        if self.is_lost:
            return
        self.is_lost = True
        self._dispatch(self.engine.transport_lost(error, self.now()))
        self.close_socket()

    # --- out ----------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send what waits, tell what is to be told, and close the socket where that is all."""
        if self._is_flushing or self.is_lost:
            return  # what a peer does when it is told of something is sent behind it
        self._is_flushing = True
        try:
            self._flush()
        finally:
            self._is_flushing = False

    def _flush(self) -> None:
        while True:
            self._send()
            deadline, now = self.engine.next_deadline(), self.now()
            if deadline is None or deadline > now:
                break
            self._dispatch(self.engine.handle_timeout(now))
        if self.engine.should_abort and not self._outgoing:
            self.lost(None)
        else:
            self.arm(deadline, wants_write=bool(self._outgoing))

    def _send(self) -> None:
        while True:
            if not self._outgoing:
                self._outgoing.extend(self.engine.data_to_send(self.now()))
            if not self._outgoing:
                return
            try:
                if not self.send_one(*self._outgoing[0]):
                    return
            except OSError as error:  # a datagram may get lost, and here it does
                self.log.log(_DEBUG, "a datagram could not be sent: %s", error)
            self._outgoing.popleft()

    def _dispatch(self, told: Sequence[PeerEvent]) -> None:
        for engine, event in told:
            peer = self.peers.get(engine)
            if peer is None:
                peer = self.peers[engine] = self._make_peer(engine)
                if self._arrived is not None:
                    self._arrived(peer)
            peer.deliver([event])
            if engine.state is State.CLOSED:
                del self.peers[engine]
                if self._left is not None:
                    self._left(peer)


class Waiters(Protocol):
    """Whoever waits for something to happen, as a runtime can."""

    def wake(self) -> None:
        """Let everybody look again."""
        ...

    def until(self, attempt: Callable[[], _T | None]) -> Awaitable[_T]:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again whenever they are woken."""
        ...


class AsyncDatagramLink:
    """The share of one peer in a socket: an :class:`AsyncLink`. For authors of adapters, who name the log."""

    log: ClassVar[Log]

    def __init__(self, binding: DatagramBinding[Any], engine: DatagramPeer, waiters: Waiters) -> None:
        self._binding = binding
        self._engine = engine
        self._waiters = waiters
        self.is_lost: bool = False

    def now(self) -> float:
        """The engine's clock."""
        return self._binding.now()

    def flush(self) -> None:
        """Send what the engine has to say."""
        self._binding.flush()

    flush_soon = flush

    def abort(self) -> None:
        """The engine has given up: let that be told."""
        self._binding.flush()

    leave = abort

    async def until(self, attempt: Callable[[], _T | None]) -> _T:
        """See :class:`Waiters`."""
        return await self._waiters.until(attempt)

    async def until_lost(self) -> None:
        """Wait until the end has been told."""
        await self._waiters.until(lambda: self.is_lost or None)

    def wake(self) -> None:
        """Something has happened."""
        self.is_lost = self._engine.close_report is not None
        self._waiters.wake()


class AsyncUdpPeer(AsyncPeer[DatagramPeer]):
    """One UDP peer of a runtime with coroutines. For authors of adapters.

    A message may get lost, come twice (which nobody sees, where datagrams have a header) or out of order. A ping, or
    its pong, may get lost as well, so give it a time limit.
    """

    def __init__(
        self,
        engine: DatagramPeer,
        link: AsyncDatagramLink,
        local_address: Any,
        watch: Callable[[Any, Event], None] | None = None,
    ) -> None:
        super().__init__(engine, link, watch=watch)
        #: The binding to the socket.
        self.link: AsyncDatagramLink = link
        #: This end, as the socket module writes addresses.
        self.local_address: Any = local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses."""
        return self.engine.address

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} {self.remote_address}>"

    def deliver(self, events: Sequence[Event]) -> None:
        super().deliver(events)
        self.link.wake()
