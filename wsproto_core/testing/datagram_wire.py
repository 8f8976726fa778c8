"""Datagram engines over a simulated network.

As on a :class:`Wire`, each end is the adapter that a careful author would write: after every input it sends what there
is to be sent, it sleeps until ``next_deadline()``, and it closes its socket when told to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from .._events import Event
from .._packets.datagram import DatagramPeer
from .._packets.server import DatagramServer, PeerEvent
from .._packets.session import Address
from .clock import Timed, VirtualClock
from .contract import Contract
from .datagram_link import DatagramLink
from .endpoint import Endpoint

__all__ = ["DatagramNet", "DatagramSide", "DatagramWire", "ServerSide"]


class _Way:
    """A link at work: it hands over what arrives, to ``arrive``."""

    def __init__(self, link: DatagramLink, clock: VirtualClock, arrive: Callable[[bytes], None]) -> None:
        self._link = link
        self._clock = clock
        self._arrive = arrive
        self._rouse = clock.join(self)

    def send(self, datagram: bytes) -> None:
        self._link.put(datagram, self._clock.now)
        if (time := self._link.next_time()) is not None:
            self._rouse(time)

    def act(self) -> None:
        while (datagram := self._link.take(self._clock.now)) is not None:
            self._arrive(datagram)

    def next_time(self) -> float | None:
        return self._link.next_time()


class DatagramSide(Endpoint[DatagramPeer]):
    """One peer and its socket."""

    #: Sends one datagram.
    send: Callable[[bytes], None]

    def __init__(
        self, engine: DatagramPeer, clock: VirtualClock, outgoing: DatagramLink, incoming: DatagramLink
    ) -> None:
        super().__init__(engine)
        #: What this side sends into, and what it receives from.
        self.outgoing: DatagramLink = outgoing
        self.incoming: DatagramLink = incoming
        #: While true, this side does nothing at all: its process hangs.
        self.asleep: bool = False
        #: Whether its socket is gone.
        self.lost: bool = False
        self._clock = clock
        self._rouse = clock.join(self)
        # The socket's buffer.
        self._arrived: deque[bytes] = deque()

    def lose(self, error: BaseException | None = None) -> None:
        """This side's socket is gone; nobody else notices."""
        if self.lost:
            return
        now = self._clock.now
        self.lost = True
        self.deliver(self.engine.transport_lost(error, now), now)
        self._contract.check_silence(self.engine.data_to_send(now), now)

    def arrive(self, datagram: bytes) -> None:
        """One has come."""
        if not self.lost:
            self._arrived.append(datagram)
            self._rouse()

    def touch(self) -> None:
        """Somebody has called the engine: send what it has to send."""
        self._rouse()

    def deliver(self, events: list[Event], now: float) -> None:
        """Let the application have what the engine returned at ``now``; it may call any engine."""
        super().deliver(events, now)
        if events and self.reaches_others:
            self._clock.turns += 1

    def act(self) -> None:
        """Deal with what has come, and send. For :class:`VirtualClock`."""
        now = self._clock.now
        self._take_input(now)
        self._flush(now)  # with or without input: somebody may have called the engine
        while self._take_input(now):
            self._flush(now)

    def next_time(self) -> float | None:
        """When this side will do something by itself. For :class:`VirtualClock`."""
        return None if self.asleep or self.lost else self.engine.next_deadline()

    def _flush(self, now: float) -> None:
        if self.asleep or self.lost:
            return
        for datagram in self.engine.data_to_send(now):
            self.send(datagram)
        if self.engine.should_abort:
            self.lose()

    def _take_input(self, now: float) -> bool:
        """Deal with one input, if there is one; return whether there was."""
        if self.asleep or self.lost:
            return False
        if _is_due(self.engine.next_deadline(), now):
            events = self.engine.handle_timeout(now)
            self._contract.check_deadline(now)
        elif self._arrived:
            events = self.engine.receive_data(self._arrived.popleft(), now)
        else:
            return False
        self.deliver(events, now)
        return True


