"""A transport of our own for plain sockets: what asyncio calls a ``Transport``, on the loop's ``add_reader``.

asyncio's own needs a task and three turns of the loop before it reads, asks the protocol for a buffer and then tells it
what came, and copies whatever the kernel does not take at once. This one reads at once, into one place for all
connections, hands on what came in one call, and keeps what waits as it is. docs/decisions/0030-own-transport.md tells
where it is used, and what it gains.

What lives here is all that a transport does but the way of bytes that come and go at once, which is in ``_speedups``.
What must not: TLS, and what the bytes mean.
"""

from __future__ import annotations

import socket
import threading
import warnings
from asyncio.trsock import TransportSocket
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from itertools import islice
from typing import Any, Final, Protocol

from ._speedups import SocketTraffic

__all__ = ["READ_SIZE", "Loop", "Reader", "SocketTransport", "memory"]

#: What is received at once, at most: so much of a payload, and a header.
READ_SIZE: Final = 256 * 1024 + 64
#: Buffers that one call hands to the kernel, at most; the system's own limit is higher wherever we know it.
_MAX_BUFFERS: Final = 64
_DEFAULT_HIGH: Final = 64 * 1024
#: For so many seconds at most nothing is read because much waits to be sent: what comes would wait as well, and of what
#: is alive then, ever more is memory that no cache knows. No longer: a peer may read nothing until it is read.
_HOLD_TIME: Final = 0.001
_HAS_VECTORED_WRITES: Final = hasattr(socket.socket, "sendmsg")  # Windows does not


class _Memory(threading.local):
    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_SIZE))


_memories: Final = _Memory()


def memory() -> memoryview:
    """Where bytes are received: one place for all connections of a thread, because each is dealt with at once.

    So an idle connection holds none, and no read allocates more than has come.
    """
    return _memories.view


class Reader(Protocol):
    """What a :class:`SocketTransport` carries bytes for: a protocol of asyncio's, as far as it is needed here."""

    def data_received(self, data: bytes | memoryview, /) -> None:
        """``data`` has come. A view is of what is overwritten once this returns."""
        ...

    def eof_received(self) -> bool:
        """No more will come. Returns whether to keep the write side open."""
        ...

    def connection_lost(self, exc: Exception | None, /) -> None:
        """It is over. The last call."""
        ...

    def pause_writing(self) -> None:
        """Much is queued."""
        ...

    def resume_writing(self) -> None:
        """Little is queued again."""
        ...


class Loop(Protocol):
    """What a :class:`SocketTransport` asks of an event loop, under the names that asyncio's have."""

    def add_reader(self, fd: int, callback: Callable[[], Any], /) -> Any:
        """Call ``callback`` whenever ``fd`` can be read."""
        ...

    def remove_reader(self, fd: int, /) -> Any:
        """Not any more."""
        ...

    def add_writer(self, fd: int, callback: Callable[[], Any], /) -> Any:
        """Call ``callback`` whenever ``fd`` can be written."""
        ...

    def remove_writer(self, fd: int, /) -> Any:
        """Not any more."""
        ...

    @property
    def call_soon(self) -> Callable[..., Any]:
        """Takes what is to be called in the next turn, and its arguments."""
        ...

    @property
    def call_later(self) -> Callable[..., Any]:
        """Takes seconds, and what is to be called behind them; returns what can be cancelled."""
        ...

    @property
    def call_exception_handler(self) -> Callable[..., Any]:
        """Tells what should not have happened."""
        ...


