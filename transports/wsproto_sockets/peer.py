"""The object that applications hold: one WebSocket connection for threads.

Facts and attempts are the core's, the same for every runtime. What lives here is how a thread waits for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, cast

from wsproto_core import (
    Buffer,
    ClientConnection,
    CloseCode,
    CloseReport,
    ConnectionClosedOK,
    Event,
    Fragment,
    Latency,
    Message,
    PeerBase,
    PreparedMessage,
    Receive,
    Request,
    ServerConnection,
    Statistics,
)

from .link import Link
from .stream import Stream

__all__ = ["WebSocket"]

_logger = logging.getLogger("wsproto_sockets")


class WebSocket(PeerBase):
    """One WebSocket connection. Made by :func:`connect`, :func:`serve` and :func:`reconnect`.

    Any number of threads may send, receive, ping and close at the same time. A time limit that runs out loses no
    message and breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or
    :exc:`ConnectionClosedError`, whose ``report`` explains the end. As a context manager it closes itself at the end of
    the block: with 1000, or with 1011 after an exception.
    """

    def __init__(
        self,
        engine: ServerConnection | ClientConnection,
        *,
        watch: Callable[[WebSocket, Event], None] | None = None,
    ) -> None:
        super().__init__(engine)
        #: The binding to the stream.
        self.link: Link = Link(engine, self._deliver)
        self._watch = watch
        #: Server: whether an operator wants to hear of the end.
        self.is_news: bool = False

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no transport."""
        return None if self.link.stream is None else self.link.stream.local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses; ``None`` when there is no transport."""
        return None if self.link.stream is None else self.link.stream.remote_address

    @property
    def transport(self) -> Stream | None:
        """The stream below, for its ``socket`` and ``tls`` (an ``ssl.SSLObject`` or ``None``). Reading from it or
        writing to it breaks the connection.
        """
        return self.link.stream

    @property
    def latency(self) -> Latency | None:
        """Round trips of pings so far; ``None`` before the first pong."""
        with self.link.changed:
            return self.engine.latency

    @property
    def statistics(self) -> Statistics:
        """Messages, bytes and control frames so far."""
        with self.link.changed:
            return self.engine.statistics

    def __repr__(self) -> str:
        return f"<WebSocket {self.state.value} {self.remote_address}>"

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Send a message: ``str`` as text, bytes-like as binary. Waits while ``Limits.outbox_size`` bytes are queued.

        ``compress`` overrides the extension's choice for this message; an ``urgent`` one goes ahead of those that
        have not begun to leave. Raises :exc:`LocalProtocolError` for text that is not valid Unicode, :exc:`TypeError`
        for anything that is no message, and :exc:`ConnectionClosed`.
        """
        self.link.give_way()
        with self.link.changed:  # no other thread takes the room away
            self.link.until(self.may_send)
            self.engine.send(message, compress=compress, urgent=urgent)
            self.link.flush()

    def send_nowait(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message without waiting. Raises :exc:`OutboxFull` when ``can_send`` is false, else what
        :meth:`send` raises.
        """
        self.link.give_way()
        with self.link.changed:
            self.engine.send(message, compress=compress, urgent=urgent)
            self.link.flush()

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many; see :func:`broadcast`. Raises what :meth:`send_nowait`
        raises.
        """
        self.link.give_way()
        with self.link.changed:
            self.engine.send_prepared(message)
            self.link.flush()

    def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Send the next part of a message, all parts being ``str`` or all bytes-like. Waits, and raises, like
        :meth:`send`.

        Until the part with ``final=True`` no other message can be sent, by whatever thread.
        """
        self.link.give_way()
        with self.link.changed:
            self.link.until(self.may_send)
            self.engine.send_fragment(data, final=final, compress=compress)
            self.link.flush()

    # --- receiving ----------------------------------------------------------------------------------------------------

    def recv(self, timeout: float | None = None) -> Message:
        """The next message: ``str`` is text, ``bytes`` is binary.

        What arrived before the end is delivered first; then it raises :exc:`ConnectionClosed`. Raises
        :exc:`TimeoutError` if none comes within ``timeout`` seconds; 0 takes what is there. No message is lost by it.
        """
        return cast(Message, self._next(timeout, Receive.MESSAGES))

    def recv_fragment(self, timeout: float | None = None) -> Fragment:
        """The next part of a message, where ``receive`` asks for parts. Raises like :meth:`recv`."""
        return cast(Fragment, self._next(timeout, Receive.FRAGMENTS, Receive.CHUNKS))

    def __iter__(self) -> Self:
        """The messages, until an ordinary close ends the loop; any other end raises :exc:`ConnectionClosedError`."""
        return self

    def __next__(self) -> Message:
        try:
            return self.recv()
        except ConnectionClosedOK:
            raise StopIteration from None

    # --- liveness and the end -----------------------------------------------------------------------------------------

    def ping(self, payload: Buffer | None = None, *, timeout: float | None = None) -> float:
        """Send a ping and wait for its pong; return the round trip in seconds. Raises :exc:`ConnectionClosed`, and
        :exc:`TimeoutError` if that takes longer than ``timeout`` seconds.
        """
        began_at = self.link.now()
        with self.link.changed:
            self.link.until(self.may_send, timeout)
            sent_at = self.link.now()
            sent = self.engine.ping(payload, now=sent_at)
            self.link.flush()
            left = None if timeout is None else timeout - (sent_at - began_at)
            self.link.until(lambda: self.is_answered(sent), left)
        return self.link.now() - sent_at

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until it has ended, for ``Timeouts.closing_timeout`` at the most.

        What was queued is sent first; messages that still come are kept for :meth:`recv`, as far as there is room. A
        :meth:`recv` that waits in another thread raises :exc:`ConnectionClosed`. Closing twice is harmless. Raises
        :exc:`LocalProtocolError` for a code or reason that cannot be sent.
        """
        self.close_nowait(code, reason)
        self.link.until_lost()

    def close_nowait(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, without waiting. Raises what :meth:`close` raises."""
        with self.link.changed:
            self.engine.close(code, reason, now=self.link.now())
            self.link.flush()

    def wait_closed(self, timeout: float | None = None) -> CloseReport:
        """Wait until the connection has ended, by whomever; return the report. Raises :exc:`TimeoutError` if that takes
        longer than ``timeout`` seconds.
        """
        self.link.until_lost(timeout)
        assert self.engine.close_report is not None, "a lost transport settles the end"
        return self.engine.close_report

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        with self.link.changed:
            self.engine.abort(now=self.link.now())
            self.link.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(1000 if kind is None else 1011)

    # --- behind -------------------------------------------------------------------------------------------------------

    def arrival(self) -> Request | bool | None:
        """Server: the request, once it has come, or that none will. An attempt, for ``link.until``."""
        return False if self.engine.close_report is not None else self.request

    def fail(self, error: Exception, words: str) -> None:
        """``error`` left the application's code: log it and close with 1011, unless all it says is that this connection
        is over.
        """
        if self.is_end(error):
            self.close_nowait()
            return
        _logger.error("%r: %s", self, words, exc_info=error)
        self.close_nowait(CloseCode.INTERNAL_ERROR)

    def _next(self, timeout: float | None, *modes: Receive) -> object:
        self.check_mode(*modes)
        return self.link.until(self._take, timeout)

    def _take(self) -> Message | Fragment | None:
        try:
            return self.take_message()
        finally:
            self.link.flush()  # taking a message may let reading go on, or a close frame leave

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in self.engine.gather(events):
            self.note(event)
            if self._watch is not None:
                self._watch(self, event)
