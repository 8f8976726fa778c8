"""Two engines over a simulated stream transport.

Each :class:`Side` is the adapter that a careful author would write: after every input it flushes, it reads while
``wants_read``, sleeps until ``next_deadline()``, ends its half when told to, and drops the transport when told to.
Nothing happens but in the calls of :class:`Wire` and its clock, and no time passes but in those that say so.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from .._driver.client import ClientConnection
from .._driver.peer import ByteEngine
from .._driver.work import Work
from .._events import Event, Fragment
from .._types import Message, State
from ..frames import Frame, parse_frames
from .clock import Timed, VirtualClock, earliest
from .contract import BrokenContract
from .endpoint import Endpoint
from .link import Chunks, Link

__all__ = ["Side", "Wire"]


E_co = TypeVar("E_co", bound=ByteEngine, covariant=True)
C = TypeVar("C", bound=ByteEngine)
S = TypeVar("S", bound=ByteEngine)

#: More inputs, or turns of the sides, than this at one instant are an endless loop.
_ENDLESS: Final = 100_000


class Side(Endpoint[E_co]):
    """One engine and its adapter, on a :class:`Wire`."""

    #: The other side of the wire.
    other: Side[Any]

    def __init__(self, engine: E_co, clock: VirtualClock, outgoing: Link, incoming: Link, chunks: Chunks) -> None:
        super().__init__(engine)
        #: What this side writes to, and what it reads from.
        self.outgoing: Link = outgoing
        self.incoming: Link = incoming
        #: How much this side reads at once.
        self.chunks: Chunks = chunks
        #: While true, this side does nothing at all: its process hangs.
        self.asleep: bool = False
        #: Whether its transport is gone.
        self.lost: bool = False
        #: Whether the engine may have changed since it was last flushed. Set it when a participant of the clock has
        #: called the engine.
        self.is_touched: bool = True
        #: Seconds that each work of the engine takes whoever does it: see :meth:`offload`.
        self.work_time: float = 0.0
        self._clock = clock
        self._eof_told = False
        # Work that somebody does, and when it is done.
        self._working: list[tuple[float, Work]] = []

    def offload(self, min_size: int) -> None:
        """Let somebody else transform messages of ``min_size`` bytes and more, in :attr:`work_time`."""
        self.engine.offload(min_size)

    # --- for tests ----------------------------------------------------------------------------------------------------

    def receive(self) -> list[Message | Fragment]:
        """In pull style: take whatever the inbox holds, and ask for more; then let happen what comes of it."""
        items = super().receive()
        self._clock.settle()
        return items

    def inject(self, *frames: Frame | bytes) -> None:
        """Write ``frames`` as if the engine had, and let them arrive."""
        for frame in frames:
            self.outgoing.write(bytes(frame))
        self._clock.settle()

    def frames(self) -> list[Frame]:
        """What this side has written since the handshake, if there was one."""
        written = bytes(self.outgoing.log)
        has_head = written.startswith((b"GET ", b"HTTP/"))
        return list(parse_frames(written.partition(b"\r\n\r\n")[2] if has_head else written))

    def end(self) -> None:
        """End the outgoing half, whatever the engine thinks of it."""
        self.outgoing.is_shut = True
        self._clock.settle()

    def lose(self, error: BaseException | None = None) -> None:
        """This side's transport is gone, for it alone: the other side reads what is on its way, and then the end."""
        if self.lost:
            return
        now = self._clock.now
        self.lost = True
        self.outgoing.drop(now)
        self.incoming.discard()
        self.deliver(self.engine.transport_lost(error, now), now)
        while self._working:
            self.deliver(self._finish_work(now), now)
        self._contract.check_silence(self.engine.data_to_send(), now)

    # --- the adapter --------------------------------------------------------------------------------------------------

    def has_written(self, n_bytes: int, now: float) -> None:
        """So many outgoing bytes have left."""
        if self.outgoing.capacity is not None or self.outgoing.is_shut:
            self.is_touched = True  # there is room now, or nothing left
        if not self.lost and not self.asleep:
            self.engine.transmitted(n_bytes, now)

    def act(self, now: float) -> bool:
        """Deal with all the input there is, and flush behind each; return whether anything happened."""
        acted = False
        for _ in range(_ENDLESS):
            if self.lost or self.asleep:
                return acted
            if self._take_input(now):
                acted = True
            elif not self.is_touched:
                return acted
            self.is_touched = False
            acted = self._flush(now) or acted
        raise BrokenContract(f"at {now}: its input never ends")

    @property
    def has_news(self) -> bool:
        """Whether anything has come that was not read."""
        return bool(self.incoming.arrived) or (self.incoming.has_ended and not self._eof_told)

    def next_time(self) -> float | None:
        """When this side will do something by itself."""
        if self.lost or self.asleep:
            return None
        return earliest(self.engine.next_deadline(), *[done_at for done_at, _ in self._working])

    def _take_input(self, now: float) -> bool:
        engine, incoming = self.engine, self.incoming
        if self._working and self._working[0][0] <= now:
            events = self._finish_work(now)
        elif incoming.arrived and engine.wants_read:
            events = engine.receive_data(incoming.read(self.chunks), now)
        elif incoming.has_ended and not self._eof_told and engine.wants_read:
            self._eof_told = True
            events = engine.receive_eof(now)
        elif (deadline := engine.next_deadline()) is not None and deadline <= now:
            events = engine.handle_timeout(now)
            if not events:
                self._contract.check_deadline(now)
        else:
            return False
        self.deliver(events, now)
        return True

    def _finish_work(self, now: float) -> list[Event]:
        """The first work is done, or its outcome is not needed any more: what the engine says to that."""
        _, work = self._working.pop(0)
        work()
        return self.engine.work_done(work, now)

    def _flush(self, now: float) -> bool:
        """Write what the engine gives, and do to the transport what it asks; return whether anything was done."""
        engine, outgoing = self.engine, self.outgoing
        acted = False
        while (outgoing.capacity is None or outgoing.has_room) and (buffers := engine.data_to_send()):
            acted = True
            for buffer in buffers if not outgoing.is_shut else ():
                outgoing.write(buffer)
        while (work := engine.next_work()) is not None:
            self._working.append((now + self.work_time, work))
            self._working.sort(key=itemgetter(0))
        if not outgoing.is_shut and engine.half_close:
            outgoing.is_shut = acted = True
        if engine.should_abort or (self._eof_told and outgoing.is_shut and outgoing.is_empty):
            acted = True
            self.lose()
        return acted

    def _touch_others(self) -> None:
        self.other.is_touched = True
        self._clock.turns += 1