class SocketTransport(SocketTraffic):
    """Carries bytes between ``sock``, which is connected and does not block, and ``reader``.

    ``peername`` is the address of the other end. Reading begins with :meth:`resume_reading`. It has what an
    :class:`asyncio.Transport` has, but is none by name, as those of uvloop: two bases cannot both have fields.
    """

    __slots__ = (
        "_end_is_due",
        "_eof_is_due",
        "_fd",
        "_has_ended",
        "_has_waited",
        "_held",
        "_high",
        "_is_full",
        "_is_reading",
        "_loop",
        "_low",
        "_peername",
        "_queue_size",
    )

    def __init__(self, loop: Loop, sock: socket.socket, reader: Reader, peername: Any) -> None:
        super().__init__(sock, reader, _memories.view)
        self._loop = loop
        self._fd = sock.fileno()  # still there when the socket is closed behind our back
        self._peername = peername
        self._is_reading = False
        self._has_ended = False  # the peer
        self._eof_is_due = False  # once everything is sent
        self._end_is_due = False
        self._is_full = False
        # Reading waits for writing: what ends that in time, and the context to go on in; and whether it did when
        # something came the last time while much was queued.
        self._held: tuple[Any, Context] | None = None
        self._has_waited = False
        self._queue_size = 0
        self._high = _DEFAULT_HIGH
        self._low = _DEFAULT_HIGH // 4

    # --- facts --------------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "socket":
                return TransportSocket(self._sock)
            case "peername":
                return self._peername
            case "sockname" if self._sock.fileno() >= 0:
                return self._sock.getsockname()
            case _:
                return default

    @property
    def addresses(self) -> tuple[Any, Any]:
        """Of this end and the other. The socket is open."""
        return self._sock.getsockname(), self._peername

    @property
    def is_ending(self) -> bool:
        """Whether :meth:`Reader.connection_lost` is called in the next turn of the loop, or was."""
        return self._end_is_due

    def get_protocol(self) -> Any:
        return getattr(self, "_reader", None)  # it is gone in the end

    def set_protocol(self, protocol: Reader) -> None:
        self._reader = protocol

    def is_reading(self) -> bool:
        return self._is_reading

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._queue_size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = (_DEFAULT_HIGH if low is None else 4 * low) if high is None else high
        self._low = self._high // 4 if low is None else low
        if not self._high >= self._low >= 0:
            raise ValueError(f"high ({self._high!r}) must be >= low ({self._low!r}) must be >= 0")

    # --- reading ------------------------------------------------------------------------------------------------------

    def read_now(self) -> bool:
        """Look whether something is there already; return whether it was. Nobody watches for more because of this."""
        return self._readable()

    def pause_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            if self._let_go() is None:
                self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        if not self._is_reading and not self._is_closing and not self._has_ended:
            self._watch()

    def _watch(self) -> None:
        self._is_reading = self._is_watched(self._loop.add_reader, self._readable)

    def _shall_wait(self) -> bool:
        if not self._is_full:
            return False
        # Every other time: who writes at once what there is room for would never be read.
        self._has_waited = not self._has_waited
        if self._has_waited:
            self._loop.remove_reader(self._fd)
            self._held = self._loop.call_later(_HOLD_TIME, self._read_on), copy_context()
        return self._has_waited

    def _read_on(self) -> None:
        """Read again, where that waits, in the context in which it was read before."""
        if (context := self._let_go()) is not None:
            context.run(self._watch)

    def _let_go(self) -> Context | None:
        """Let reading wait no longer; return its context, if it did."""
        if self._held is None:
            return None
        (timer, context), self._held = self._held, None
        timer.cancel()
        return context

    def _peer_ended(self) -> None:
        stays_open = self._reader.eof_received()
        self.pause_reading()
        self._has_ended = True
        if not stays_open:
            self._close(self._end)

    # --- writing ------------------------------------------------------------------------------------------------------

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def _keep(self, data: memoryview) -> None:
        """Let ``data`` wait until the kernel takes more."""
        if self._queue is None:
            if not self._is_watched(self._loop.add_writer, self._writable):
                return
            self._queue = deque()
        self._queue.append(data)
        self._queue_size += len(data)
        if self._queue_size > self._high and not self._is_full:
            self._is_full = True
            self._reader.pause_writing()

    def _writable(self) -> None:
        assert self._queue, "it is asked for only while something waits"
        try:
            sent = self._send_some(self._queue)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._break(error)
            return
        self._queue_size -= sent
        _drop(self._queue, sent)
        if not self._queue:
            self._all_sent()
        if self._is_full and self._queue_size <= self._low:
            self._is_full = False
            self._tell_room()
            if not self._is_full:
                self._read_on()

    def _tell_room(self) -> None:
        try:
            self._reader.resume_writing()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fail(error)

    def _send_some(self, queue: deque[memoryview]) -> int:
        if _HAS_VECTORED_WRITES:
            return self._sock.sendmsg(islice(queue, _MAX_BUFFERS))
        return self._sock.send(queue[0])

    def _all_sent(self) -> None:
        self._forget_queue()
        if self._is_closing:
            self._end_soon(None)
        elif self._eof_is_due:
            self._shut_down()

    def _forget_queue(self) -> None:
        if self._queue is not None:
            self._queue = None
            self._queue_size = 0
            self._loop.remove_writer(self._fd)

    def _is_watched(self, add: Callable[[int, Callable[[], Any]], Any], callback: Callable[[], Any]) -> bool:
        """Let the loop ``add`` the socket to what it watches; return whether it could: else the connection is over."""
        try:
            add(self._fd, callback)
        except OSError as error:  # the system has no more watches to give
            self._break(error)
            return False
        return True

    # --- the end ------------------------------------------------------------------------------------------------------

    def write_eof(self) -> None:
        if self._is_closing or self._eof_is_due:
            return
        self._eof_is_due = True
        if self._queue is None:
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._break(error)

    def close(self) -> None:
        self._close(self._end_soon)

    def abort(self) -> None:
        self._break(None)

    def _close(self, end: Callable[[Exception | None], None]) -> None:
        """Let ``end`` follow once everything is sent."""
        if self._is_closing:
            return
        self._is_closing = True
        self.pause_reading()
        if self._queue is None:
            end(None)

    def _break(self, error: Exception | None) -> None:
        """Drop it, with whatever waits."""
        self._is_closing = True
        self.pause_reading()
        self._forget_queue()
        self._end_soon(error)

    def _fail(self, error: BaseException) -> None:
        """The reader raised, which must not be: somebody is told, and it is over."""
        self._loop.call_exception_handler(
            {"message": "Fatal error: a protocol raised", "exception": error, "transport": self}
        )
        self._break(error if isinstance(error, Exception) else None)

    def _end_soon(self, error: Exception | None) -> None:
        """End behind whatever runs now: whoever writes is not told in the midst of it."""
        if not self._end_is_due:
            self._end_is_due = True
            self._loop.call_soon(self._end, error)

    def _end(self, error: Exception | None) -> None:
        self._end_is_due = True
        try:
            self._reader.connection_lost(error)
        finally:
            self._sock.close()
            del self._reader  # which holds this one: together they would wait for the garbage collector

    def __del__(self) -> None:
        if self._sock.fileno() >= 0:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, stacklevel=2, source=self)
            self._sock.close()


def _drop(queue: deque[memoryview], size: int) -> None:
    """Take the first ``size`` bytes from ``queue``."""
    while queue and size >= len(queue[0]):
        size -= len(queue.popleft())
    if size:
        queue[0] = queue[0][size:]
