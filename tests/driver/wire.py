"""Two engines over a fake wire, under virtual time: the main test tool of the driver.

A :class:`Wire` joins two :class:`Side` objects by two :class:`Pipe` objects. Each side is the adapter that a careful
author would write: after every input it flushes, it reads while ``wants_read``, sleeps until ``next_deadline()``, ends
its half when told to, and drops the transport when told to. Nothing happens but in :meth:`Wire.settle` and what calls
it, and no time passes but in :meth:`Wire.run` and :meth:`Wire.finish`.

What must hold for every connection is asserted here, on every input: one ``Closed`` event and nothing behind it, a
report exactly when it was told, no deadline left in the past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias, TypeVar

from wsproto_core import (
    ClientConnection,
    Closed,
    CloseReport,
    Connection,
    Event,
    Fragment,
    Message,
    Request,
    ServerConnection,
    State,
)
from wsproto_core.frames import Frame, parse_frames

#: How much is read at once: everything, so many bytes, or as a seeded generator says.
Chunks: TypeAlias = int | Random | None

#: Not zero: a clock that starts at zero hides time that was never given.
START = 1000.0

#: A slow line moves this many seconds' worth of bytes at a time.
_SLICE = 0.1
#: More inputs than this at one instant are an endless loop.
_ENDLESS = 1_000_000

C = TypeVar("C", bound=Connection)
T = TypeVar("T")


class Pipe:
    """One direction: the writer's buffer, the line, and the reader's buffer, each holding up to ``capacity`` bytes."""

    def __init__(self) -> None:
        self.latency = 0.0
        #: Bytes a second; ``None`` for an instant.
        self.rate: float | None = None
        self.capacity: int | None = None
        #: While true, nothing leaves the writer's buffer.
        self.stalled = False
        #: The writer will write no more.
        self.is_shut = False
        #: Everything that was ever written.
        self.log = bytearray()
        #: The reader's buffer, and whether the end follows it.
        self.arrived = bytearray()
        self.has_ended = False
        self._written = bytearray()
        self._flight: deque[tuple[float, bytes | None]] = deque()
        self._free_at = 0.0
        self._end_left = False
        self._is_broken = False

    @property
    def has_room(self) -> bool:
        return self.capacity is None or len(self._written) < self.capacity

    @property
    def is_empty(self) -> bool:
        """Whether everything written has left."""
        return not self._written

    def write(self, data: bytes) -> None:
        assert not self.is_shut, "written after the end"
        self.log += data
        self._written += data

    def discard(self) -> None:
        """The reader is gone, or the line is cut: whatever is on its way, or will be written, vanishes."""
        self._is_broken = True
        self._written.clear()
        self._flight.clear()
        self.arrived.clear()

    def drop(self, now: float) -> None:
        """The writer is gone: what the line still takes arrives, the rest vanishes."""
        self.move(now)
        self._written.clear()
        self.is_shut = True

    def move(self, now: float) -> int:
        """Let bytes travel as far as they get by ``now``; return how many left the writer's buffer."""
        moved = 0
        while (size := self._movable()) and self._free_at <= now:
            piece = bytes(self._written[:size])
            del self._written[:size]
            moved += size
            if self.rate is not None:
                self._free_at = now + size / self.rate
            self._flight.append((max(now, self._free_at) + self.latency, piece))
        if self.is_shut and not self._written and not self._end_left and not self.stalled:
            self._end_left = True
            self._flight.append((max(now, self._free_at) + self.latency, None))
        while self._flight and self._flight[0][0] <= now:
            self._arrive(self._flight.popleft()[1])
        return moved

    def next_time(self) -> float | None:
        """When something will move by itself."""
        times = [self._flight[0][0]] if self._flight else []
        if self.rate is not None and self._movable():
            times.append(self._free_at)
        return min(times, default=None)

    def _movable(self) -> int:
        if self.stalled:
            return 0
        size = len(self._written)
        if self.rate is not None:
            size = min(size, max(1, int(self.rate * _SLICE)))
        if self.capacity is not None:
            ahead = len(self.arrived) + sum(len(piece or b"") for _, piece in self._flight)
            size = min(size, max(0, self.capacity - ahead))
        return size

    def _arrive(self, piece: bytes | None) -> None:
        if piece is None:
            self.has_ended = True
        elif not self._is_broken:
            self.arrived += piece