class Wire(Timed, Generic[C, S]):
    """A client and a server, and the two links between them: ``ClientConnection`` and ``ServerConnection``, two
    ``FramesConnection``, two ``StreamConnection``, or engines of your own with their face (:class:`ByteEngine`).

    ``up`` carries the client's bytes and ``down`` the server's; by default both are instant and have room for
    everything. ``chunks``: how much each side reads at once. ``clock``: share one among several wires, and they live
    in the same time. Raises :exc:`BrokenContract`, from any call, when an engine breaks its contract.
    """

    def __init__(
        self,
        client: C,
        server: S,
        *,
        clock: VirtualClock | None = None,
        up: Link | None = None,
        down: Link | None = None,
        chunks: Chunks = None,
    ) -> None:
        super().__init__(clock)
        up, down = up or Link(), down or Link()
        #: The two sides.
        self.client: Side[C] = Side(client, self.clock, up, down, chunks)
        self.server: Side[S] = Side(server, self.clock, down, up, chunks)
        #: Both of them, and both links.
        self.sides: tuple[Side[C], Side[S]] = (self.client, self.server)
        self.links: tuple[Link, Link] = (up, down)
        self.client.other = self.server
        self.server.other = self.client
        # The turn of the clock at which both engines were last flushed.
        self._looked_at = -1
        # When a wire that does something of itself will do it.
        self._next_step_at: float | None = None
        self.clock.join(self)

    # --- letting things happen ----------------------------------------------------------------------------------------

    def open(self, *, within: float = 60.0) -> None:
        """Let a ``ClientConnection`` send its request, and time pass until both sides are open.

        Raises :exc:`Standstill` if they are not ``within`` so many seconds.
        """
        if isinstance(self.client.engine, ClientConnection):
            self.client.engine.connect()
        self.clock.run_until(lambda: self.states() == [State.OPEN, State.OPEN], within=within)

    def finish(self) -> None:
        """Let time pass until both transports are gone. Raises :exc:`Standstill` if that never happens."""
        self.clock.run_until(lambda: self.client.lost and self.server.lost)

    # --- faults -------------------------------------------------------------------------------------------------------

    def cut(self, error: BaseException | None = None) -> None:
        """Nothing more passes, and both sides are told at once."""
        for link in self.links:
            link.discard()
        for side in self.sides:
            side.lose(error)

    def stall(self) -> None:
        """Nothing more passes, and nobody is told."""
        for link in self.links:
            link.stalled = True

    # --- facts --------------------------------------------------------------------------------------------------------

    def states(self) -> list[State]:
        """Where the client and the server stand."""
        return [self.client.engine.state, self.server.engine.state]

    def lost(self) -> list[bool]:
        """Whether the transports of the client and the server are gone."""
        return [self.client.lost, self.server.lost]

    # --- as a participant of the clock --------------------------------------------------------------------------------

    def act(self) -> None:
        """Bytes travel both ways, and each side deals with what comes, until both rest. For :class:`VirtualClock`."""
        now, (client, server), (up, down) = self.clock.now, self.sides, self.links
        if self._looked_at != self.clock.turns:
            client.is_touched = server.is_touched = True
        for _ in range(_ENDLESS):
            if moved := up.move(now):
                client.has_written(moved, now)
            if moved := down.move(now):
                server.has_written(moved, now)
            acted = client.act(now)
            acted = server.act(now) or acted
            # The server has had its turn after the client: is there anything for the client, or on its way?
            if not (acted and (client.is_touched or client.has_news or up.is_loaded or down.is_loaded)):
                self._looked_at = self.clock.turns
                return
        raise BrokenContract(f"at {now}: it never comes to rest")

    def next_time(self) -> float | None:
        """When something will happen by itself. For :class:`VirtualClock`."""
        (up, down), (client, server) = self.links, self.sides
        return earliest(self._next_step_at, up.next_time(), down.next_time(), client.next_time(), server.next_time())
