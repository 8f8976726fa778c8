"""The binding: one trio stream and one engine, and nothing decided.

One reader, one writer, one timer, one ``until``. Only inputs wake waiters (bytes, the end, the timer, and the stream
that takes more), and every waiter checks its own predicate again. What happens, and when, is the engine's business.

A socket without TLS is read and written directly. What is sent leaves at once where it is the only thing, else in one
write: when the task that sent it waits, or when the writer has its turn, whichever is first.
"""

from __future__ import annotations

import functools
import logging
import math
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, cast

import trio

from wsproto_core import ByteEngine, CloseCode, Event, Log, Work

from .waiting import Waiters

__all__ = ["Link", "as_os_error"]

#: The stream gets at most this much at once, so that the engine hears of progress.
_SLICE_SIZE: Final = 64 * 1024
#: What is received from a socket at once, at most.
_READ_SIZE: Final = 64 * 1024
#: Seconds that the last bytes of a connection which is given up may take to leave.
_LAST_WORDS: Final = 0.1


class _Memory(threading.local):
    """Where bytes are received: one place for all connections of a thread, because each is dealt with at once."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_READ_SIZE))


_memory: Final = _Memory()


class Link(Waiters):
    """Carries bytes between a stream and ``engine``, and hands every batch of events to ``deliver``."""

    #: Where an operator is told what went wrong.
    log: ClassVar[Log] = logging.getLogger("wsproto_trio")

    def __init__(self, engine: ByteEngine, deliver: Callable[[Sequence[Event]], None]) -> None:
        super().__init__()
        self.engine = engine
        engine.offload()
        self.stream: trio.abc.Stream | None = None
        #: The addresses of both ends, as the socket module writes them.
        self.local_address: Any = None
        self.remote_address: Any = None
        self.is_lost: bool = False
        self._deliver = deliver
        # The reader and the writer, when they have nothing to do.
        self._reader = trio.lowlevel.ParkingLot()
        self._writer = trio.lowlevel.ParkingLot()
        self._all = trio.CancelScope()
        # Where work of the engine is done, while bytes are carried.
        self._workshop: trio.Nursery | None = None
        # Outlives a cancellation from outside, for the last words.
        self._writing = trio.CancelScope(shield=True)
        self._timer: trio.CancelScope | None = None
        self._fires_at = -math.inf  # no timer yet: it looks at the engine when it begins
        # The socket below, while the stream is nothing but that socket and lives.
        self._socket: socket.socket | None = None
        # What the socket did not take at once, for the writer.
        self._rest: list[bytes | memoryview] = []
        self._is_writing = False
        self._is_reading = True
        self._flush_is_due = False
        # Whether more is to be expected behind what is sent now.
        self._is_corked = True
        self._is_leaving = False
        self._peer_ended = False
        self._has_ended = False
        self._error: BaseException | None = None

    def now(self) -> float:
        """The engine's clock."""
        return trio.current_time()

    # --- life ---------------------------------------------------------------------------------------------------------

    def take_over(self, stream: trio.abc.Stream) -> None:
        """Carry bytes over ``stream`` from now on: :meth:`run` must follow."""
        self.stream = stream
        self.local_address, self.remote_address = _addresses(stream)

    async def run(self, *, shield: bool = False) -> None:
        """Carry bytes until the stream is gone, which is closed then. Raises nothing.

        Cancelled from outside, it says goodbye with 1011, as far as the stream takes that at once. With ``shield`` it
        goes on instead, so that who is cancelled as well does not see the connection break; then somebody must
        :meth:`leave` it.
        """
        with trio.CancelScope(shield=shield):
            await self._run()

    async def _run(self) -> None:
        stream = self.stream
        assert stream is not None, "taken over"
        below = self._socket = _socket_of(stream)
        try:
            with self._all:
                async with trio.open_nursery() as nursery:
                    self._workshop = nursery
                    nursery.start_soon(self._guard, self._keep_time, stream)
                    nursery.start_soon(self._guard, self._write, stream)
                    await self._guard(self._read, stream)
        finally:
            self._socket = self._workshop = None
            if below is not None:
                below.detach()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
            self.is_lost = True
            if self._is_leaving and not self._peer_ended:
                self.engine.abort(now=self.now())  # this side has dropped it: that is not the peer's goodbye
            self._after_input(self.engine.transport_lost(self._error, self.now()))

    async def _guard(self, work: Callable[[trio.abc.Stream], Awaitable[None]], stream: trio.abc.Stream) -> None:
        """Do ``work``, whose failure is the end of this connection and of nothing else."""
        try:
            await work(stream)
        except trio.Cancelled:
            if not self._all.cancel_called:
                await trio.lowlevel.cancel_shielded_checkpoint()  # others learn that they are cancelled, not of the end
                self.engine.close(CloseCode.INTERNAL_ERROR, now=self.now())
                self.leave()
        except trio.ClosedResourceError as error:
            # This side closes a stream that cannot be ended by half: that the reader finds it closed is no failure.
            self._lost_by(None if self._has_ended else as_os_error(error))
        except (OSError, trio.BrokenResourceError) as error:
            self._lost_by(as_os_error(error))
        except Exception as error:
            self.log.error("%r failed", self.engine, exc_info=error)
            self._lost_by(error)

    def _lost_by(self, error: BaseException | None) -> None:
        self._error = self._error or error
        self.abort()

    # --- in: what the stream and the clock tell -----------------------------------------------------------------------

    def received(self, data: bytes | bytearray) -> None:
        """Bytes have come."""
        events = self.engine.receive_data(data, self.now())
        self._is_corked = len(events) != 1
        self._after_input(events)

    async def _read(self, stream: trio.abc.Stream) -> None:
        receive = stream.receive_some if self._socket is None else functools.partial(_receive, self._socket)
        while not self._peer_ended:
            while not self.engine.wants_read:
                self._is_reading = False
                await self._reader.park()
            self._is_reading = True
            data = await receive()
            if data:
                self.received(data)
            else:
                self._peer_ended = True
                self._after_input(self.engine.receive_eof(self.now()))
        await trio.sleep_forever()  # the writer knows when all is said

    async def _keep_time(self, _stream: trio.abc.Stream) -> None:
        while True:
            deadline = self.engine.next_deadline()
            self._fires_at = math.inf if deadline is None else deadline
            with trio.CancelScope(deadline=self._fires_at) as self._timer:
                await trio.sleep_forever()
            self._after_input(self.engine.handle_timeout(self.now()))

    def _after_input(self, events: Sequence[Event]) -> None:
        if events:
            self._deliver(events)
        self._arm()
        if self._lot and self._is_reading and self.engine.is_flowing:
            if self.engine.bytes_queued:
                self._flush_is_due = True  # with what those answer who wake up
                self._writer.unpark_all()
        else:
            self.flush()
        self.wake()

    # --- out: what the engine wants -----------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Flush at once if nothing more is expected; else when the task that runs waits, or the writer has its turn."""
        if not self._is_corked or self._is_writing or not self._is_reading:
            self._is_corked = True
            self.flush()
        elif not self._flush_is_due:
            self._flush_is_due = True
            self._writer.unpark_all()

    def before_waiting(self) -> None:
        if self._flush_is_due:
            self.flush()

    def flush(self) -> None:
        """Write what the socket takes at once, and wake whoever has to do something now."""
        self._flush_is_due = False
        if self._is_reading and self._socket is not None and self.engine.is_flowing:
            if not self._is_writing:
                self._write_at_once(self._socket)
        else:
            self._steer()
        self._begin_work()

    def _begin_work(self) -> None:
        """Let threads do what would hold up everybody here."""
        stream, workshop = self.stream, self._workshop
        while stream is not None and workshop is not None and (work := self.engine.next_work()) is not None:
            workshop.start_soon(self._guard, functools.partial(self._do, work), stream)

    async def _do(self, work: Work, _stream: trio.abc.Stream) -> None:
        await trio.to_thread.run_sync(work, abandon_on_cancel=True)
        self._after_input(self.engine.work_done(work, self.now()))

    def _write_at_once(self, sock: socket.socket) -> None:
        """Give the socket what it takes. The rest, if there is any, is the writer's."""
        had_room = not self._lot or self.engine.can_send
        while buffers := self.engine.data_to_send():
            if not had_room:
                self.wake()
            for index, buffer in enumerate(buffers):
                sent = self._sent_at_once(sock, buffer)
                if sent < len(buffer):
                    self._rest = [memoryview(buffer)[sent:], *buffers[index + 1 :]]
                    self._is_writing = True
                    self._writer.unpark_all()
                    return

    def _sent_at_once(self, sock: socket.socket, buffer: bytes | memoryview) -> int:
        try:
            return sock.send(buffer)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._lost_by(error)
            return 0

    def _steer(self) -> None:
        """Wake whoever has to do something with the stream."""
        self._writer.unpark_all()
        if self.engine.wants_read:
            self._reader.unpark_all()
        if self._must_go:
            self._writing.deadline = min(self._writing.deadline, self.now() + _LAST_WORDS)
        self._arm()

    @property
    def _must_go(self) -> bool:
        return self._is_leaving or self.engine.should_abort

    def _arm(self) -> None:
        """Let the timer fire earlier, if need be: deadlines mostly move later, and when it fires it looks again."""
        deadline = self.engine.next_deadline()
        if deadline is not None and deadline < self._fires_at and self._timer is not None:
            self._fires_at = self._timer.deadline = deadline

    async def _write(self, stream: trio.abc.Stream) -> None:
        try:
            with self._writing:
                while not self._is_over():
                    if self._flush_is_due:
                        self.flush()
                    if buffers := self._rest or self.engine.data_to_send():
                        self._is_writing = True
                        self.wake()  # there is room in the outbox
                        await self._send(stream, buffers)
                        self._rest = []
                        self._is_writing = False
                    elif self.engine.half_close and not self._has_ended:
                        await self._end(stream)
                    else:
                        self._is_corked = False
                        self._begin_work()
                        await self._writer.park()
        finally:
            self.abort()

    def _is_over(self) -> bool:
        """Whether all is said and nothing more will be heard, or need be."""
        has_ended = self._has_ended and (self._peer_ended or not isinstance(self.stream, trio.abc.HalfCloseableStream))
        return has_ended or (self._must_go and not self._rest and not self.engine.bytes_queued)

    async def _send(self, stream: trio.abc.Stream, buffers: Sequence[bytes | memoryview]) -> None:
        for buffer in buffers:
            view = memoryview(buffer)
            for start in range(0, len(view), _SLICE_SIZE):
                part = view[start : start + _SLICE_SIZE]
                await stream.send_all(part)
                self.engine.transmitted(len(part), self.now())

    async def _end(self, stream: trio.abc.Stream) -> None:
        """Everything has been said: end the write side, or both if the peer has ended or TLS knows no half."""
        self._has_ended = True
        if not isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.aclose()
        elif not self._peer_ended:
            await stream.send_eof()

    def leave(self) -> None:
        """Write what the stream takes within a moment, and drop it."""
        self._is_leaving = True
        self.flush()

    def abort(self) -> None:
        """Drop the stream at once."""
        self._socket = None
        self._all.cancel()
        self._writing.cancel()

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def until_lost(self) -> None:
        """Wait until the stream is gone. The engine's closing timer sees to it that it goes."""
        await self.until(lambda: self.is_lost or None)