class Side:
    """One engine and its adapter. ``react`` is the application: it is called with every event."""

    def __init__(self, wire: Wire, engine: Connection, outgoing: Pipe, incoming: Pipe) -> None:
        self.engine = engine
        self.outgoing = outgoing
        self.incoming = incoming
        #: What the engine told, in order; in pull style without the messages.
        self.events: list[Event] = []
        self.react: Callable[[Event], None] = self._accept
        #: Whether messages are gathered, to be taken by :meth:`receive`.
        self.pulls = False
        #: While true, this side does nothing at all: its process hangs.
        self.asleep = False
        self.lost = False
        self._wire = wire
        self._eof_told = False
        self._closed: Closed | None = None

    # --- for tests ----------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Message | Fragment]:
        """What was received, in push style."""
        return [event for event in self.events if isinstance(event, str | bytes | Fragment)]

    @property
    def report(self) -> CloseReport:
        """That of the one ``Closed`` event."""
        assert self._closed is not None, "the end was not told"
        return self._closed.report

    def told(self, kind: type[T]) -> list[T]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]

    def receive(self) -> list[Message | Fragment]:
        """Take whatever the inbox holds, and ask for more."""
        items: list[Message | Fragment] = []
        while (item := self.engine.next_message()) is not None:
            items.append(item)
        self._wire.settle()
        return items

    def inject(self, *frames: Frame | bytes) -> None:
        """Write ``frames`` as if the engine had, and let them arrive."""
        for frame in frames:
            self.outgoing.write(bytes(frame))
        self._wire.settle()

    def frames(self) -> list[Frame]:
        """What this side has written since the handshake."""
        return list(parse_frames(bytes(self.outgoing.log).partition(b"\r\n\r\n")[2]))

    def end(self) -> None:
        """End the outgoing half, whatever the engine thinks of it."""
        self.outgoing.is_shut = True
        self._wire.settle()

    def lose(self, error: BaseException | None = None) -> None:
        """This side's transport is gone."""
        if self.lost:
            return
        self.lost = True
        self.outgoing.drop(self._wire.now)
        self.incoming.discard()
        self._deliver(self.engine.transport_lost(error, self._wire.now))
        assert self.engine.next_deadline() is None, "nothing is awaited without a transport"
        assert self.engine.data_to_send() == []

    # --- the adapter --------------------------------------------------------------------------------------------------

    def push(self) -> bool:
        """Let the outgoing bytes travel; return whether any did."""
        moved = self.outgoing.move(self._wire.now)
        if moved and not self.lost and not self.asleep:
            self.engine.transmitted(moved, self._wire.now)
        return moved > 0

    def step(self) -> bool:
        """Deal with one input, if there is one, and flush; return whether anything happened."""
        if self.lost or self.asleep:
            return False
        return self._input(self._wire.now) | self._flush()

    def _input(self, now: float) -> bool:
        engine = self.engine
        if engine.wants_read and self.incoming.arrived:
            self._deliver(engine.receive_data(self._chunk(), now))
        elif engine.wants_read and self.incoming.has_ended and not self._eof_told:
            self._eof_told = True
            self._deliver(engine.receive_eof(now))
        elif (deadline := engine.next_deadline()) is not None and deadline <= now:
            events = engine.handle_timeout(now)
            later = engine.next_deadline()
            assert later is None or later > now, "a deadline was left in the past"
            self._deliver(events)
        else:
            return False
        return True

    def _chunk(self) -> bytes:
        arrived, chunks = self.incoming.arrived, self._wire.chunks
        size = chunks.randint(1, 1 + len(arrived) // 2) if isinstance(chunks, Random) else chunks or len(arrived)
        piece = bytes(arrived[:size])
        del arrived[:size]
        return piece

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            assert self._closed is None, "something followed Closed"
            if isinstance(event, Closed):
                self._closed = event
        assert self.engine.close_report is (self._closed and self._closed.report)
        if self.pulls:
            events = self.engine.gather(events)
        for event in events:
            self.events.append(event)
            self.react(event)

    def _flush(self) -> bool:
        engine, outgoing = self.engine, self.outgoing
        busy = False
        while not self.lost and outgoing.has_room and (buffers := engine.data_to_send()):
            busy = True
            for buffer in buffers if not outgoing.is_shut else ():
                outgoing.write(buffer)
        if engine.half_close and not outgoing.is_shut:
            outgoing.is_shut = busy = True
        if engine.should_abort or (self._eof_told and outgoing.is_shut and outgoing.is_empty):
            busy = not self.lost
            self.lose()
        return busy

    def _accept(self, event: Event) -> None:
        if isinstance(event, Request) and isinstance(self.engine, ServerConnection):
            self.engine.accept()


class Wire:
    """A client and a server, and the time that both of them see."""

    def __init__(self, client: Connection, server: Connection, chunks: Chunks = None) -> None:
        self.now = START
        self.chunks = chunks
        up, down = Pipe(), Pipe()
        self.client = Side(self, client, up, down)
        self.server = Side(self, server, down, up)
        self.sides = (self.client, self.server)
        self.pipes = (up, down)

    def settle(self) -> None:
        """Let everything happen that happens without time passing."""
        for _ in range(_ENDLESS):
            moved = [side.push() for side in self.sides]
            acted = [side.step() for side in self.sides]
            if not any(moved + acted):
                return
        raise AssertionError("it never comes to rest")

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass, and everything happen in its time."""
        until = self.now + seconds
        self.settle()
        while (at := self._next_time()) is not None and at <= until:
            self._go_to(at)
        self.now = until

    def finish(self) -> None:
        """Let time pass until both transports are gone."""
        self.settle()
        while not all(side.lost for side in self.sides):
            at = self._next_time()
            assert at is not None, "nothing will ever happen again"
            self._go_to(at)

    def cut(self, error: BaseException | None = None) -> None:
        """Nothing more passes, and both sides are told at once."""
        for pipe in self.pipes:
            pipe.discard()
        for side in self.sides:
            side.lose(error)

    def stall(self) -> None:
        """Nothing more passes, and nobody is told."""
        for pipe in self.pipes:
            pipe.stalled = True

    def states(self) -> list[State]:
        """Where the client and the server stand."""
        return [side.engine.state for side in self.sides]

    def lost(self) -> list[bool]:
        """Whether the transports of the client and the server are gone."""
        return [side.lost for side in self.sides]

    def _go_to(self, at: float) -> None:
        self.now = max(self.now, at)
        self.settle()

    def _next_time(self) -> float | None:
        times = [pipe.next_time() for pipe in self.pipes]
        times += [side.engine.next_deadline() for side in self.sides if not side.lost and not side.asleep]
        return min((time for time in times if time is not None), default=None)


def make_client(uri: str = "ws://example.com/chat", **options: Any) -> ClientConnection:
    """A client whose randomness repeats itself."""
    return ClientConnection(uri, **{"entropy": Random(0).randbytes, "now": START, **options})


def make_server(**options: Any) -> ServerConnection:
    return ServerConnection(**{"now": START, **options})


def make_wire(
    chunks: Chunks = None, *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **both: Any
) -> Wire:
    """A wire whose client has not yet said anything. ``both`` are options of either engine."""
    return Wire(make_client(**both, **(client or {})), make_server(**both, **(server or {})), chunks)


def open_wire(
    chunks: Chunks = None, *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **both: Any
) -> Wire:
    """A wire over which the opening handshake is done; its events are forgotten."""
    wire = make_wire(chunks, client=client, server=server, **both)
    connect(wire)
    for side in wire.sides:
        assert side.engine.state is State.OPEN
        side.events.clear()
    return wire


def connect(wire: Wire) -> None:
    """Let the client send its request, and everything happen that follows."""
    assert isinstance(wire.client.engine, ClientConnection)
    wire.client.engine.connect()
    wire.settle()


def shake_hands(client: ClientConnection, server: ServerConnection, now: float = START) -> None:
    """Open both engines without a wire."""
    client.connect()
    server.receive_data(b"".join(client.data_to_send()), now)
    server.accept()
    client.receive_data(b"".join(server.data_to_send()), now)
    assert client.state is server.state is State.OPEN