class DatagramWire(Timed):
    """Two equals, each with a socket, and the two links between them; both perfect by default.

    Raises :exc:`BrokenContract`, from any call, when an engine breaks its contract.
    """

    def __init__(
        self,
        left: DatagramPeer,
        right: DatagramPeer,
        *,
        there: DatagramLink | None = None,
        back: DatagramLink | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        super().__init__(clock)
        there, back = there or DatagramLink(), back or DatagramLink()
        #: The two sides.
        self.left: DatagramSide = DatagramSide(left, self.clock, there, back)
        self.right: DatagramSide = DatagramSide(right, self.clock, back, there)
        self.left.send = _Way(there, self.clock, self.right.arrive).send
        self.right.send = _Way(back, self.clock, self.left.arrive).send


class ServerSide:
    """A server and its socket. ``react`` is the application: it is called with every event, and whose it is."""

    def __init__(self, engine: DatagramServer, clock: VirtualClock) -> None:
        #: The engine.
        self.engine: Final = engine
        #: What it told, in order.
        self.events: list[PeerEvent] = []
        #: The application.
        self.react: Callable[[DatagramPeer, Event], None] = lambda _peer, _event: None
        #: While true, this side does nothing at all: its process hangs.
        self.asleep: bool = False
        #: Whether its socket is gone.
        self.lost: bool = False
        #: Whether the application may call the engines of clients. If not, a step of time costs them nothing.
        self.reaches_others: bool = True
        self._clock = clock
        self._rouse = clock.join(self)
        self._arrived: deque[tuple[bytes, Address]] = deque()
        # The way back to each client.
        self._ways: dict[Address, _Way] = {}
        self._contracts: dict[DatagramPeer, Contract] = {}

    def attach(self, address: Address, client: DatagramSide) -> None:
        """Let ``client`` and this server reach one another, the client at ``address``."""
        self._ways[address] = _Way(client.incoming, self._clock, client.arrive)
        client.send = _Way(client.outgoing, self._clock, partial(self._arrive, address)).send

    def lose(self, error: BaseException | None = None) -> None:
        """The server's socket is gone; nobody else notices."""
        if self.lost:
            return
        self.lost = True
        self._deliver(self.engine.transport_lost(error, self._clock.now))

    def touch(self) -> None:
        """Somebody has called an engine: send what there is to send."""
        self._rouse()

    def act(self) -> None:
        """Deal with what has come, and send. For :class:`VirtualClock`."""
        now = self._clock.now
        self._take_input(now)
        self._flush(now)  # with or without input: somebody may have called the engine
        while self._take_input(now):
            self._flush(now)

    def next_time(self) -> float | None:
        """When this side will do something by itself. For :class:`VirtualClock`."""
        return None if self.asleep or self.lost else self.engine.next_deadline()

    def _arrive(self, address: Address, datagram: bytes) -> None:
        if not self.lost:
            self._arrived.append((datagram, address))
            self._rouse()

    def _flush(self, now: float) -> None:
        if self.asleep or self.lost:
            return
        for datagram, address in self.engine.data_to_send(now):
            self._ways[address].send(datagram)
        if self.engine.should_abort:
            self.lose()

    def _take_input(self, now: float) -> bool:
        """Deal with one input, if there is one; return whether there was."""
        if self.asleep or self.lost:
            return False
        if _is_due(self.engine.next_deadline(), now):
            self._deliver(self.engine.handle_timeout(now))
        elif self._arrived:
            self._deliver(self.engine.receive_data(*self._arrived.popleft(), now))
        else:
            return False
        return True

    def _deliver(self, pairs: list[PeerEvent]) -> None:
        if not pairs:
            return
        told: dict[DatagramPeer, list[Event]] = {}
        for peer, event in pairs:
            told.setdefault(peer, []).append(event)
        for peer, events in told.items():
            self._contracts.setdefault(peer, Contract(peer)).check_events(events, self._clock.now)
        for peer, event in pairs:
            self.events.append((peer, event))
            self.react(peer, event)
        if self.reaches_others:
            self._clock.turns += 1


class DatagramNet(Timed):
    """One server, and clients that each reach it over two links of their own.

    Raises :exc:`BrokenContract`, from any call, when an engine breaks its contract.
    """

    def __init__(self, server: DatagramServer, *, clock: VirtualClock | None = None) -> None:
        super().__init__(clock)
        #: The sides.
        self.server: ServerSide = ServerSide(server, self.clock)
        self.clients: list[DatagramSide] = []

    def join(
        self, client: DatagramPeer, *, there: DatagramLink | None = None, back: DatagramLink | None = None
    ) -> DatagramSide:
        """One more client, at an address of its own: ``("192.0.2.1", 49152)`` is the first. ``there`` leads to the
        server, and ``back`` from it; both are perfect by default.
        """
        side = DatagramSide(client, self.clock, there or DatagramLink(), back or DatagramLink())
        self.clients.append(side)
        self.server.attach(self.address_of(side), side)
        return side

    def address_of(self, client: DatagramSide) -> Address:
        """Where ``client`` is."""
        return ("192.0.2.1", 49152 + self.clients.index(client))


def _is_due(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now
