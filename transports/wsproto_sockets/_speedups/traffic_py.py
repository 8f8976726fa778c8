# cython: nonecheck=True
"""The traffic of a link: what every message passes between a socket and a thread.

This file runs in Python and, compiled with the C types of ``traffic_c.pxd``, as ``traffic_c``.

What lives here: the way of a message that is read by who asks for it, or that leaves at once. What must not: whatever
waits for anything else, ends or fails.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from wsproto_core import Traffic

from .leaves_py import Guarded, send

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsproto_core import Buffer, Event, Fragment, Message

__all__ = ["LinkTraffic"]


class LinkTraffic(Guarded):
    """The part of a link that messages pass, between a stream and ``engine``. ``clock`` tells the engine's time.

    Whoever calls anything here but :meth:`send_at_once` and :meth:`next_message` holds the lock.
    """

    __slots__ = (
        "_asleep",
        "_backlog",
        "_clock",
        "_error",
        "_has_read",
        "_is_corked",
        "_is_left_to_reader",
        "_is_reading",
        "_is_watching",
        "_peer_ended",
        "engine",
        "stream",
        "untaken",
    )

    # Of types that are known only above.
    engine: Any
    stream: Any

    def __init__(self, engine: Any, clock: Callable[[], float]) -> None:
        #: The engine, which is a :class:`Traffic`.
        self.engine = engine
        #: The stream; ``None`` before there is one.
        self.stream = None
        #: Messages that were read together and are not taken yet, or thereabouts.
        self.untaken: int = 0
        self._clock = clock
        self._sock = None
        # What the thread waits for, and until when; ``None`` while it does not wait.
        self._asleep: tuple[int, float] | None = None
        # Whether somebody reads in place of the thread now, without the lock; and whether anybody has since it looked.
        self._is_reading: bool = False
        self._has_read: bool = False
        # The thread does not read; whether it will look again, without being woken, if it has to.
        self._is_left_to_reader: bool = False
        self._is_watching: bool = False
        # Whether something that could leave is held back.
        self._is_corked: bool = False
        # What the system did not take yet.
        self._backlog: deque[bytes | memoryview] = deque()
        self._error: OSError | None = None
        self._peer_ended: bool = False

    def write_all(self, stream: Any) -> bool:
        """Write what there is, unless something is in front of it, as far as it fits; return whether everything has
        left.
        """
        return self._write_all(stream)

    def read_here(self, stream: Any, timeout: float | None) -> bool:
        """Wait for input in this thread, without the lock, and take it in; return whether it was messages, which go on
        to flow.
        """
        return self._read_here(stream, timeout)

    def take_in(self, data: bytes | memoryview) -> bool:
        """Hand on what was read, ``b""`` for the end; return whether there was anything in it but messages."""
        return self._take_in(data)

    # --- the same, as C calls it --------------------------------------------------------------------------------------

    def _send_at_once(self, message: Message | Buffer) -> bool:
        engine, stream = self.engine, self.stream
        # What is called by its class is not looked up, where this is compiled.
        if not (engine.send_at_once(message) if engine.is_followed else Traffic.send_at_once(engine, message)):
            return False
        if self.untaken > 0 and self._corks():
            return True
        # A message changes nothing but what is queued: nobody has to know of it, unless something stays behind.
        if stream is not None and not self._write_all(stream):
            self._wake_if_needed(stream)
        return True

    def _write_all(self, stream: Any) -> bool:
        engine, sock = self.engine, self._sock
        if self._backlog or self._error is not None or (sock is None and stream.wants_write):
            return False
        while batch := (engine.data_to_send() if engine.is_followed else Traffic.data_to_send(engine)):
            try:
                sent = stream.send(batch) if sock is None or len(batch) > 1 else send(sock, batch[0])
            except OSError as error:
                self._error = error
                return False
            if len(batch) > 1 or sent < len(batch[0]):
                self._backlog.extend(batch)
                self._forget(sent)
                if self._backlog:
                    return False
        return sock is not None or not stream.wants_write

    def _next_message(self) -> Message | None:
        message: Any = self._at_hand()
        stream = self.stream
        may_read = message is None and stream is not None and self._asleep is not None and not self._is_reading
        if may_read and self._flows():
            is_flowing = False
            try:
                is_flowing = self._read_here(stream, None)
            finally:
                if self._waiting or not (is_flowing and self._is_watching):
                    self._stop_reading()
            message = self._at_hand()
        if message is not None:
            self.untaken -= 1
        return message  # type: ignore[no-any-return]  # a whole one, or none

    def _at_hand(self) -> Message | Fragment | None:
        engine = self.engine
        message = engine.message_at_hand() if engine.is_followed else Traffic.message_at_hand(engine)
        return message

    def _flows(self) -> bool:
        engine = self.engine
        return engine.is_flowing if engine.is_followed else Traffic.flows(engine)

    def _read_here(self, stream: Any, timeout: float | None) -> bool:
        self.untaken = 0
        if self._is_corked:
            self.flush()
        data, error = None, None
        self._is_left_to_reader = self._is_reading = True
        try:
            data = self._await_input(stream, timeout)
        except OSError as failure:
            error = failure
        finally:
            self._is_reading = False
            self._has_read = True
            if self._waiting:
                self.changed.notify_all()
        if data and not self._take_in(data) and self._flows():
            return True
        return self._read_otherwise(stream, data, error)

    def _take_in(self, data: bytes | memoryview) -> bool:
        engine, now = self.engine, self._clock()
        self._peer_ended = not data
        if self._peer_ended:
            events = engine.receive_eof(now)
        else:
            events = engine.receive_data(data, now) if engine.is_followed else Traffic.receive_data(engine, data, now)
        self.untaken += len(events)
        if self.untaken > 1:
            self._come_together(now)
        others = engine.gather(events) if engine.is_followed else Traffic.gather(engine, events)
        return self._tell(others) if others else False

    # --- what else there is, for the link -----------------------------------------------------------------------------

    @abstractmethod
    def flush(self) -> None:
        """Write what the engine has to say, as far as it fits, and leave the rest to the thread."""

    @abstractmethod
    def _corks(self) -> bool:
        """Whether what has been queued is held back."""

    @abstractmethod
    def _wake_if_needed(self, stream: Any) -> None:
        """Wake the thread if it waits for less than there is to do, or for too long."""

    @abstractmethod
    def _forget(self, sent: int) -> None:
        """``sent`` bytes of the backlog have left."""

    @abstractmethod
    def _come_together(self, now: float) -> None:
        """Several messages that this thread has read are not taken yet."""

    @abstractmethod
    def _tell(self, others: Sequence[Event]) -> bool:
        """Deal with events that are no messages; return true."""

    @abstractmethod
    def _read_otherwise(self, stream: Any, data: bytes | memoryview | None, error: OSError | None) -> bool:
        """Go on behind a wait that brought more than messages, the end, ``error``, or nothing that was taken yet;
        return whether bytes go on to flow.
        """

    @abstractmethod
    def _stop_reading(self) -> None:
        """The caller has what it wanted: see to it that the socket is not forgotten."""
