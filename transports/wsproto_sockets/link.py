"""The binding: one stream, one engine and one thread, and nothing decided.

One lock guards the engine and the stream; nobody holds it while waiting. The thread waits for the socket, for the next
deadline, or to be woken: it fires the timer, writes what the senders could not, and is the only one to close the
socket. It reads as well, unless the application does: who asks for a message that is not there reads the socket itself.
Senders write at once what fits while nothing is in front of it. After every input the output is flushed; what may
change an attempt's outcome wakes the waiters, and every waiter tries its own again.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import ClassVar, Final, TypeVar

from wsproto_core import ByteEngine, Event, Log

from .binding import Binding
from .stream import Bytes, Stream
from .waiting import READ, WRITE, Waker, remaining

__all__ = ["Link"]

_T = TypeVar("_T")

#: Reads in one turn, where TLS gives small pieces.
_MAX_READS: Final = 16
#: Longer than any timer, and short enough for every system's ``poll``.
_FOREVER: Final = 86_400.0
#: The thread reads again when the application has not asked for a message for this long, or for twice as long.
_PATIENCE: Final = 0.02


class Link(Binding):
    """Carries bytes between a stream and ``engine``, whose inbox takes the messages, and hands every other event to
    ``note``, which must not block: it is called with the lock held.
    """

    #: Where an operator is told what went wrong.
    log: ClassVar[Log] = logging.getLogger("wsproto_sockets")
    stream: Stream | None  # once more: where it is set, pyright would take it for another than the one above

    def __init__(self, engine: ByteEngine, note: Callable[[Event], None]) -> None:
        super().__init__(engine)
        self._note = note
        #: Server: ends the wait for an introduction, before there is a stream.
        self.on_abort: Callable[[], None] | None = None
        #: Called once the stream is gone, without the lock.
        self.on_lost: Callable[[], None] | None = None

    def now(self) -> float:
        """The engine's clock."""
        return monotonic()

    def start(self, stream: Stream, received: bytes = b"") -> None:
        """Take ``stream`` over, behind whose opening ``received`` came already, and carry bytes until its end."""
        try:
            self._waker = Waker()
            self.stream = stream
            self._sock = stream.blocking_socket
            self._thread = threading.Thread(target=self._run, name="wsproto_sockets link", daemon=True)
            with self.changed:
                if received:
                    self._deliver(self.engine.receive_data(received, monotonic()))
                self.flush()
            self._thread.start()
        except BaseException:
            self._thread = None
            self.give_up(stream)
            raise

    def give_up(self, stream: Stream) -> None:
        """``stream`` cannot be carried."""
        stream.close()
        if self._waker is not None:
            self._waker.close()
        with self.changed:
            self.is_lost: bool = True
            self._deliver(self.engine.transport_lost(None, monotonic()))
            self.changed.notify_all()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self.changed:
            try:
                self._live()
            except Exception as error:  # a fault of this library's: nobody may wait for ever because of it
                self.log.error("the connection is dropped", exc_info=error)
            self._lose()
        if self.on_lost is not None:
            self.on_lost()

    def _live(self) -> None:
        stream, waker = self.stream, self._waker
        assert stream is not None, "started"
        assert waker is not None, "started"
        self.flush()
        while not self._is_over():
            next_look = self._look()
            interest, until = self._asleep = self._interest(stream), min(self._deadline(), next_look)
            self.lock.release()
            try:
                waker.watch(stream.socket, interest)
                pause = 0.0 if self._has_unread(stream) else min(until - monotonic(), _FOREVER)
                ready = waker.wait(max(pause, 0.0)).get(stream.socket, 0)
            finally:
                self.come_first()
                self._asleep = None
            self._turn(stream, ready)

    def _look(self) -> float:
        """See whether the application still reads by itself; return when to look again."""
        has_read, self._has_read = self._has_read, False
        if not (has_read or self._is_reading):
            self._is_left_to_reader = False
        self._is_watching = self._is_left_to_reader and has_read
        return monotonic() + _PATIENCE if self._is_watching else float("inf")

    def _turn(self, stream: Stream, ready: int) -> None:
        """One round: everything that can be done without waiting."""
        is_news = False
        if ready & WRITE:
            is_news = self._write_on(stream)
        if (ready & READ or self._has_unread(stream)) and self._error is None and not self._is_left_to_reader:
            is_news = self._read(stream) or is_news
        is_news = self._expire() or is_news
        self.flush()
        if is_news:
            self.changed.notify_all()

    def _read(self, stream: Stream) -> bool:
        """Read what has come, as far as it is wanted; return whether there was anything."""
        is_news = False
        for _ in range(_MAX_READS):
            if self._peer_ended or not self.engine.wants_read:
                break
            try:
                data = stream.receive()
            except OSError as error:
                self._error = error
                return True
            if data is None:
                break
            is_news = True
            self.take_in(data)
            if not stream.has_pending:
                break
        return is_news

    def _expire(self) -> bool:
        """Do what is due; return whether anything was."""
        now = monotonic()
        if self._deadline() > now:
            return False
        self._deliver(self.engine.handle_timeout(now))
        return True

    def _deliver(self, events: Sequence[Event]) -> bool:
        """Take a batch of the engine's events; return whether there was anything in it but messages."""
        return self._tell(self.engine.gather(events))

    def _tell(self, others: Sequence[Event]) -> bool:
        for event in others:
            self._note(event)
        return bool(others)

    def _read_last_words(self, stream: Stream) -> None:
        """The socket is broken. What the peer said before, its close frame perhaps, explains more than the error."""
        while self.engine.wants_read:
            try:
                data = stream.receive()
            except OSError:
                break
            if not data:
                break
            self._deliver(self.engine.receive_data(data, monotonic()))

    def _lose(self) -> None:
        assert self.stream is not None, "started"
        assert self._waker is not None, "started"
        self._interrupt_reader(self.stream)
        if self._error is not None:
            self._read_last_words(self.stream)
        self.stream.close()
        self._waker.close()
        self._backlog.clear()
        self.is_lost = True
        self._deliver(self.engine.transport_lost(self._error, monotonic()))
        self.changed.notify_all()

    def _interrupt_reader(self, stream: Stream) -> None:
        """Wait until nobody uses the socket any more."""
        if self._is_reading:
            with suppress(OSError):  # it is broken, which interrupts as well
                stream.socket.shutdown(socket.SHUT_RD)
        while self._is_reading:
            super()._wait(None)

    # --- in, by who asks for a message --------------------------------------------------------------------------------

    def read_until(self, attempt: Callable[[], _T | None], timeout: float | None = None) -> _T:
        """What :meth:`until` does, for an attempt that only reading can help: the caller reads, if nobody else does."""
        deadline = None if timeout is None else monotonic() + timeout
        is_last_try = False
        with self.lock:
            try:
                while (result := attempt()) is None:
                    if is_last_try:
                        raise TimeoutError(f"nothing within {timeout} seconds")
                    left = remaining(deadline)
                    is_last_try = left == 0
                    if self.stream is None or self._is_reading or not self._wants_read or self._is_over():
                        self._wait(left)
                    elif self._asleep is None and self._expire():
                        self._read(self.stream)
                        self.changed.notify_all()
                        self.flush()
                    else:
                        self.read_here(self.stream, left)
                return result
            finally:
                self._stop_reading()

    def _read_otherwise(self, stream: Stream, data: Bytes | None, error: OSError | None) -> bool:
        if error is not None:
            self._error = self._error or error
        elif data is None:
            self._read(stream)
        elif not data and not self._is_over():  # else the thread interrupted
            self.take_in(data)
        self.flush()
        return self.engine.is_flowing

    def _stop_reading(self) -> None:
        """The caller has what it wanted: see to it that the socket is not forgotten."""
        if not self._is_left_to_reader or self._is_reading or self.stream is None:
            return
        if self._waiting or not self.engine.is_flowing:
            self._leave_to_thread(self.stream)
        elif not self._is_watching:
            self._is_watching = True
            self._wake()

    def _leave_to_thread(self, stream: Stream) -> None:
        self._is_left_to_reader = False
        self._wake_if_needed(stream)

    def _wait(self, timeout: float | None) -> None:
        if self._is_left_to_reader and not self._is_reading and self.stream is not None:
            self._leave_to_thread(self.stream)
        super()._wait(timeout)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def until_lost(self, timeout: float | None = None) -> None:
        """Wait until the stream is gone, and its thread. The engine's closing timer sees to it that it goes."""
        self.until(lambda: self.is_lost or None, timeout)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def abort(self) -> None:
        """Drop the stream at once."""
        with self.changed:
            if self.stream is None:
                if self.on_abort is not None:
                    self.on_abort()
                self.is_lost = True
                self._deliver(self.engine.transport_lost(None, monotonic()))
                self.changed.notify_all()
            self.flush()
