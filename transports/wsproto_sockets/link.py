"""The binding: one stream, one engine and one thread, and nothing decided.

One lock guards the engine and the stream; nobody holds it while waiting. The thread waits for the socket, for the next
deadline, or to be woken: it reads, fires the timer, writes what the senders could not, and is the only one to close the
socket. Senders write at once what fits while nothing is in front of it. After every input the output is flushed; what
may change an attempt's outcome wakes the waiters, and every waiter tries its own again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import ClassVar, Final

from wsproto_core import ByteEngine, Event, Log

from .stream import Stream
from .waiting import READ, WRITE, Waiters, Waker

__all__ = ["Link"]

#: Reads in one turn, where TLS gives small pieces.
_MAX_READS: Final = 16
#: Longer than any timer, and short enough for every system's ``poll``.
_FOREVER: Final = 86_400.0


class Link(Waiters):
    """Carries bytes between a stream and ``engine``, and hands every batch of events to ``deliver``, which must not
    block: it is called with the lock held.
    """

    #: Where an operator is told what went wrong.
    log: ClassVar[Log] = logging.getLogger("wsproto_sockets")

    def __init__(self, engine: ByteEngine, deliver: Callable[[Sequence[Event]], None]) -> None:
        super().__init__()
        self.engine = engine
        self.stream: Stream | None = None
        self.is_lost: bool = False
        #: Server: ends the wait for an introduction, before there is a stream.
        self.on_abort: Callable[[], None] | None = None
        #: Called once the stream is gone, without the lock.
        self.on_lost: Callable[[], None] | None = None
        self._deliver = deliver
        self._thread: threading.Thread | None = None
        self._waker: Waker | None = None
        # What the thread waits for, and until when; ``None`` while it does not wait.
        self._asleep: tuple[int, float] | None = None
        self._backlog: deque[memoryview] = deque()
        self._error: OSError | None = None
        self._peer_ended = False
        self._has_ended = False

    def now(self) -> float:
        """The engine's clock."""
        return monotonic()

    def start(self, stream: Stream, received: bytes = b"") -> None:
        """Take ``stream`` over, behind whose opening ``received`` came already, and carry bytes until its end."""
        try:
            self._waker = Waker()
            self.stream = stream
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
            self.is_lost = True
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
            interest, until = self._asleep = self._interest(stream), self._deadline()
            self.changed.release()
            try:
                waker.watch(stream.socket, interest)
                pause = 0.0 if self._has_unread(stream) else min(until - monotonic(), _FOREVER)
                ready = waker.wait(max(pause, 0.0)).get(stream.socket, 0)
            finally:
                self.come_first()
                self._asleep = None
            self._turn(stream, ready)

    def _turn(self, stream: Stream, ready: int) -> None:
        """One round: everything that can be done without waiting."""
        is_news = False
        if ready & WRITE:
            is_news = self._write(stream, is_progress=True)
        if (ready & READ or self._has_unread(stream)) and self._error is None:
            is_news = self._read(stream) or is_news
        now = monotonic()
        if self._deadline() <= now:
            is_news = True
            self._deliver(self.engine.handle_timeout(now))
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
            self._peer_ended = not data
            now = monotonic()
            self._deliver(self.engine.receive_data(data, now) if data else self.engine.receive_eof(now))
            if not stream.has_pending:
                break
        return is_news

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
        if self._error is not None:
            self._read_last_words(self.stream)
        self.stream.close()
        self._waker.close()
        self._backlog.clear()
        self.is_lost = True
        self._deliver(self.engine.transport_lost(self._error, monotonic()))
        self.changed.notify_all()

    # --- out: what the engine wants -----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what the engine has to say, as far as it fits, and leave the rest to the thread."""
        stream, engine = self.stream, self.engine
        if stream is None or self.is_lost:
            return
        had_room = engine.can_send
        if self._error is None and not self._backlog and not stream.wants_write:
            self._write(stream, is_progress=False)
        if engine.can_send and not had_room:
            self.changed.notify_all()
        self._end_if_due(stream)
        self._wake_if_needed(stream)

    def _write(self, stream: Stream, *, is_progress: bool) -> bool:
        """Write one batch; return whether anything has left."""
        try:
            stream.flush()
            if not self._backlog:
                self._backlog.extend(map(memoryview, self.engine.data_to_send()))
            sent = stream.send(self._backlog) if self._backlog else 0
        except OSError as error:
            self._error = error
            return True
        self._forget(sent)
        if is_progress and sent:
            self.engine.transmitted(sent, monotonic())  # a peer that reads slowly is alive
        return sent > 0

    def _forget(self, sent: int) -> None:
        """``sent`` bytes of the backlog have left."""
        backlog = self._backlog
        while sent:
            if sent < len(backlog[0]):
                backlog[0] = backlog[0][sent:]
                return
            sent -= len(backlog.popleft())

    def _end_if_due(self, stream: Stream) -> None:
        """Once everything has been said, end the write side."""
        if self._has_ended or self._backlog or self._error is not None or not self.engine.half_close:
            return
        self._has_ended = True
        try:
            stream.end()
        except OSError as error:
            self._error = error

    def _wake_if_needed(self, stream: Stream) -> None:
        """Wake the thread if it waits for less than there is to do, or for too long."""
        if self._asleep is None or self._waker is None:
            return
        interest, until = self._asleep
        if self._interest(stream) & ~interest or self._deadline() < until or self._is_over():
            self._asleep = None  # woken: once is enough
            self._waker.wake()

    def _interest(self, stream: Stream) -> int:
        interest = READ if self.engine.wants_read and not self._peer_ended else 0
        waits = bool(self._backlog) or self.engine.bytes_queued > 0
        return interest | (WRITE if stream.wants_write or (waits and not stream.is_stuck) else 0)

    def _has_unread(self, stream: Stream) -> bool:
        return stream.has_pending and self.engine.wants_read and not self._peer_ended

    def _deadline(self) -> float:
        deadline = self.engine.next_deadline()
        return float("inf") if deadline is None else deadline

    def _is_over(self) -> bool:
        """Whether the stream is of no use any more."""
        if self._error is not None or self.engine.should_abort:
            return True
        return self._has_ended and self._peer_ended and not (self.stream is not None and self.stream.wants_write)

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
