"""The part of a connection object that is the same for WebSocket, TCP and UDP: how a thread waits.

Facts and attempts are the core's, the same for every runtime.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

from wsproto_core import (
    Buffer,
    CloseReport,
    ConnectionClosedOK,
    Event,
    Fragment,
    Latency,
    Log,
    Message,
    PeerBase,
    PeerEngine,
    PreparedMessage,
    Receive,
    Request,
    Statistics,
)

__all__ = ["BlockingLink", "BlockingPeer"]

_E = TypeVar("_E", bound=PeerEngine)
_T = TypeVar("_T")


class BlockingLink(Protocol):
    """What binds a peer to its transport."""

    log: ClassVar[Log]
    #: The lock of the engine and the transport, and its other face, which is notified of changes.
    lock: threading.RLock
    changed: threading.Condition
    #: Messages that came together and are not taken yet, where the link cares.
    untaken: int

    def now(self) -> float: ...
    def flush(self) -> None: ...
    def flush_soon(self) -> None: ...
    def give_way(self) -> None: ...
    def send_at_once(self, message: Message | Buffer) -> bool: ...
    def abort(self) -> None: ...
    def until(self, attempt: Callable[[], _T | None], timeout: float | None = None) -> _T: ...
    def next_message(self) -> Message | None: ...
    def read_until(self, attempt: Callable[[], _T | None], timeout: float | None = None) -> _T: ...
    def until_lost(self, timeout: float | None = None) -> None: ...


class BlockingPeer(PeerBase[_E], ABC):
    """One connection for threads.

    Any number of threads may send, receive, ping and close at the same time. A time limit that runs out loses no
    message and breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or
    :exc:`ConnectionClosedError`, whose ``report`` explains the end. As a context manager it closes itself at the end of
    the block: with 1000, or with 1011 after an exception.
    """

    def __init__(self, engine: _E, link: BlockingLink, *, watch: Callable[[Any, Event], None] | None = None) -> None:
        super().__init__(engine, watch=watch)
        self._link = link
        self._takes_at_once = engine.receive is Receive.MESSAGES
        #: Server: the level of the line that tells of the end.
        self.end_level: int = 0

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses; ``None`` when there is no transport."""

    @property
    def latency(self) -> Latency | None:
        """Round trips of pings so far; ``None`` before the first pong."""
        with self._link.changed:
            return self.engine.latency

    @property
    def statistics(self) -> Statistics:
        """Messages, bytes and control frames so far."""
        with self._link.changed:
            return self.engine.statistics

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} {self.remote_address}>"

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, message: Message | Buffer) -> None:
        """Send a message: ``str`` as text, bytes-like as binary. Waits while ``Limits.outbox_size`` bytes are queued.

        Raises :exc:`LocalProtocolError` for text that is not valid Unicode, :exc:`TypeError` for anything that is no
        message, and :exc:`ConnectionClosed`.
        """
        link = self._link
        if not link.send_at_once(message):
            link.give_way()
            with link.lock:  # no other thread takes the room away
                link.flush()
                link.until(self.may_send)
                self.engine.send(message)
                link.flush_soon()

    def send_nowait(self, message: Message | Buffer) -> None:
        """Queue a message without waiting. Raises :exc:`OutboxFull` when ``can_send`` is false, else what
        :meth:`send` raises.
        """
        link = self._link
        link.give_way()
        with link.lock:
            self.engine.send(message)
            link.flush_soon()

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many; see :func:`broadcast`. Raises what :meth:`send_nowait`
        raises.
        """
        self._link.give_way()
        with self._link.changed:
            self.engine.send_prepared(message)
            self._link.flush()

    # --- receiving ----------------------------------------------------------------------------------------------------

    def recv(self, timeout: float | None = None) -> Message:
        """The next message: ``str`` is text, ``bytes`` is binary.

        What arrived before the end is delivered first; then it raises :exc:`ConnectionClosed`. Raises
        :exc:`TimeoutError` if none comes within ``timeout`` seconds; 0 takes what is there. No message is lost by it.
        """
        message = self._link.next_message() if timeout is None and self._takes_at_once else None
        return message if message is not None else cast(Message, self._next(timeout, Receive.MESSAGES))

    def __iter__(self) -> Self:
        """The messages, until an ordinary close ends the loop; any other end raises :exc:`ConnectionClosedError`."""
        return self

    def __next__(self) -> Message:
        message = self._link.next_message() if self._takes_at_once else None
        try:
            return message if message is not None else cast(Message, self._next(None, Receive.MESSAGES))
        except ConnectionClosedOK:
            raise StopIteration from None

    # --- liveness and the end -----------------------------------------------------------------------------------------

    def ping(self, payload: Buffer | None = None, *, timeout: float | None = None) -> float:
        """Send a ping and wait for its pong; return the round trip in seconds. Raises :exc:`ConnectionClosed`, and
        :exc:`TimeoutError` if that takes longer than ``timeout`` seconds.
        """
        began_at = self._link.now()
        with self._link.changed:
            self._link.until(self.may_send, timeout)
            sent_at = self._link.now()
            sent = self.engine.ping(payload, now=sent_at)
            self._link.flush()
            left = None if timeout is None else timeout - (sent_at - began_at)
            self._link.until(lambda: self.is_answered(sent), left)
        return self._link.now() - sent_at

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until it has ended, for ``Timeouts.closing_timeout`` at the most.

        What was queued is sent first; messages that still come are kept for :meth:`recv`, as far as there is room. A
        :meth:`recv` that waits in another thread raises :exc:`ConnectionClosed`. Closing twice is harmless. Raises
        :exc:`LocalProtocolError` for a code or reason that cannot be sent.
        """
        self.close_nowait(code, reason)
        self._link.until_lost()

    def close_nowait(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, without waiting. Raises what :meth:`close` raises."""
        with self._link.changed:
            self.engine.close(code, reason, now=self._link.now())
            self._link.flush()

    def wait_closed(self, timeout: float | None = None) -> CloseReport:
        """Wait until the connection has ended, by whomever; return the report. Raises :exc:`TimeoutError` if that takes
        longer than ``timeout`` seconds.
        """
        self._link.until_lost(timeout)
        assert self.engine.close_report is not None, "a lost transport settles the end"
        return self.engine.close_report

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        with self._link.changed:
            self.engine.abort(now=self._link.now())
            self._link.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(1000 if kind is None else 1011)

    # --- behind -------------------------------------------------------------------------------------------------------

    def await_request(self) -> Request | None:
        """Server: the request, as soon as it has come; ``None`` once none will."""
        return None

    @contextmanager
    def changing(self) -> Generator[None]:
        """A block that may do anything to the engine; what that has to say leaves behind it."""
        with self._link.changed:
            yield
            self._link.flush()

    def fail(self, error: Exception, words: str) -> None:
        """``error`` left the application's code: log it and close with 1011, unless all it says is that this connection
        is over.
        """
        self.close_nowait(self.verdict(error, words, self._link.log))

    def _next(self, timeout: float | None, *modes: Receive) -> object:
        self.check_mode(*modes)
        return self._link.read_until(self._take, timeout)

    def _take(self) -> Message | Fragment | None:
        self._link.untaken -= 1
        if self.engine.is_flowing:
            return self.take_message()
        try:
            return self.take_message()
        finally:
            self._link.flush()  # taking a message may let reading go on, or a close frame leave
