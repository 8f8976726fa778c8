"""What a link knows of its stream and its engine, and the way out: what is written, and by whom."""

from __future__ import annotations

import threading
from threading import get_ident
from time import monotonic
from typing import Final

from wsproto_core import ByteEngine

from ._speedups import LinkTraffic
from .stream import Stream
from .waiting import READ, WRITE, Waiters, Waker

__all__ = ["Binding"]

#: How long answers wait for those to the other messages of the same read, in seconds. Who has not asked for the next
#: message by then writes each at once, so that only one that nothing follows waits longer: until the thread looks.
_CORK_TIME: Final = 0.001


class Binding(Waiters, LinkTraffic):
    """One stream, one engine and the thread that cares for them. Whoever calls anything here holds the lock."""

    engine: ByteEngine
    stream: Stream | None

    def __init__(self, engine: ByteEngine) -> None:
        LinkTraffic.__init__(self, engine, monotonic)
        Waiters.__init__(self)
        self.is_lost: bool = False
        self._thread: threading.Thread | None = None
        self._waker: Waker | None = None
        # Who was given several messages by one read, and when.
        self._reader = 0
        self._uncorked_at = 0.0
        self._has_ended = False

    def flush_soon(self) -> None:
        """Flush, unless what is queued is held back."""
        if not (self.untaken > 0 and self._corks()):
            self.flush()

    def _come_together(self, now: float) -> None:
        self._reader, self._uncorked_at = get_ident(), now

    def _corks(self) -> bool:
        """Whether what has been queued is held back: what the messages of one read provoke leaves in one write, where
        they are dealt with quickly.
        """
        if not self._is_watching or self._reader != get_ident():
            return False
        now = monotonic()
        self._is_corked = now - self._uncorked_at < _CORK_TIME
        if not self._is_corked:
            self._uncorked_at = now
        return self._is_corked

    def flush(self) -> None:
        """Write what the engine has to say, as far as it fits, and leave the rest to the thread."""
        stream, engine = self.stream, self.engine
        if stream is None or self.is_lost:
            return
        self._is_corked = False
        had_room = not self._waiting or engine.can_send
        has_left = self.write_all(stream)
        if not had_room and engine.can_send:
            self.changed.notify_all()
        if not engine.is_flowing:
            self._end_if_due(stream)
        elif self._is_left_to_reader and has_left:
            return  # as nearly always: there is nothing for the thread to do
        self._wake_if_needed(stream)

    def _write_on(self, stream: Stream) -> bool:
        """There is room again: write what waited for it; return whether anything has left."""
        try:
            stream.flush()
            if not self._backlog:
                self._backlog.extend(self.engine.data_to_send())
            sent = stream.send(self._backlog) if self._backlog else 0
        except OSError as error:
            self._error = error
            return True
        self._forget(sent)
        if sent:
            self.engine.transmitted(sent, monotonic())  # a peer that reads slowly is alive
        return sent > 0

    def _forget(self, sent: int) -> None:
        """``sent`` bytes of the backlog have left."""
        backlog = self._backlog
        while sent:
            if sent < len(backlog[0]):
                backlog[0] = memoryview(backlog[0])[sent:]
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
        if self._asleep is None:
            return
        interest, until = self._asleep
        if self._interest(stream) & ~interest or self._deadline() < until or self._is_over():
            self._wake()

    def _wake(self) -> None:
        if self._asleep is not None and self._waker is not None:
            self._asleep = None  # woken: once is enough
            self._waker.wake()

    def _interest(self, stream: Stream) -> int:
        interest = READ if self._wants_read and not self._is_left_to_reader else 0
        waits = bool(self._backlog) or self.engine.bytes_queued > 0
        return interest | (WRITE if stream.wants_write or (waits and not stream.is_stuck) else 0)

    @property
    def _wants_read(self) -> bool:
        return self.engine.wants_read and not self._peer_ended

    def _has_unread(self, stream: Stream) -> bool:
        return stream.has_pending and self._wants_read and not self._is_left_to_reader

    def _deadline(self) -> float:
        deadline = self.engine.next_deadline()
        return float("inf") if deadline is None else deadline

    def _is_over(self) -> bool:
        """Whether the stream is of no use any more."""
        if self._error is not None or self.engine.should_abort:
            return True
        return self._has_ended and self._peer_ended and not (self.stream is not None and self.stream.wants_write)
