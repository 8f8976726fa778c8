"""Datagram engines over a simulated network.

As on a :class:`Wire`, each end is the adapter that a careful author would write: after every input it sends what there
is to be sent, it sleeps until ``next_deadline()``, and it closes its socket when told to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .._events import Event
from .._packets.datagram import DatagramPeer
from .._packets.server import DatagramServer, PeerEvent
from .._packets.session import Address
from .clock import Timed, VirtualClock, earliest
from .contract import Contract
from .datagram_link import DatagramLink
from .endpoint import Endpoint

__all__ = ["DatagramNet", "DatagramSide", "DatagramWire", "ServerSide"]


class DatagramSide(Endpoint[DatagramPeer]):
    """One peer and its socket."""

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
        clock.join(self)

    def lose(self, error: BaseException | None = None) -> None:
        """This side's socket is gone; nobody else notices."""
        if self.lost:
            return
        now = self._clock.now
        self.lost = True
        self.deliver(self.engine.transport_lost(error, now), now)
        self._contract.check_silence(self.engine.data_to_send(now), now)

    def act(self) -> bool:
        """Deal with one input, if there is one, and send; return whether anything happened. For
        :class:`VirtualClock`.
        """
        if self.asleep:
            return False
        now = self._clock.now
        if self.lost:
            return self.incoming.take(now) is not None
        has_input = self._take_input(now)
        datagrams = self.engine.data_to_send(now)
        for datagram in datagrams:
            self.outgoing.put(datagram, now)
        if self.engine.should_abort:
            self.lose()
        return has_input or bool(datagrams) or self.lost

    def next_time(self) -> float | None:
        """When this side will do something by itself. For :class:`VirtualClock`."""
        if self.asleep:
            return None
        return earliest(self.incoming.next_time(), None if self.lost else self.engine.next_deadline())

    def _take_input(self, now: float) -> bool:
        if _is_due(self.engine.next_deadline(), now):
            events = self.engine.handle_timeout(now)
            self._contract.check_deadline(now)
        elif (datagram := self.incoming.take(now)) is not None:
            events = self.engine.receive_data(datagram, now)
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
        self._clock = clock
        self._clients: dict[Address, DatagramSide] = {}
        self._contracts: dict[DatagramPeer, Contract] = {}
        clock.join(self)

    def attach(self, address: Address, client: DatagramSide) -> None:
        """Let ``client`` be reached at ``address``."""
        self._clients[address] = client

    def lose(self, error: BaseException | None = None) -> None:
        """The server's socket is gone; nobody else notices."""
        if self.lost:
            return
        self.lost = True
        self._deliver(self.engine.transport_lost(error, self._clock.now))

    def act(self) -> bool:
        """Deal with one input, if there is one, and send; return whether anything happened. For
        :class:`VirtualClock`.
        """
        if self.asleep:
            return False
        if self.lost:
            return self._next_datagram() is not None
        has_input = self._take_input()
        datagrams = self.engine.data_to_send(self._clock.now)
        for datagram, address in datagrams:
            self._clients[address].incoming.put(datagram, self._clock.now)
        if self.engine.should_abort:
            self.lose()
        return has_input or bool(datagrams) or self.lost

    def next_time(self) -> float | None:
        """When this side will do something by itself. For :class:`VirtualClock`."""
        if self.asleep:
            return None
        arrivals = [client.outgoing.next_time() for client in self._clients.values()]
        return earliest(*arrivals, None if self.lost else self.engine.next_deadline())

    def _take_input(self) -> bool:
        now = self._clock.now
        if _is_due(self.engine.next_deadline(), now):
            self._deliver(self.engine.handle_timeout(now))
        elif (found := self._next_datagram()) is not None:
            self._deliver(self.engine.receive_data(*found, now))
        else:
            return False
        return True

    def _next_datagram(self) -> tuple[bytes, Address] | None:
        for address, client in self._clients.items():
            if (datagram := client.outgoing.take(self._clock.now)) is not None:
                return datagram, address
        return None

    def _deliver(self, pairs: list[PeerEvent]) -> None:
        told: dict[DatagramPeer, list[Event]] = {}
        for peer, event in pairs:
            told.setdefault(peer, []).append(event)
        for peer, events in told.items():
            self._contracts.setdefault(peer, Contract(peer)).check_events(events, self._clock.now)
        for peer, event in pairs:
            self.events.append((peer, event))
            self.react(peer, event)


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
        self.server.attach(("192.0.2.1", 49152 + len(self.clients)), side)
        self.clients.append(side)
        return side


def _is_due(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now
