# cython: nonecheck=True
"""The link between a transport and an engine: what every read and every flush does, on every runtime.

:class:`LinkBase` is what the link of an adapter begins with. It does what there is to do while messages flow, and
leaves everything else to the adapter: it calls what it was given, and knows no runtime. What it is given for events is
a :class:`Delivery` where methods are told of messages, and a :class:`Gathering` where messages are asked for.

This file runs in Python and, compiled with the C types of ``link_c.pxd``, as ``link_c``. What is called for every
message takes what it is given by its place only: compiled, nothing is looked for then.

What lives here: the way from what was read to what is written. What must not: sockets, timers, and how anybody waits.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from .._events import Fragment
from .traffic_py import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._events import Event
    from .._types import Buffer, Message

__all__ = ["Delivery", "Gathering", "Intake", "LinkBase", "Outlet", "WaitersBase"]


class Intake:
    """What a link hands events to. This one tells nobody."""

    __slots__ = ()

    def deliver(self, events: Sequence[Event], /) -> None:
        """Take a batch of an engine's events."""
        self._take(events)

    def _take(self, events: Sequence[Event]) -> None:
        """What :meth:`deliver` does, as C calls it."""


class Outlet:
    """A transport of an adapter's own, which a link that is compiled calls without looking for anything. For authors of
    adapters.
    """

    __slots__ = ()

    def put(self, data: bytes | memoryview, /) -> bool:
        """Write ``data`` unless this is closing; return whether it was written."""
        if self.is_closing():
            return False
        self.write(data)
        return True

    @abstractmethod
    def is_closing(self, /) -> bool:
        """Whether it is over, or about to be."""

    @abstractmethod
    def write(self, data: bytes | memoryview, /) -> None:
        """Send ``data``, which must not change any more."""


class WaitersBase:
    """Who waits for input, as a link and :class:`Messages` know them: where all is compiled, nothing is looked for. For
    authors of adapters.
    """

    __slots__ = ()

    def rouse(self) -> None:
        """Events have come: :meth:`wake_at_once`, if anybody waits."""
        self.wake_at_once()

    def place(self) -> object:
        """Somebody is to wait: :meth:`pause`."""
        return self.pause()

    @abstractmethod
    def wake_at_once(self) -> None:
        """Let everybody look again, and do what they have to do, before this returns."""

    @abstractmethod
    def pause(self) -> object:
        """What a coroutine yields to wait."""


