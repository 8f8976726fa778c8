"""The binding: one asyncio transport and one engine, and nothing decided.

One reader, one flush, one timer, one ``until``. After every input the output is flushed; only inputs wake waiters,
and every waiter checks its own predicate again. What happens, and when, is the engine's business.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, cast

from wsproto_core import ByteEngine, Delivery, Event, Gathering, LinkBase, Log, Outlet, PreparedMessage, Work

from .crowd import Crowd
from .stream import SocketTransport, memory
from .waiting import Waiters, clock_of

__all__ = ["Link"]

#: The transport holds at most about this much; the rest waits in the engine, where urgent frames can overtake it.
_TRANSPORT_BUFFER: Final = 64 * 1024
#: Batches of the engine that leave in one call, at most: nothing overtakes what the socket does not take of them.
_MAX_APPETITE: Final = 4
_T = TypeVar("_T")
_Buffers: TypeAlias = list[bytes | memoryview]
#: The loop's, or our own, which is none by name.
_Transport: TypeAlias = asyncio.Transport | SocketTransport
_HAS_VECTORED_WRITES: Final = hasattr(os, "writev")  # Windows does not


class Link(LinkBase, asyncio.BufferedProtocol):
    """Carries bytes between a transport and ``engine``, and hands every batch of events to ``intake``."""

    __slots__ = (
        "__weakref__",
        "_appetite",
        "_has_ended",
        "_loop",
        "_memory",
        "_peer_ended",
        "_working",
        "local_address",
        "on_lost",
        "on_made",
        "remote_address",
    )

    #: Where an operator is told what went wrong.
    log: ClassVar[Log] = logging.getLogger("wsproto_asyncio")
    #: The loop's transport, or our own; ``None`` before there is one.
    transport: Any
    outlet: Outlet | None  # again, for pyright's check of public types
    waiters: Waiters

    def __init__(self, engine: ByteEngine, intake: Delivery | Gathering) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(engine, intake, clock_of(self._loop), Waiters())
        engine.offload()
        #: Called when the transport is there, and once it is gone.
        self.on_made: Callable[[], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        #: The addresses of both ends, as the socket module writes them. A closed transport of uvloop cannot tell.
        self.local_address: Any = None
        self.remote_address: Any = None
        self._memory = memory()
        self._peer_ended = False
        self._has_ended = False
        # How many batches may leave in one call: twice what the socket has taken in the last one.
        self._appetite = 1
        # Work of the engine that threads do.
        self._working: dict[asyncio.Future[None], Work] | None = None

    # --- in: what the transport tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Its class says nothing: uvloop's transports are no subclasses of asyncio's.
        self.transport = transport = cast(asyncio.Transport, transport)
        self.local_address = transport.get_extra_info("sockname")
        self.remote_address = transport.get_extra_info("peername")
        transport.set_write_buffer_limits(high=_TRANSPORT_BUFFER, low=_TRANSPORT_BUFFER // 4)
        on_made, self.on_made = self.on_made, None
        if on_made is not None:
            on_made()
        self._after_input([])

    def be_carried_by(self, transport: SocketTransport, crowd: Crowd | None) -> None:
        """The same, for a transport of our own, which does not read before :meth:`begin`. It is one of ``crowd``."""
        self.transport = self.outlet = transport
        self._due = None if crowd is None else crowd.due
        self.local_address, self.remote_address = transport.addresses

    def begin(self) -> None:
        """Take what is there at once."""
        if not self.transport.read_now():  # else something was, and has been dealt with
            self.flush()

    def go_on(self) -> None:
        """Read whatever comes, if more is wanted: in a copy of this context."""
        if self._is_reading:
            self.transport.resume_reading()

    def take_over(self, transport: asyncio.Transport) -> None:
        """Carry on with a transport that another protocol has opened."""
        transport.set_protocol(self)
        self.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's
        return self._memory

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(self._memory[:nbytes])

    def eof_received(self) -> bool:
        self._peer_ended = True
        self._after_input(self.engine.receive_eof(self._clock()))
        # Whether to keep the write side open: TLS cannot, and there is no need once everything has been said.
        return self._can_write_eof() and not self._has_ended

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_lost:
            return
        self.is_lost = True
        self._after_input(self.engine.transport_lost(exc, self._clock()))
        self._disarm()
        for future in self._working or ():
            future.cancel()
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()
        self.tell_nobody()

    def pause_writing(self) -> None:
        self._backlog = self._written_but_unsent()

    def resume_writing(self) -> None:
        self._report_progress()
        self._backlog = None
        self._after_input([])

    def _report_progress(self) -> None:
        """Tell the engine how much of the backlog has left: a peer that reads slowly is alive."""
        if self._backlog is not None:
            before, self._backlog = self._backlog, self._written_but_unsent()
            self.engine.transmitted(before - self._backlog, self._clock())

    def _timeout(self) -> None:
        self._timer = None
        self._report_progress()
        self._after_input(self.engine.handle_timeout(self._clock()))

    def _after_input(self, events: Sequence[Event]) -> None:
        if events:
            self._flush_is_due = True  # as in data_received()
            self._intake.deliver(events)
        self.flush()
        self.waiters.wake()

    # --- out: what the engine wants -----------------------------------------------------------------------------------

    def _flush_later(self) -> None:
        self._loop.call_soon(self.flush)

    def pass_on(self, message: PreparedMessage) -> bool:
        """Write the frame of ``message`` at once, past the engine, if nothing stands in its way; return whether."""
        transport, frame = self.transport, message.frame
        if transport is None or self._flush_is_due or self._backlog is not None or transport.is_closing():
            return False
        if not self.engine.pass_frame(frame):
            return False
        transport.write(frame)
        return True

    def _write_at_once(self, buffers: _Buffers) -> _Buffers:
        """Hand ``buffers``, and a few batches behind them, to the socket in one call: nothing is copied, and one call
        costs less. Return what it did not take, for the transport.
        """
        transport = self.transport
        sock = transport.get_extra_info("socket")
        is_plain = _HAS_VECTORED_WRITES and transport.get_extra_info("sslcontext") is None
        if sock is None or not is_plain or transport.get_write_buffer_size() or transport.is_closing():
            return buffers
        for _ in range(self._appetite - 1):
            buffers += self.engine.data_to_send()
        try:
            sent = os.writev(sock.fileno(), buffers)
        except OSError:  # the transport finds out as well, and knows what to do
            sent = 0
        rest = _without(buffers, sent)
        self._appetite = 1 if rest else min(2 * self._appetite, _MAX_APPETITE)
        return rest

    def _steer(self) -> bool:
        engine = self.engine
        transport: _Transport = self.transport
        if engine.should_abort:
            transport.abort()
        elif engine.half_close:
            self._end(transport)
        if transport.is_closing():
            # Our own is gone sooner than any timer would fire.
            return not (isinstance(transport, SocketTransport) and transport.is_ending)
        while (work := engine.next_work()) is not None:
            self._have_done(work)
        self._set_reading(transport, engine.wants_read)
        return True

    def _have_done(self, work: Work) -> None:
        """Let a thread do ``work``, which would hold up everybody here."""
        try:
            future = self._loop.run_in_executor(None, work)
        except RuntimeError:  # the loop is about to be closed, and its threads are gone already
            self.abort()
            return
        self._working = self._working or {}
        self._working[future] = work
        future.add_done_callback(self._work_done)

    def _work_done(self, future: asyncio.Future[None]) -> None:
        assert self._working is not None, "it is one of them"
        work = self._working.pop(future)
        if future.cancelled():
            return
        try:
            events = self.engine.work_done(work, self._clock())
        except Exception:
            self.abort()  # as the loop does where what has come cannot be dealt with
            raise
        self._after_input(events)

    def _end(self, transport: _Transport) -> None:
        """Everything has been said: end the write side, or both if nothing more can come or TLS knows no half."""
        if self._has_ended:
            return
        self._has_ended = True
        if self.engine.ends_both_ways or not self._can_write_eof():
            transport.close()
        else:
            try:
                transport.write_eof()
            except OSError:
                pass  # it is broken already: connection_lost() tells

    def _set_reading(self, transport: _Transport, wanted: bool) -> None:
        if transport.is_closing() or self._peer_ended or wanted is self._is_reading:
            return
        self._is_reading = wanted
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _arm(self, deadline: float) -> None:
        # Deadlines mostly move later: then it fires as it was set, and looks again.
        self._disarm()
        self._fires_at = deadline
        self._timer = self._loop.call_at(deadline, self._timeout)

    def _disarm(self) -> None:
        # A loop that has no timer waits without looking at the clock, which every turn gains by.
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _can_write_eof(self) -> bool:
        return self.transport is not None and self.transport.can_write_eof()

    def _written_but_unsent(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def until(self, attempt: Callable[[], _T | None]) -> Awaitable[_T]:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        return self.waiters.until(attempt)

    async def until_lost(self) -> None:
        """Wait until the transport is gone. The engine's closing timer sees to it that it goes."""
        await self.until(lambda: self.is_lost or None)

    def close(self) -> None:
        """Drop the transport, behind what it has been given."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Drop the transport at once."""
        if self.transport is not None:
            self.transport.abort()


def _without(buffers: _Buffers, size: int) -> _Buffers:
    """``buffers`` without their first ``size`` bytes."""
    for index, buffer in enumerate(buffers):
        if size < len(buffer):
            return [memoryview(buffer)[size:], *buffers[index + 1 :]]
        size -= len(buffer)
    return []
