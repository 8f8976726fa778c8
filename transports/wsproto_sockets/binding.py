"""What a link knows of its stream and its engine, and the way out: what is written, and by whom."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from threading import get_ident
from time import monotonic
from typing import Final

from wsproto_core import ByteEngine, Event

from .stream import Bytes, Stream
from .waiting import READ, WRITE, Waiters, Waker

__all__ = ["Binding"]

#: How long answers wait for those to the other messages of the same read, in seconds. Who has not asked for the next
#: message by then writes each at once, so that only one that nothing follows waits longer: until the thread looks.
_CORK_TIME: Final = 0.001


class Binding(Waiters):
    """One stream, one engine and the thread that cares for them. Whoever calls anything here holds the lock."""

    def __init__(self, engine: ByteEngine, deliver: Callable[[Sequence[Event]], None]) -> None:
        super().__init__()
        self.engine = engine
        self.stream: Stream | None = None
        self.is_lost: bool = False
        #: Messages that were read together and are not taken yet, or thereabouts.
        self.untaken: int = 0
        self._deliver = deliver
        self._thread: threading.Thread | None = None
        self._waker: Waker | None = None
        # What the thread waits for, and until when; ``None`` while it does not wait.
        self._asleep: tuple[int, float] | None = None
        # Who has read last in place of the thread, and whether somebody is about it now, without the lock.
        self._reader = 0
        self._is_reading = False
        # The thread does not read; whether it will look again, without being woken, if it has to.
        self._is_left_to_reader = False
        self._is_watching = False
        self._is_corked = False
        self._uncorked_at = 0.0
        self._backlog: deque[Bytes] = deque()
        self._error: OSError | None = None
        self._peer_ended = False
        self._has_ended = False

    def flush_soon(self) -> None:
        """Flush; but what the messages of one read provoke leaves in one write, where they are dealt with quickly."""
        if self.untaken > 0 and self._is_watching and self._reader == get_ident():
            now = monotonic()
            if now - self._uncorked_at < _CORK_TIME:
                self._is_corked = True
                return
            self._uncorked_at = now
        self.flush()

    def flush(self) -> None:
        """Write what the engine has to say, as far as it fits, and leave the rest to the thread."""
        stream, engine = self.stream, self.engine
        if stream is None or self.is_lost:
            return
        self._is_corked = False
        had_room = not self._waiting or engine.can_send
        if not self._backlog and self._error is None and not stream.wants_write:
            self._write_all(stream)
        if not had_room and engine.can_send:
            self.changed.notify_all()
        if not engine.is_flowing:
            self._end_if_due(stream)
        elif self._is_left_to_reader and not self._backlog and self._error is None and not stream.wants_write:
            return  # as nearly always: there is nothing for the thread to do
        self._wake_if_needed(stream)

    def _write_all(self, stream: Stream) -> None:
        """Write what there is, nothing being in front of it, as far as it fits."""
        backlog = self._backlog
        while not backlog and (batch := self.engine.data_to_send()):
            try:
                sent = stream.send(batch)
            except OSError as error:
                self._error = error
                return
            if len(batch) > 1 or sent < len(batch[0]):
                backlog.extend(batch)
                self._forget(sent)

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