class LinkBase:
    """Carries bytes between a transport and ``engine``, and hands every batch of events to ``intake``. For authors of
    adapters.

    ``clock`` tells the engine's time, and ``waiters`` are woken by events. ``transport``, once there is one, has
    ``write(data)`` and ``is_closing()``; ``outlet`` is the same one, if it is an :class:`Outlet`.
    """

    __slots__ = (
        "_backlog",
        "_clock",
        "_due",
        "_fires_at",
        "_flush_is_due",
        "_intake",
        "_is_reading",
        "_timer",
        "engine",
        "is_lost",
        "outlet",
        "transport",
        "waiters",
    )

    outlet: Outlet | None
    # Of types that only an adapter knows.
    engine: Any
    transport: Any
    waiters: Any
    _timer: Any
    _due: Any

    def __init__(self, engine: Any, intake: Intake, clock: Callable[[], float], waiters: WaitersBase) -> None:
        #: The engine, which is a :class:`Traffic`.
        self.engine = engine
        #: The transport; ``None`` before there is one.
        self.transport = None
        self.outlet = None
        #: Whether the transport is gone: then nothing is written any more.
        self.is_lost: bool = False
        self._clock = clock
        self._intake = intake
        #: Who waits for input.
        self.waiters = waiters
        # Whether the transport is read, as far as the engine has been asked.
        self._is_reading: bool = True
        self._flush_is_due: bool = False
        # Where this link waits to be flushed, once others are read as well; ``None`` where it is flushed at once.
        self._due = None
        # What wakes this link in time, and when: ``None`` while there is no deadline.
        self._timer = None
        self._fires_at: float = 0.0
        # Bytes in the transport when it asked to pause; ``None`` while it takes more.
        self._backlog: int | None = None

    def tell_nobody(self) -> None:
        """Let go of whom events were handed to: who holds this link is free without a garbage collection then."""
        self._intake = Intake()

    def now(self) -> float:
        """The engine's clock."""
        return self._clock()

    def data_received(self, data: Buffer, /) -> None:
        """Take bytes that have come."""
        engine, now = self.engine, self._clock()
        # What is called by its class is not looked up, where this is compiled.
        events = engine.receive_data(data, now) if engine.is_followed else Traffic.receive_data(engine, data, now)
        if events:
            self._flush_is_due = True  # what the events provoke leaves in one write, below
            self._intake._take(events)  # pyright: ignore[reportPrivateUsage]  # as C knows it
            self.waiters.rouse()
        if self._due is None:
            LinkBase.flush(self)
        else:
            self._due.append(self)

    def flush_soon(self, /) -> None:
        """Flush once, before the runtime looks at its sockets again: what one turn sends leaves in one write."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._flush_later()

    def flush(self) -> None:
        """Write what the engine has to say, and do with the transport what it wants."""
        self._flush_is_due = False
        engine = self.engine
        if self.transport is None or self.is_lost or not self._write():
            return
        flows = (
            engine.is_flowing if engine.is_followed else Traffic._flows(engine)  # pyright: ignore[reportPrivateUsage]  # as C knows it
        )
        if not ((flows and self._is_reading) or self._steer()):
            return
        deadline = engine.next_deadline() if engine.is_followed else Traffic.next_deadline(engine)
        if deadline is None:
            if self._timer is not None:
                self._disarm()
        elif self._timer is None or deadline < self._fires_at:
            self._arm(deadline)

    # --- behind -------------------------------------------------------------------------------------------------------

    def _write(self) -> bool:
        """Write what the engine has to say, as far as the transport takes more; return whether it may go on."""
        engine = self.engine
        while self._backlog is None:
            if not engine.is_followed:
                only = Traffic._take_only(engine)  # pyright: ignore[reportPrivateUsage]  # as C knows it
                if only is not None:
                    return not only or self._put(only)
            buffers = engine.data_to_send() if engine.is_followed else Traffic.data_to_send(engine)
            if not buffers:
                break
            if len(buffers) > 1:
                buffers = self._write_at_once(buffers)
            for buffer in buffers:  # one by one: on CPython 3.12 and 3.13 asyncio's writelines() never asks to pause
                if not self._put(buffer):
                    return False
        return True

    def _put(self, buffer: bytes | memoryview) -> bool:
        """Hand ``buffer`` to the transport, unless that is closing; return whether it has got it."""
        if self.outlet is not None:
            return self.outlet.put(buffer)
        transport = self.transport
        if transport.is_closing():  # it broke: asyncio complains of who goes on writing
            return False
        transport.write(buffer)
        return True

    # --- what else there is, for the adapter --------------------------------------------------------------------------

    @abstractmethod
    def _flush_later(self) -> None:
        """Call :meth:`flush` before the runtime looks at its sockets again."""

    @abstractmethod
    def _write_at_once(self, buffers: list[bytes | memoryview]) -> list[bytes | memoryview]:
        """Write several buffers in one call, if that can be; return what is left of them."""

    @abstractmethod
    def _steer(self) -> bool:
        """Do with the transport what the engine wants, besides writing; return whether deadlines still matter."""

    @abstractmethod
    def _arm(self, deadline: float) -> None:
        """Let the timer fire at ``deadline``, which is earlier than it would."""

    @abstractmethod
    def _disarm(self) -> None:
        """Let no timer fire."""


class Delivery(Intake):
    """Hands each message of a batch to ``listener.received(peer, message)``, and each other event to ``peer.note()``.
    For authors of adapters.

    An exception that leaves ``received`` goes to ``peer.fail()``, with ``complaint`` for the operator.
    """

    __slots__ = ("_complaint", "_listener", "_peer")

    def __init__(self, listener: _Listener, peer: _Told, complaint: str) -> None:
        self._listener, self._peer, self._complaint = listener, peer, complaint

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if not (isinstance(event, (str, bytes)) or isinstance(event, Fragment)):  # noqa: SIM101  # looked up only then
                self._peer.note(event)
                continue
            try:
                self._listener.received(self._peer, event)
            except Exception as error:
                self._peer.fail(error, self._complaint)


class Gathering(Intake):
    """Moves the messages of a batch into the inbox of ``engine``, and hands each other event to ``peer.note()``. For
    authors of adapters.
    """

    __slots__ = ("_engine", "_peer")

    def __init__(self, engine: Any, peer: _Told) -> None:
        self._engine, self._peer = engine, peer

    def _take(self, events: Sequence[Event]) -> None:
        engine = self._engine
        for event in engine.gather(events) if engine.is_followed else Traffic.gather(engine, events):
            self._peer.note(event)


class _Listener(Protocol):
    def received(self, ws: Any, message: Message | Fragment, /) -> None: ...


class _Told(Protocol):
    def note(self, event: Event) -> None: ...
    def fail(self, error: Exception, words: str) -> None: ...