def as_os_error(error: BaseException) -> OSError:
    """``error`` of a stream as the operating system, or OpenSSL, told it."""
    cause = error.__cause__
    if isinstance(cause, ExceptionGroup):  # every address of a name has failed
        cause, *others = cast(ExceptionGroup[Exception], cause).exceptions
        if others:
            return OSError("Multiple exceptions: " + ", ".join(map(str, [cause, *others])))
    if isinstance(cause, OSError):
        return cause
    return error if isinstance(error, OSError) else ConnectionResetError(str(error) or "the connection was lost")


def _addresses(stream: trio.abc.Stream) -> tuple[Any, Any]:
    below: Any = stream
    while isinstance(below, trio.SSLStream):
        below = cast(trio.SSLStream[trio.abc.Stream], below).transport_stream
    if not isinstance(below, trio.SocketStream):
        return None, None
    try:
        return below.socket.getsockname(), below.socket.getpeername()
    except OSError:  # it is gone already
        return None, None


def _socket_of(stream: trio.abc.Stream) -> socket.socket | None:
    """The socket that ``stream`` is nothing but, under a second object: it must be detached, not closed."""
    if not isinstance(stream, trio.SocketStream):
        return None
    below = stream.socket
    if below.fileno() < 0:  # it is closed already
        return None
    sock = socket.socket(below.family, below.type, below.proto, below.fileno())
    sock.setblocking(False)
    return sock


async def _receive(sock: socket.socket) -> bytes:
    while True:
        await trio.lowlevel.wait_readable(sock)
        view = _memory.view
        try:
            return bytes(view[: sock.recv_into(view)])
        except BlockingIOError:  # somebody else has seen more than there was
            pass
